//! `#name` in a text: where it begins and ends, what of its line it takes, and which block it opens or closes.

use super::Reading;
use crate::cheetah::cursor::{Cursor, begins_name, is_blank};
use crate::cheetah::expr::Unread;
use crate::cheetah::item::{Block, What};

const DIRECTIVES: [&str; 48] = [
    "compiler-settings",
    "errorCatcher",
    "breakpoint",
    "implements",
    "transform",
    "continue",
    "defmacro",
    "encoding",
    "compiler",
    "capture",
    "closure",
    "extends",
    "finally",
    "include",
    "assert",
    "except",
    "filter",
    "import",
    "repeat",
    "return",
    "shBang",
    "silent",
    "unless",
    "block",
    "break",
    "cache",
    "raise",
    "slurp",
    "super",
    "while",
    "yield",
    "attr",
    "call",
    "echo",
    "elif",
    "else",
    "from",
    "pass",
    "stop",
    "arg",
    "def",
    "del",
    "end",
    "for",
    "raw",
    "set",
    "try",
    "if",
];

impl<'s> Reading<'s> {
    pub(super) fn directive(&mut self) -> bool {
        let start = self.cursor;
        let mut ahead = start;
        if start.is_escaped() || !ahead.eat("#") {
            return false;
        }
        let Some(name) = named(ahead) else { return false };
        ahead.eat(name);
        let is_first = start.is_first();
        self.cursor = ahead;
        let read = match name {
            "raw" => {
                self.raw(start, is_first);
                return true;
            }
            "slurp" => {
                self.cursor.eat_blanks();
                self.cursor.eat_line_end();
                self.add(start.at(), What::Nothing, false);
                return true;
            }
            "end" => Ok(self.end()),
            _ => self.said(name),
        };
        let (what, short) = match read {
            Ok(read) => read,
            Err(Unread { why, .. }) => {
                self.cursor.eat_while(|c| !matches!(c, '\n' | '\r'));
                (What::Bad(self.cursor.since(start.at()).trim_end().to_owned(), why), false)
            }
        };
        if short {
            self.short(start, is_first);
            return true;
        }
        let what = self.fitting(what, name);
        self.rest_of_tag(is_first);
        let is_alone =
            is_first && (self.cursor.since(start.at()).contains(['\n', '\r']) || self.cursor.peek().is_none());
        self.opened(&what, name);
        self.add(start.at(), what, is_alone);
        true
    }

    /// What stands where it has no meaning is told.
    fn fitting(&mut self, what: What, name: &str) -> What {
        let misplaced = match &what {
            What::Else | What::Elif(_) => match self.open.last_mut() {
                Some(Block::If) if matches!(what, What::Elif(_)) => None,
                Some(open @ Block::If) => {
                    *open = Block::LastWay;
                    None
                }
                _ => Some("it stands in no #if, or behind its #else"),
            },
            What::Break | What::Continue => {
                let nearest = self.open.iter().rev().find(|open| matches!(open, Block::For | Block::Macro));
                (nearest != Some(&Block::For)).then_some("it stands in no loop")
            }
            _ => None,
        };
        match misplaced {
            Some(why) => What::Bad(format!("#{name}"), why.into()),
            None => what,
        }
    }

    fn opened(&mut self, what: &What, name: &str) {
        match what {
            What::If(_) => self.open.push(Block::If),
            What::For(..) => self.open.push(Block::For),
            What::Macro(..) => self.open.push(Block::Macro),
            What::Bad(..) if matches!(name, "if" | "unless") => self.open.push(Block::Other),
            What::Bad(..)
                if matches!(
                    name,
                    "for"
                        | "while"
                        | "try"
                        | "def"
                        | "repeat"
                        | "filter"
                        | "block"
                        | "cache"
                        | "call"
                        | "capture"
                        | "closure"
                        | "transform"
                ) =>
            {
                self.open.push(Block::Other);
            }
            _ => {}
        }
    }

