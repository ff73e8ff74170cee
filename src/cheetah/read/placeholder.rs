//! `$name`, `${…}` and their like in a text.

use super::{LONGEST, Reading, too_long};
use crate::cheetah::cursor::{Cursor, begins_name};
use crate::cheetah::expr::{Expr, Reader, Unread};
use crate::cheetah::item::What;

impl Reading<'_> {
    pub(super) fn placeholder(&mut self) -> bool {
        let start = self.cursor;
        let mut ahead = start;
        if start.is_escaped() || !ahead.eat("$") {
            return false;
        }
        ahead.eat("!");
        let (whole, mut ahead) = (ahead, ahead.within(LONGEST));
        let read = match ahead.peek() {
            Some(c) if begins_name(c) => plain(&mut ahead),
            Some('(' | '{' | '[') => {
                let mut inner = ahead;
                inner.next();
                inner.eat_blanks();
                match inner.peek() {
                    None | Some(')' | ']' | '}') => return false,
                    Some(_) => enclosed(&mut ahead),
                }
            }
            _ => return false,
        };
        match read {
            Ok(_) if ahead.is_at_end() && !whole.moved_to(ahead.at()).is_at_end() => {
                let why = too_long(start).why;
                self.cursor = whole.moved_to(ahead.at());
                self.add(start.at(), What::Bad(String::new(), why), false);
            }
            Ok(expression) => {
                self.cursor = whole.moved_to(ahead.at());
                let raw = self.cursor.since(start.at()).to_owned();
                self.add(start.at(), What::Placeholder(expression, raw), false);
            }
            Err(Unread { why, .. }) => {
                self.cursor.eat_while(|c| !c.is_whitespace());
                let said = self.cursor.since(start.at()).to_owned();
                let why = format!("{why}; for the shell write \\$ instead of $");
                self.add(start.at(), What::Bad(said, why), false);
            }
        }
        true
    }
}

/// `$a.b('c').d` in a text: what does not stand next to it is text again.
fn plain(cursor: &mut Cursor<'_>) -> Result<Expr, Unread> {
    let mut value = Expr::Name(cursor.eat_name().unwrap_or_default().to_owned());
    let mut length = 0_usize;
    loop {
        length = length.saturating_add(1);
        if length > 48 {
            return Err(Unread { at: cursor.at(), why: "it goes on more than 48 times".into() });
        }
        match cursor.peek() {
            Some('.') => {
                let mut ahead = *cursor;
                ahead.eat(".");
                let Some(name) = ahead.eat_name() else { return Ok(value) };
                *cursor = ahead;
                value = Expr::Attribute(Box::new(value), name.to_owned());
            }
            Some('(') => {
                let mut reader = Reader::new(*cursor);
                value = reader.call(value)?;
                *cursor = reader.cursor;
                // Behind a call only a dot goes on.
                if cursor.peek() != Some('.') {
                    return Ok(value);
                }
            }
            Some('[') => {
                let mut reader = Reader::new(*cursor);
                value = reader.item(value)?;
                *cursor = reader.cursor;
            }
            _ => return Ok(value),
        }
    }
}

/// `${…}`, `$(…)` and `$[…]`.
fn enclosed(cursor: &mut Cursor<'_>) -> Result<Expr, Unread> {
    let close = match cursor.next() {
        Some('(') => ")",
        Some('[') => "]",
        _ => "}",
    };
    let mut reader = Reader::within(*cursor);
    let value = reader.expression()?;
    let mut behind = reader.cursor;
    behind.eat_while(char::is_whitespace);
    match behind.eat(close) {
        true => {
            *cursor = behind;
            Ok(value)
        }
        false => Err(Unread { at: behind.at(), why: format!("{close} is missing") }),
    }
}
