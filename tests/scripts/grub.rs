//! GRUB's script language: words with its three ways to quote, and what stands between commands.

/// The commands of a script, each with its words as GRUB would pass them on. What would be expanded is marked.
pub fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut reader = Reader { rest: text.chars().peekable(), commands: Vec::new(), command: Vec::new(), word: None };
    while let Some(c) = reader.rest.next() {
        reader.take(c)?;
    }
    reader.end_command();
    Ok(reader.commands)
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    commands: Vec<Vec<String>>,
    command: Vec<String>,
    word: Option<String>,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> Result<(), String> {
        match c {
            '\0' => return Err("a NUL ends the script".into()),
            ' ' | '\t' => self.end_word(),
            '\n' | ';' => self.end_command(),
            '#' if self.word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
            '|' | '&' | '<' | '>' | '{' | '}' => {
                self.end_command();
                self.commands.push(vec![c.to_string()]);
            }
            '\'' => self.single_quoted()?,
            '"' => self.double_quoted()?,
            '$' => self.expansion(),
            '*' | '?' | '[' if self.word.is_some() => self.word().push_str("\u{1}wildcard\u{1}"),
            '\\' => match self.rest.next() {
                Some('\n') => {}
                Some(c) => self.word().push(c),
                None => return Err("a backslash at the end".into()),
            },
            c => self.word().push(c),
        }
        Ok(())
    }

    fn single_quoted(&mut self) -> Result<(), String> {
        self.word();
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(c) => self.word().push(c),
                None => return Err("a quote is not closed".into()),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<(), String> {
        self.word();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('$') => self.expansion(),
                Some('\\') => match self.rest.next() {
                    Some('\n') => {}
                    Some(c @ ('$' | '"' | '\\')) => self.word().push(c),
                    Some(c) => self.word().extend(['\\', c]),
                    None => return Err("a quote is not closed".into()),
                },
                Some(c) => self.word().push(c),
                None => return Err("a double quote is not closed".into()),
            }
        }
    }

    fn expansion(&mut self) {
        self.word().push_str("\u{1}expanded\u{1}");
    }

    fn word(&mut self) -> &mut String {
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        self.command.extend(self.word.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.command.is_empty() {
            self.commands.push(std::mem::take(&mut self.command));
        }
    }
}

/// What GRUB's `linux` makes of its arguments: quotes around a word with a blank, a backslash before what might confuse.
pub fn kernel_line(words: &[String]) -> String {
    let said = words.iter().map(|word| {
        let escaped = word.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\"");
        if word.contains(' ') { format!("\"{escaped}\"") } else { escaped }
    });
    said.collect::<Vec<_>>().join(" ")
}

#[test]
fn quotes_and_signs_are_those_of_the_manual() {
    let found = commands("if linux a'b c'd \"e \\\" f\" g\\ h; then # no\n boot\nfi; echo '' $x\n").unwrap();
    let wanted: [&[&str]; 4] = [&["if", "linux", "ab cd", "e \" f", "g h"], &["then"], &["boot"], &["fi"]];
    assert_eq!(found[..4], wanted.map(|words| words.iter().map(|word| word.to_string()).collect::<Vec<_>>()));
    assert_eq!(found[4], ["echo", "", "\u{1}expanded\u{1}x"]);
    assert!(commands("echo 'a").is_err());
}
