//! A template of Cheetah's, taken apart by its own rules of where directives begin and what of a line they take with them.

use super::cursor::{Cursor, begins_name};
use super::expr::{Expr, Reader, Unread};
use super::item::{Block, Item, What};

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

    fn placeholder(&mut self) -> bool {
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

    fn directive(&mut self) -> bool {
        let start = self.cursor;
        let mut ahead = start;
        if start.is_escaped() || !ahead.eat("#") {
            return false;
        }
        let Some(name) = directive(ahead) else { return false };
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
        let is_followed = second.eat("##") && directive(second).is_some();
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
            let kept = self.text.trim_end_matches(super::cursor::is_blank).len();
            self.text.truncate(kept);
        }
        let began = self.cursor.at();
        let rest = self.cursor.rest();
        let ends = rest.match_indices("#end").find_map(|(at, _)| {
            let behind = rest.get(at..)?.strip_prefix("#end")?.trim_start_matches(super::cursor::is_blank);
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
            text.truncate(text.trim_end_matches(super::cursor::is_blank).len());
        }
        self.cursor = end;
        self.cursor.eat("#end");
        self.cursor.eat_blanks();
        self.cursor.eat("raw");
        self.rest_of_tag(end_is_first);
        self.add(start.at(), What::Raw(text), false);
    }

    fn said(&mut self, name: &'s str) -> Result<(What, bool), Unread> {
        let start = self.cursor;
        let mut reader = Reader::new(start.within(LONGEST));
        let what = match name {
            "if" => condition(&mut reader, What::If)?,
            "unless" => condition(&mut reader, |test| What::If(Expr::Unary("not", Box::new(test))))?,
            "elif" => condition(&mut reader, What::Elif)?,
            "else" if reader.is_else_if() => condition(&mut reader, What::Elif)?,
            "else" => What::Else,
            "for" => {
                let targets = reader.targets()?;
                if !reader.is_in()? {
                    return Err(Unread { at: reader.cursor.at(), why: "in is missing".into() });
                }
                What::For(targets, reader.expressions()?)
            }
            "set" => set(&mut reader)?,
            "attr" => {
                let name = reader.name()?;
                reader.assignment()?;
                What::Attribute(name, reader.expressions()?)
            }
            "def" => definition(&mut reader)?,
            "echo" => What::Echo(reader.expressions()?),
            "silent" => What::Silent(reader.expressions()?),
            "break" => What::Break,
            "continue" => What::Continue,
            "pass" | "errorCatcher" | "encoding" => {
                reader.cursor.eat_while(|c| !matches!(c, '\n' | '\r' | '#'));
                What::Nothing
            }
            "import" | "from" => {
                let said = reader.cursor.eat_while(|c| !matches!(c, '\n' | '\r' | '#')).trim();
                What::Import(said.split_whitespace().next().unwrap_or_default().to_owned())
            }
            other => return Err(Unread { at: start.at(), why: format!("the directive #{other}") }),
        };
        let mut short = false;
        if matches!(name, "if" | "unless" | "elif" | "else" | "for" | "def") && reader.eat_colon()? {
            let mut ahead = reader.cursor;
            ahead.eat_blanks();
            short = !matches!(ahead.peek(), None | Some('\n' | '\r' | '#'));
        }
        if !short && !reader.is_over()? {
            return Err(Unread { at: reader.cursor.at(), why: "more stands there than the expression".into() });
        }
        self.cursor = start.moved_to(reader.cursor.at());
        if reader.cursor.is_at_end() && !self.cursor.is_at_end() {
            return Err(too_long(start));
        }
        Ok((what, short))
    }
}

/// The directive that is named here.
fn directive(cursor: Cursor<'_>) -> Option<&'static str> {
    let found = DIRECTIVES.into_iter().find(|name| cursor.starts(name))?;
    let mut behind = cursor;
    behind.eat(found);
    behind.peek().is_none_or(|c| !(begins_name(c) || c.is_ascii_digit() || c == '-')).then_some(found)
}

fn condition(reader: &mut Reader<'_>, say: impl Fn(Expr) -> What) -> Result<What, Unread> {
    let test = reader.expressions()?;
    if !reader.is_then()? {
        return Ok(say(test));
    }
    let then = reader.expression()?;
    if !reader.is_else()? {
        return Err(Unread { at: reader.cursor.at(), why: "else is missing".into() });
    }
    let otherwise = reader.expression()?;
    match say(test.clone()) {
        What::If(test) => Ok(What::OneLine(test, then, otherwise)),
        _ => Err(Unread { at: reader.cursor.at(), why: "then stands where only #if has one".into() }),
    }
}

fn set(reader: &mut Reader<'_>) -> Result<What, Unread> {
    let before = reader.cursor;
    let mut is_global = false;
    if reader.name().is_ok_and(|name| name == "global" || name == "module") {
        is_global = !matches!(reader.assignment_follows(), Ok(true));
    }
    if !is_global {
        reader.cursor = before;
    }
    let target = reader.targets()?;
    let sign = reader.assignment()?;
    let value = reader.expressions()?;
    let plain = target.iter().all(|one| matches!(one, Expr::Name(_)));
    match plain {
        true => Ok(What::Set { target, sign, value, is_global }),
        false => Err(Unread {
            at: before.at(),
            why: "an element or a part of a value is set: templates can not do that".into(),
        }),
    }
}

fn definition(reader: &mut Reader<'_>) -> Result<What, Unread> {
    let name = reader.name()?;
    let mut parameters = Vec::new();
    if reader.is_open_parenthesis()? {
        let Expr::Call(_, args, named) = reader.call(Expr::Name(name.clone()))? else {
            unreachable!("call gives calls")
        };
        for arg in args {
            match arg {
                Expr::Name(parameter) => parameters.push((parameter, None)),
                _ => return Err(Unread { at: reader.cursor.at(), why: "a parameter is no name".into() }),
            }
        }
        parameters.extend(named.into_iter().map(|(name, value)| (name, Some(value))));
    }
    Ok(What::Macro(name, parameters))
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
