//! The language of PXELINUX and extlinux: a keyword, and the rest of its line.

/// The lines of a script: the keyword in lower case, and what it is told. Blank lines and comments say nothing.
pub fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    if text.contains('\0') {
        return Err("a NUL ends the script".into());
    }
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}');
    let lines = text.split('\n').map(|line| line.trim_start_matches(is_blank)).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.starts_with('#')).map(|line| {
        let (keyword, rest) = line.split_once(is_blank).unwrap_or((line, ""));
        let rest = rest.trim_matches(is_blank);
        // U-Boot takes a text that begins with # for a comment, and expands what it finds behind a dollar sign.
        let rest = if rest.starts_with('#') { "\u{1}comment\u{1}" } else { rest };
        let marked =
            ['$', '\\', '\''].iter().fold(rest.to_owned(), |text, sign| text.replace(*sign, "\u{1}expanded\u{1}"));
        vec![keyword.to_ascii_lowercase(), marked]
    });
    Ok(lines.collect())
}

#[test]
fn a_line_is_a_keyword_and_its_rest() {
    let found = commands("DEFAULT a\n\n# no\n  label  a b \r\nAPPEND x=$y\nPROMPT\n").unwrap();
    let lines: Vec<String> = found.iter().map(|words| words.join("=")).collect();
    assert_eq!(lines, ["default=a", "label=a b", "append=x=\u{1}expanded\u{1}y", "prompt="]);
}
