//! Shell scripts: `#!` first, every quote, `$(` and here-document closed.

use super::{Fault, lines, without_nul};
use crate::model::Variables;

pub fn check(_: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    if !text.starts_with("#!/") {
        return Err(Fault::new(1, "a script begins with #! and its shell, such as #!/bin/sh"));
    }
    whole(text)
}

/// What is open at some place of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Double,
    Back,
    /// `$(` or `(`.
    Round,
    /// `${`.
    Curly,
}

/// A here-document that begins after this line.
struct Here {
    word: String,
    /// `<<-`: tabs before its end do not count.
    tabs: bool,
    line: usize,
}

struct Reader<'a> {
    open: Vec<(Open, usize)>,
    awaited: Vec<Here>,
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    /// A `#` here begins a comment.
    at_word: bool,
    /// `case … in` is under way: a `)` there ends a pattern.
    cases: usize,
    word: String,
}

/// That nothing is left open at the end: the part of a script that a value could break.
pub fn whole(text: &str) -> Result<(), Fault> {
    without_nul(text)?;
    let mut reader = Reader {
        open: vec![],
        awaited: vec![],
        rest: "".chars().peekable(),
        line: 0,
        at_word: true,
        cases: 0,
        word: String::new(),
    };
    let mut single: Option<usize> = None;
    let mut all = lines(text).peekable();
    while let Some((number, line)) = all.next() {
        reader.line = number;
        let begun = match single {
            None => line,
            Some(_) => match line.split_once('\'') {
                None => continue,
                Some((_, rest)) => rest,
            },
        };
        reader.rest = begun.chars().peekable();
        single = reader.line_of_code()?;
        if single.is_some() || reader.awaited.is_empty() {
            continue;
        }
        for here in std::mem::take(&mut reader.awaited) {
            let is_end = |line: &str| here.word == if here.tabs { line.trim_start_matches('\t') } else { line };
            if !all.any(|(_, line)| is_end(line)) {
                return Err(Fault::new(here.line, format!("the here-document {} is not closed", here.word)));
            }
        }
    }
    let left = single.map(|line| (line, "a single quote")).or_else(|| {
        reader.open.first().map(|(open, line)| {
            let what = match open {
                Open::Double => "a double quote",
                Open::Back => "a backquote",
                Open::Round => "a parenthesis",
                Open::Curly => "${",
            };
            (*line, what)
        })
    });
    left.map_or(Ok(()), |(line, what)| Err(Fault::new(line, format!("{what} is not closed"))))
}

impl Reader<'_> {
    /// Reads to the end of a line; the line where a single quote was left open, if one was.
    fn line_of_code(&mut self) -> Result<Option<usize>, Fault> {
        self.at_word = true;
        self.word.clear();
        while let Some(c) = self.rest.next() {
            let top = self.open.last().map(|(open, _)| *open);
            let in_quotes = matches!(top, Some(Open::Double));
            let was_word = self.at_word;
            self.at_word = c.is_whitespace() || ";|&(".contains(c);
            match c {
                '\\' => drop(self.rest.next()),
                '#' if was_word && !in_quotes && top != Some(Open::Curly) => return Ok(None),
                '\'' if !in_quotes && !self.rest.any(|c| c == '\'') => return Ok(Some(self.line)),
                '"' => self.toggle(Open::Double),
                '`' => self.toggle(Open::Back),
                '$' => self.dollar(),
                '(' if !in_quotes => self.open.push((Open::Round, self.line)),
                ')' if top == Some(Open::Round) => drop(self.open.pop()),
                ')' if !in_quotes && top != Some(Open::Curly) && self.cases == 0 => {
                    return Err(Fault::new(self.line, "a parenthesis is closed that was not opened"));
                }
                '}' if top == Some(Open::Curly) => drop(self.open.pop()),
                '<' if !in_quotes && self.rest.peek() == Some(&'<') => self.here(),
                _ => {}
            }
            self.count_cases(c, in_quotes);
        }
        self.count_cases(' ', self.open.last().is_some_and(|(open, _)| *open == Open::Double));
        Ok(None)
    }

    fn toggle(&mut self, what: Open) {
        match self.open.last() {
            Some((open, _)) if *open == what => drop(self.open.pop()),
            _ => self.open.push((what, self.line)),
        }
    }

    fn dollar(&mut self) {
        match self.rest.peek() {
            Some('(') => self.open.push((Open::Round, self.line)),
            Some('{') => self.open.push((Open::Curly, self.line)),
            _ => return,
        }
        self.rest.next();
    }

    fn count_cases(&mut self, c: char, in_quotes: bool) {
        if in_quotes {
            return;
        }
        if c.is_alphanumeric() || c == '_' {
            self.word.push(c);
            return;
        }
        match std::mem::take(&mut self.word).as_str() {
            "case" => self.cases = self.cases.saturating_add(1),
            "esac" => self.cases = self.cases.saturating_sub(1),
            _ => {}
        }
    }

    /// Behind the first `<` of `<<WORD`.
    fn here(&mut self) {
        self.rest.next();
        if self.rest.peek() == Some(&'<') {
            self.rest.next();
            return;
        }
        let tabs = self.rest.next_if_eq(&'-').is_some();
        while self.rest.next_if(|c| *c == ' ').is_some() {}
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| !c.is_whitespace() && !";|&)".contains(*c)) {
            word.extend((!"'\"\\".contains(c)).then_some(c));
        }
        // Arithmetic shifts stand in $((…)), and by a number.
        if !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()) {
            self.awaited.push(Here { word, tabs, line: self.line });
        }
    }
}
