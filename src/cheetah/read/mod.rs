//! A template of Cheetah's, taken apart by its own rules of where directives begin and what of a line they take with them.

mod directive;
mod placeholder;
mod statement;

use super::cursor::Cursor;
use super::expr::Unread;
use super::item::{Block, Item, What};

/// Bytes that one expression may have.
const LONGEST: usize = 4096;

fn too_long(start: Cursor<'_>) -> Unread {
    Unread { at: start.at(), why: format!("an expression of more than {LONGEST} bytes") }
}

/// What a file is made of.
pub fn read(source: &str) -> Vec<Item> {
    let mut reading =
        Reading { cursor: Cursor::new(source), text: String::new(), text_at: 0, items: Vec::new(), open: Vec::new() };
    reading.all();
    reading.items
}

struct Reading<'s> {
    cursor: Cursor<'s>,
    text: String,
    text_at: usize,
    items: Vec<Item>,
    open: Vec<Block>,
}

impl<'s> Reading<'s> {
    fn all(&mut self) {
        while let Some(c) = self.cursor.peek() {
            let before = self.cursor;
            if !(self.comment()
                || self.placeholder()
                || self.directive()
                || self.python()
                || self.slurped()
                || self.late())
            {
                debug_assert_eq!(before.at(), self.cursor.at());
                self.cursor.next();
                let escapes = c == '\\' && matches!(self.cursor.peek(), Some('$' | '#'));
                if !escapes {
                    self.text.push(c);
                } else {
                    // The sign behind it stands for itself.
                    self.text.extend(self.cursor.next());
                }
            }
            if self.text.is_empty() {
                self.text_at = self.cursor.at();
            }
        }
        self.flush();
        while let Some(block) = self.open.pop() {
            let at = self.cursor.at();
            self.add(at, What::Bad("the end of the file".into(), "a block is not closed".into()), false);
            let block = if block == Block::LastWay { Block::If } else { block };
            if block != Block::Other {
                self.add(at, What::End(block), false);
            }
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let what = What::Text(std::mem::take(&mut self.text));
            self.items.push(Item { at: self.text_at, what, is_alone: false, indent: String::new() });
        }
    }

    fn add(&mut self, at: usize, what: What, is_alone: bool) {
        let mut indent = String::new();
        if is_alone {
            let kept = self.text.trim_end_matches(super::cursor::is_blank).len();
            indent = self.text.split_off(kept);
        }
        self.flush();
        self.items.push(Item { at, what, is_alone, indent });
        self.text_at = self.cursor.at();
    }

    fn comment(&mut self) -> bool {
        let (start, is_first) = (self.cursor, self.cursor.is_first());
        if start.is_escaped() {
            return false;
        }
        if self.cursor.eat("##") {
            let said = self.cursor.eat_while(|c| !matches!(c, '\n' | '\r')).trim().to_owned();
            if is_first {
                self.cursor.eat_line_end();
            }
            self.add(start.at(), What::Comment(said), is_first);
            return true;
        }
        if !self.cursor.eat("#*") {
            return false;
        }
        let (began, mut depth) = (self.cursor.at(), 1_usize);
        let mut ended = began;
        while depth > 0 {
            ended = self.cursor.at();
            match () {
                () if self.cursor.eat("*#") => depth = depth.saturating_sub(1),
                () if self.cursor.eat("#*") => depth = depth.saturating_add(1),
                () if self.cursor.next().is_none() => break,
                () => {}
            }
        }
        let said = self.cursor.moved_to(ended).since(began).trim().to_owned();
        let mut ahead = self.cursor;
        ahead.eat_blanks();
        let ends_line = ahead.peek().is_none_or(|c| matches!(c, '\n' | '\r'));
        if ends_line {
            self.cursor = ahead;
            if is_first {
                self.cursor.eat_line_end();
            }
        }
        let is_alone = is_first && ends_line;
        self.add(start.at(), What::Comment(said), is_alone);
        true
    }

    /// `#` at the end of a line takes the line's end with it.
    fn slurped(&mut self) -> bool {
        let mut ahead = self.cursor;
        if ahead.is_escaped() || !ahead.eat("#") {
            return false;
        }
        ahead.eat_blanks();
        let slurps = ahead.eat_line_end();
        if slurps {
            self.cursor = ahead;
        }
        slurps
    }

    fn python(&mut self) -> bool {
        let start = self.cursor;
        if start.is_escaped() || !self.cursor.eat("<%") {
            return false;
        }
        while !self.cursor.starts("%>") && self.cursor.next().is_some() {}
        self.cursor.eat("%>");
        let said = self.cursor.since(start.at()).to_owned();
        self.add(start.at(), What::Bad(said, "Python code".into()), false);
        true
    }

    fn late(&mut self) -> bool {
        let mut ahead = self.cursor;
        let start = ahead.at();
        if !ahead.eat("@@") {
            return false;
        }
        let Some(name) = ahead.eat_name() else { return false };
        if !ahead.eat("@@") {
            return false;
        }
        self.cursor = ahead;
        self.add(start, What::Late(name.to_owned()), false);
        true
    }
}