    fn rest_of_tag(&mut self, is_first: bool) {
        self.cursor.eat_blanks();
        let mut ahead = self.cursor;
        // The first sign ends the tag where the second one begins another.
        let mut second = ahead;
        let is_followed = second.eat("##") && named(second).is_some();
        if self.cursor.starts("##") && !is_followed {
            self.cursor.eat_while(|c| !matches!(c, '\n' | '\r'));
            if is_first {
                self.cursor.eat_line_end();
            }
        } else if ahead.eat("#") {
            self.cursor = ahead;
        } else if is_first {
            self.cursor.eat_line_end();
        }
    }

    fn end(&mut self) -> (What, bool) {
        self.cursor.eat_blanks();
        let name = self.cursor.eat_name().unwrap_or_default();
        let said = format!("#end {name}");
        self.cursor.eat_while(|c| !matches!(c, '\n' | '\r' | '#'));
        let block = match name {
            "if" | "unless" => Block::If,
            "for" => Block::For,
            "def" => Block::Macro,
            "while" | "try" | "repeat" | "filter" | "block" | "cache" | "call" | "capture" | "closure"
            | "errorCatcher" | "transform" => Block::Other,
            _ => return (What::Bad(said, "nothing of this name is to be ended".into()), false),
        };
        if name == "errorCatcher" {
            return (What::Nothing, false);
        }
        match self.open.last() {
            Some(open) if *open == block || (*open, block) == (Block::LastWay, Block::If) => {
                self.open.pop();
                (if block == Block::Other { What::Nothing } else { What::End(block) }, false)
            }
            Some(Block::Other) => {
                self.open.pop();
                (What::Nothing, false)
            }
            _ => (What::Bad(said, "it ends what was not begun".into()), false),
        }
    }

    /// `#if a: text` and its like: the rest of the line is the body.
    fn short(&mut self, start: Cursor<'s>, is_first: bool) {
        self.cursor.eat_while(|c| !matches!(c, '\n' | '\r'));
        let said = self.cursor.since(start.at()).to_owned();
        let is_alone = is_first && self.cursor.eat_line_end();
        self.add(
            start.at(),
            What::Bad(said, "the short form with a colon: write it in lines of its own".into()),
            is_alone,
        );
    }

    fn raw(&mut self, start: Cursor<'s>, is_first: bool) {
        self.cursor.eat_blanks();
        if self.cursor.eat(":") {
            self.cursor.eat_blanks();
        }
        self.rest_of_tag(is_first);
        if is_first {
            let kept = self.text.trim_end_matches(is_blank).len();
            self.text.truncate(kept);
        }
        let began = self.cursor.at();
        let rest = self.cursor.rest();
        let ends = rest.match_indices("#end").find_map(|(at, _)| {
            let behind = rest.get(at..)?.strip_prefix("#end")?.trim_start_matches(is_blank);
            behind.starts_with("raw").then_some(at)
        });
        let Some(length) = ends else {
            let text = rest.to_owned();
            self.cursor = self.cursor.moved_to(began.saturating_add(text.len()));
            self.add(start.at(), What::Raw(text), false);
            return;
        };
        let end = self.cursor.moved_to(began.saturating_add(length));
        let mut text = end.since(began).to_owned();
        let end_is_first = end.is_first();
        if end_is_first {
            text.truncate(text.trim_end_matches(is_blank).len());
        }
        self.cursor = end;
        self.cursor.eat("#end");
        self.cursor.eat_blanks();
        self.cursor.eat("raw");
        self.rest_of_tag(end_is_first);
        self.add(start.at(), What::Raw(text), false);
    }
}

/// The directive that is named here.
fn named(cursor: Cursor<'_>) -> Option<&'static str> {
    let found = DIRECTIVES.into_iter().find(|name| cursor.starts(name))?;
    let mut behind = cursor;
    behind.eat(found);
    behind.peek().is_none_or(|c| !(begins_name(c) || c.is_ascii_digit() || c == '-')).then_some(found)
}
