//! A place in a template: what stands there, and in which line and column that is.

/// Cloned to look ahead.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'s> {
    text: &'s str,
    at: usize,
}

impl<'s> Cursor<'s> {
    pub fn new(text: &'s str) -> Self {
        Cursor { text, at: 0 }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn moved_to(mut self, at: usize) -> Self {
        self.at = at.min(self.text.len());
        self
    }

    pub fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// From an earlier place to here.
    pub fn since(&self, start: usize) -> &'s str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(c.len_utf8());
        Some(c)
    }

    pub fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    /// Goes over it, if it is there.
    pub fn eat(&mut self, with: &str) -> bool {
        let there = self.starts(with);
        if there {
            self.at = self.at.saturating_add(with.len());
        }
        there
    }

    pub fn eat_while(&mut self, fits: impl Fn(char) -> bool) -> &'s str {
        let start = self.at;
        let rest = self.rest();
        self.at = self.at.saturating_add(rest.find(|c| !fits(c)).unwrap_or(rest.len()));
        self.since(start)
    }

    /// Blanks of a line.
    pub fn eat_blanks(&mut self) {
        self.eat_while(is_blank);
    }

    pub fn eat_line_end(&mut self) -> bool {
        self.eat("\r\n") || self.eat("\n") || self.eat("\r")
    }

    /// Whether nothing but blanks stands in front of this place in its line.
    pub fn is_first(&self) -> bool {
        let before = self.text.get(..self.at).unwrap_or_default().trim_end_matches(is_blank);
        before.is_empty() || before.ends_with(['\n', '\r'])
    }

    /// The same, of which no more than so many bytes can be read.
    pub fn within(mut self, bytes: usize) -> Self {
        let mut end = self.at.saturating_add(bytes).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        self.text = self.text.get(..end).unwrap_or_default();
        self
    }

    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub fn is_escaped(&self) -> bool {
        self.text.get(..self.at).unwrap_or_default().ends_with('\\')
    }

    /// A Python name.
    pub fn eat_name(&mut self) -> Option<&'s str> {
        self.peek().filter(|c| begins_name(*c))?;
        Some(self.eat_while(|c| begins_name(c) || c.is_ascii_digit()))
    }
}

pub fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

pub fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// Where lines begin: so that a place is told without counting from the front each time.
pub struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &str) -> Lines {
        let behind = text.match_indices('\n').map(|(at, _)| at.saturating_add(1));
        Lines(std::iter::once(0).chain(behind).collect())
    }

    /// Line and column, both from 1; columns are bytes.
    pub fn place(&self, at: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|index| self.0.get(index)).copied().unwrap_or_default();
        (line, at.saturating_sub(start).saturating_add(1))
    }
}
