//! XML as lists of packages have it, read as it comes: elements, attributes and texts, with a limit on each, and no entities of its own.

use crate::import::Error;
use std::io::{BufRead, BufReader, Read};

/// The longest tag of a real list has 300 bytes.
const LONGEST_TAG: usize = 16 << 10;
/// Of a text so much is kept: what is asked for has 128 digits.
const LONGEST_TEXT: usize = 4 << 10;
const DEEPEST: usize = 32;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An element begins: [`Xml::path`] ends with it, [`Xml::attribute`] is of it.
    Start,
    /// It ends: [`Xml::path`] ends with it still, [`Xml::text`] is what stood in it behind its last element.
    End,
}

pub struct Xml<R: Read> {
    what: String,
    bytes: BufReader<R>,
    path: Vec<String>,
    /// Between `<` and `>`.
    tag: Vec<u8>,
    text: Vec<u8>,
    /// What was told last: an end is taken from the path when the next one is asked for.
    ended: bool,
    /// `<a/>` was told to begin.
    is_empty: bool,
}

impl<R: Read> Xml<R> {
    pub fn new(what: &str, reader: R) -> Xml<R> {
        let bytes = BufReader::with_capacity(64 << 10, reader);
        let (path, tag, text) = (Vec::new(), Vec::new(), Vec::new());
        Xml { what: what.to_owned(), bytes, path, tag, text, ended: false, is_empty: false }
    }

    /// None: all of it was read.
    pub fn event(&mut self) -> Result<Option<Event>, Error> {
        if std::mem::take(&mut self.ended) {
            self.path.pop();
        }
        if std::mem::take(&mut self.is_empty) {
            return Ok(Some(self.end()));
        }
        loop {
            if !self.until_tag()? {
                return match self.path.is_empty() {
                    true => Ok(None),
                    false => Err(self.unfit("ends in the middle")),
                };
            }
            match self.tag.first() {
                Some(b'?') => {}
                Some(b'!') => self.declaration()?,
                Some(b'/') => return self.closed().map(Some),
                _ => return self.opened().map(Some),
            }
        }
    }

    /// Whether the element has this way from the top.
    pub fn at(&self, path: &[&str]) -> bool {
        self.path.len() == path.len() && self.path.iter().zip(path).all(|(name, wanted)| name == wanted)
    }

    /// Without what is around it.
    pub fn text(&self) -> Option<String> {
        plain(String::from_utf8_lossy(&self.text).trim())
    }

    /// Of the element that begins; None: it has no such one, or one that names entities.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let tag = String::from_utf8_lossy(&self.tag);
        let mut rest = tag.split_once(char::is_whitespace)?.1;
        loop {
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, behind) = after.get(1..)?.split_once(quote)?;
            if key.trim() == name {
                return plain(value);
            }
            rest = behind;
        }
    }

    fn opened(&mut self) -> Result<Event, Error> {
        self.is_empty = self.tag.last() == Some(&b'/');
        if self.is_empty {
            self.tag.pop();
        }
        let end = self.tag.iter().position(u8::is_ascii_whitespace).unwrap_or(self.tag.len());
        let name = String::from_utf8_lossy(self.tag.get(..end).unwrap_or_default()).into_owned();
        if name.is_empty() || self.path.len() >= DEEPEST {
            return Err(self.unfit("is no list of packages: its elements lie deeper than any list's, or have no name"));
        }
        self.path.push(name);
        self.text.clear();
        Ok(Event::Start)
    }

    fn closed(&mut self) -> Result<Event, Error> {
        let name = String::from_utf8_lossy(self.tag.get(1..).unwrap_or_default()).trim_end().to_owned();
        match self.path.last() == Some(&name) {
            true => Ok(self.end()),
            false => Err(self.unfit("is damaged: an element ends that did not begin")),
        }
    }

    fn end(&mut self) -> Event {
        self.ended = true;
        Event::End
    }

    /// Reads what stands before the next tag, and the tag. False: there is none.
    fn until_tag(&mut self) -> Result<bool, Error> {
        let text = &mut self.text;
        let found = until(&mut self.bytes, b'<', &mut |part| {
            let room = LONGEST_TEXT.saturating_sub(text.len());
            text.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        });
        if !found.map_err(Error::reading(&self.what))? {
            return Ok(false);
        }
        self.tag.clear();
        match self.more()? {
            true => Ok(true),
            false => Err(self.unfit("ends in the middle")),
        }
    }

    /// Up to the next `>`, which stands in no attribute of a list.
    fn more(&mut self) -> Result<bool, Error> {
        let (tag, mut is_short) = (&mut self.tag, true);
        let found = until(&mut self.bytes, b'>', &mut |part| {
            is_short = is_short && tag.len().saturating_add(part.len()) <= LONGEST_TAG;
            if is_short {
                tag.extend_from_slice(part);
            }
        });
        let found = found.map_err(Error::reading(&self.what))?;
        match is_short {
            true => Ok(found),
            false => Err(self.unfit("has a tag that is longer than any list's")),
        }
    }

    /// A comment is passed over; what declares entities, or hides tags, is in no list.
    fn declaration(&mut self) -> Result<(), Error> {
        if !self.tag.starts_with(b"!--") {
            return Err(self.unfit("declares types or sections of its own: no list of packages does"));
        }
        while self.tag.len() < 5 || !self.tag.ends_with(b"--") {
            self.tag.push(b'>');
            // Of a long comment its end is enough.
            let kept = self.tag.len().saturating_sub(8);
            self.tag.drain(3.min(kept)..kept);
            if !self.more()? {
                return Err(self.unfit("ends in the middle"));
            }
        }
        Ok(())
    }

    fn unfit(&self, why: &str) -> Error {
        Error::unfit(self.what.clone(), why)
    }
}

/// Gives away what stands before a byte, and passes over that. False: it did not come.
pub fn until(bytes: &mut impl BufRead, wanted: u8, give: &mut dyn FnMut(&[u8])) -> std::io::Result<bool> {
    loop {
        let part = match bytes.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            part => part?,
        };
        if part.is_empty() {
            return Ok(false);
        }
        let at = part.iter().position(|byte| *byte == wanted);
        give(part.get(..at.unwrap_or(part.len())).unwrap_or_default());
        let used = at.map_or(part.len(), |at| at.saturating_add(1));
        bytes.consume(used);
        if at.is_some() {
            return Ok(true);
        }
    }
}

/// The five entities that everybody has, and characters by their number. None: another one.
fn plain(text: &str) -> Option<String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (name, behind) = after.split_once(';')?;
        whole.push_str(before);
        whole.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => numbered(name)?,
        });
        rest = behind;
    }
    whole.push_str(rest);
    Some(whole)
}

fn numbered(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let number = match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(number)
}
