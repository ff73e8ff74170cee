//! Names, numbers, texts and signs, one after another.

use super::{Read, Reader};
use crate::cheetah::cursor::{Cursor, begins_name};

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Name(String),
    Number(String),
    Text(String),
    Sign(&'static str),
    /// The line, the tag or the text is over.
    End,
}

/// The longer first.
const SIGNS: [&str; 38] = [
    "**=", "//=", "==", "!=", "<=", ">=", "<>", "**", "//", "+=", "-=", "*=", "/=", "%=", "<<", ">>", "+", "-", "*",
    "/", "%", "<", ">", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "|", "&", "^", "~", ";",
];
pub const ASSIGNS: [&str; 6] = ["=", "+=", "-=", "*=", "/=", "%="];

impl<'s> Reader<'s> {
    fn blanks(&mut self) {
        loop {
            let before = self.cursor.at();
            self.cursor.eat_blanks();
            let mut ahead = self.cursor;
            if ahead.eat("\\") && ahead.eat_line_end() {
                self.cursor = ahead;
            } else if self.open > 0 {
                self.cursor.eat_line_end();
            }
            if self.cursor.at() == before {
                return;
            }
        }
    }

    pub(super) fn token(&mut self) -> Read<Token> {
        self.blanks();
        let mut cursor = self.cursor;
        let token = match cursor.peek() {
            None | Some('\n' | '\r' | '#') => return Ok(Token::End),
            Some('$') => {
                cursor.next();
                match cursor.eat_name() {
                    Some(name) => Token::Name(name.to_owned()),
                    None => return self.unread("a $ without a name behind it"),
                }
            }
            Some(c) if begins_name(c) => {
                let name = cursor.eat_name().unwrap_or_default();
                match (name, cursor.peek()) {
                    ("r" | "R" | "u" | "U" | "b" | "B", Some('"' | '\'')) => {
                        self.text(&mut cursor, name.eq_ignore_ascii_case("r"))?
                    }
                    _ => Token::Name(name.to_owned()),
                }
            }
            Some(c) if c.is_ascii_digit() => {
                Token::Number(cursor.eat_while(|c| c.is_ascii_alphanumeric() || c == '.').to_owned())
            }
            Some('"' | '\'') => self.text(&mut cursor, false)?,
            Some(c) => match SIGNS.into_iter().find(|sign| cursor.eat(sign)) {
                Some(sign) => Token::Sign(sign),
                None => return self.unread(format!("{c:?} begins no expression")),
            },
        };
        self.cursor = cursor;
        Ok(token)
    }

    fn text(&self, cursor: &mut Cursor<'s>, is_raw: bool) -> Read<Token> {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| cursor.eat(quote)).unwrap_or("'");
        let mut text = String::new();
        loop {
            if cursor.eat(quote) {
                return Ok(Token::Text(text));
            }
            match cursor.next() {
                None => return self.unread("a text that is not closed"),
                Some('\n') if quote.len() == 1 => return self.unread("a text that is not closed in its line"),
                Some('\\') if is_raw => {
                    text.push('\\');
                    text.extend(cursor.next());
                }
                Some('\\') => escaped(cursor, &mut text),
                Some(c) => text.push(c),
            }
        }
    }

    pub(super) fn peek(&mut self) -> Read<Token> {
        let before = self.cursor;
        let token = self.token();
        self.cursor = before;
        token
    }

    pub(super) fn is(&mut self, sign: &'static str) -> Read<bool> {
        Ok(self.peek()? == Token::Sign(sign))
    }

    pub(super) fn eat(&mut self, sign: &'static str) -> Read<bool> {
        let there = self.is(sign)?;
        if there {
            self.token()?;
        }
        Ok(there)
    }

    pub(super) fn word(&mut self, word: &str) -> Read<bool> {
        let there = self.peek()? == Token::Name(word.to_owned());
        if there {
            self.token()?;
        }
        Ok(there)
    }

    pub(super) fn need(&mut self, sign: &'static str) -> Read<()> {
        match self.eat(sign)? {
            true => Ok(()),
            false => self.unread(format!("{sign} is missing")),
        }
    }
}

/// What stands behind a backslash; an unknown escape keeps it, as Python does.
fn escaped(cursor: &mut Cursor<'_>, text: &mut String) {
    match cursor.next() {
        None => text.push('\\'),
        Some('n') => text.push('\n'),
        Some('t') => text.push('\t'),
        Some('r') => text.push('\r'),
        Some('0') => text.push('\0'),
        Some(c @ ('\\' | '\'' | '"')) => text.push(c),
        Some('\n') => {}
        Some(c) => text.extend(['\\', c]),
    }
}
