//! iPXE scripts: lines, words, and the few signs between commands.

/// The commands of a script, each with its words. A setting that would be expanded is marked, a label is a command.
pub fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut commands = Vec::new();
    for line in text.replace("\r\n", "\n").replace("\\\n", "").split('\n') {
        let mut command = Vec::new();
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}');
        for word in line.split(is_blank).filter(|word| !word.is_empty()) {
            match word {
                "||" | "&&" | ";" => {
                    commands.push(std::mem::take(&mut command));
                    command.push(word.to_owned());
                }
                _ if word.starts_with('#') => break,
                _ => command.push(word.replace("${", "\u{1}expanded\u{1}")),
            }
        }
        if !command.is_empty() {
            commands.push(command);
        }
    }
    match text.contains('\0') {
        true => Err("a NUL ends the script".into()),
        false => Ok(commands),
    }
}

#[test]
fn a_script_is_lines_of_words() {
    let found = commands("#!ipxe\nkernel a b=c || goto x # no\necho a\\\nb\n:x\nexit ${y}\n").unwrap();
    let lines: Vec<String> = found.iter().map(|words| words.join(" ")).collect();
    assert_eq!(lines, ["kernel a b=c", "|| goto x", "echo ab", ":x", "exit \u{1}expanded\u{1}y}"]);
}
