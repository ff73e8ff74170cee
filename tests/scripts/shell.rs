//! A POSIX shell, as far as words go: quotes, and the signs that end a command.

/// The commands of a script, each with its words. What would be expanded is marked.
pub fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut commands, mut command, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\0' => return Err("a NUL ends the script".into()),
            ' ' | '\t' => command.extend(word.take()),
            '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => {
                command.extend(word.take());
                commands.push(std::mem::take(&mut command));
            }
            '#' if word.is_none() => while rest.next_if(|c| *c != '\n').is_some() {},
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a quote is not closed".into()),
                    }
                }
            }
            '$' | '`' | '"' | '*' | '?' | '[' | '~' => word.get_or_insert_default().push_str("\u{1}expanded\u{1}"),
            '\\' => word.get_or_insert_default().extend(rest.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    command.extend(word.take());
    commands.push(command);
    Ok(commands.into_iter().filter(|command| !command.is_empty()).collect())
}

#[test]
fn quotes_keep_a_word_together() {
    let found = commands("set -- 'it'\\''s a' b; x='' # no\n").unwrap();
    assert_eq!(found, [vec!["set", "--", "it's a", "b"], vec!["x="]]);
}
