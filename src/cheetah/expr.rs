//! Expressions as Cheetah takes them: Python with `$` before names.

use super::cursor::Cursor;

/// How deep one may nest.
const DEPTH: usize = 48;

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Name(String),
    Number(String),
    Text(String),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    Call(Box<Expr>, Vec<Expr>, Vec<(String, Expr)>),
    Unary(&'static str, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    /// `then if test else otherwise`
    Choice {
        test: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
}

/// What can not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    pub at: usize,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
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
const ASSIGNS: [&str; 6] = ["=", "+=", "-=", "*=", "/=", "%="];

type Read<T> = Result<T, Unread>;

/// Reads expressions from a place on; the end of the line ends one, unless a bracket is open.
pub struct Reader<'s> {
    pub cursor: Cursor<'s>,
    open: usize,
    depth: usize,
}

impl<'s> Reader<'s> {
    pub fn new(cursor: Cursor<'s>) -> Self {
        Reader { cursor, open: 0, depth: 0 }
    }

    /// Within brackets that are open already: lines do not end it.
    pub fn within(cursor: Cursor<'s>) -> Self {
        Reader { cursor, open: 1, depth: 0 }
    }

    fn unread<T>(&self, why: impl Into<String>) -> Read<T> {
        Err(Unread { at: self.cursor.at(), why: why.into() })
    }

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

    fn token(&mut self) -> Read<Token> {
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
            Some(c) if super::cursor::begins_name(c) => {
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

    fn peek(&mut self) -> Read<Token> {
        let before = self.cursor;
        let token = self.token();
        self.cursor = before;
        token
    }

    fn is(&mut self, sign: &'static str) -> Read<bool> {
        Ok(self.peek()? == Token::Sign(sign))
    }

    fn eat(&mut self, sign: &'static str) -> Read<bool> {
        let there = self.is(sign)?;
        if there {
            self.token()?;
        }
        Ok(there)
    }

    fn word(&mut self, word: &str) -> Read<bool> {
        let there = self.peek()? == Token::Name(word.to_owned());
        if there {
            self.token()?;
        }
        Ok(there)
    }

    fn need(&mut self, sign: &'static str) -> Read<()> {
        match self.eat(sign)? {
            true => Ok(()),
            false => self.unread(format!("{sign} is missing")),
        }
    }

    /// Whether nothing of it is left in this line or tag.
    pub fn is_over(&mut self) -> Read<bool> {
        Ok(self.peek()? == Token::End)
    }

    /// `then`, of `#if a then b else c`.
    pub fn is_then(&mut self) -> Read<bool> {
        self.word("then")
    }

    pub fn is_else(&mut self) -> Read<bool> {
        self.word("else")
    }

    pub fn is_in(&mut self) -> Read<bool> {
        self.word("in")
    }

    pub fn eat_colon(&mut self) -> Read<bool> {
        self.eat(":")
    }

    /// The sign of an assignment.
    pub fn assignment(&mut self) -> Read<&'static str> {
        match self.token()? {
            Token::Sign(sign) if ASSIGNS.contains(&sign) => Ok(sign),
            _ => self.unread("= is missing"),
        }
    }

    pub fn name(&mut self) -> Read<String> {
        match self.token()? {
            Token::Name(name) => Ok(name),
            _ => self.unread("a name is missing"),
        }
    }

    pub fn is_open_parenthesis(&mut self) -> Read<bool> {
        self.is("(")
    }

    /// Names in brackets or with commas: what an assignment or a loop gives its values to.
    pub fn targets(&mut self) -> Read<Vec<Expr>> {
        let first = self.postfix()?;
        let mut all = vec![first];
        while self.eat(",")? {
            all.push(self.postfix()?);
        }
        Ok(match all.as_slice() {
            [Expr::List(inner) | Expr::Tuple(inner)] => inner.clone(),
            _ => all,
        })
    }

    /// `a, b` is a tuple here.
    pub fn expressions(&mut self) -> Read<Expr> {
        let first = self.expression()?;
        if !self.is(",")? {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.eat(",")? {
            if self.is_over()? {
                break;
            }
            all.push(self.expression()?);
        }
        Ok(Expr::Tuple(all))
    }

    pub fn expression(&mut self) -> Read<Expr> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH {
            return self.unread(format!("an expression that nests more than {DEPTH} deep"));
        }
        let then = self.or();
        let read = then.and_then(|then| {
            if !self.word("if")? {
                return Ok(then);
            }
            let test = self.or()?;
            if !self.word("else")? {
                return self.unread("else is missing");
            }
            let otherwise = self.expression()?;
            Ok(Expr::Choice { test: Box::new(test), then: Box::new(then), otherwise: Box::new(otherwise) })
        });
        self.depth = self.depth.saturating_sub(1);
        read
    }

    fn or(&mut self) -> Read<Expr> {
        let mut left = self.and()?;
        while self.word("or")? {
            left = Expr::Binary("or", Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Read<Expr> {
        let mut left = self.not()?;
        while self.word("and")? {
            left = Expr::Binary("and", Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Read<Expr> {
        let mut count = 0_usize;
        while self.word("not")? {
            count = count.saturating_add(1);
        }
        let read = self.comparison()?;
        Ok(match count {
            0 => read,
            odd if odd % 2 == 1 => Expr::Unary("not", Box::new(read)),
            _ => Expr::Unary("not", Box::new(Expr::Unary("not", Box::new(read)))),
        })
    }

    fn comparing(&mut self) -> Read<Option<&'static str>> {
        let before = self.cursor;
        Ok(match self.token()? {
            Token::Sign("<>") => Some("!="),
            Token::Sign(sign @ ("==" | "!=" | "<=" | ">=" | "<" | ">")) => Some(sign),
            Token::Name(name) if name == "in" => Some("in"),
            Token::Name(name) if name == "is" => Some(if self.word("not")? { "!=" } else { "==" }),
            Token::Name(name) if name == "not" && self.word("in")? => Some("not in"),
            _ => {
                self.cursor = before;
                None
            }
        })
    }

    /// `a < b < c` is both.
    fn comparison(&mut self) -> Read<Expr> {
        let mut left = self.sum()?;
        let mut all: Option<Expr> = None;
        while let Some(sign) = self.comparing()? {
            let right = self.sum()?;
            let one = Expr::Binary(sign, Box::new(left), Box::new(right.clone()));
            left = right;
            all = Some(match all {
                None => one,
                Some(before) => Expr::Binary("and", Box::new(before), Box::new(one)),
            });
        }
        Ok(all.unwrap_or(left))
    }

    fn sum(&mut self) -> Read<Expr> {
        let mut left = self.product()?;
        loop {
            let sign = match self.peek()? {
                Token::Sign(sign @ ("+" | "-")) => sign,
                Token::Sign(sign @ ("|" | "&" | "^" | "<<" | ">>")) => {
                    return self.unread(format!("the operator {sign} is not converted"));
                }
                _ => return Ok(left),
            };
            self.token()?;
            left = Expr::Binary(sign, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Read<Expr> {
        let mut left = self.unary()?;
        loop {
            let sign = match self.peek()? {
                Token::Sign(sign @ ("*" | "/" | "//" | "%")) => sign,
                _ => return Ok(left),
            };
            self.token()?;
            left = Expr::Binary(sign, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Read<Expr> {
        let is_minus = self.eat("-")?;
        if !is_minus && self.is("~")? {
            return self.unread("the operator ~ is not converted");
        }
        let base = self.postfix()?;
        let base = match self.eat("**")? {
            true => Expr::Binary("**", Box::new(base), Box::new(self.postfix()?)),
            false => base,
        };
        Ok(if is_minus { Expr::Unary("-", Box::new(base)) } else { base })
    }

    /// A value, with what is taken of it.
    pub fn postfix(&mut self) -> Read<Expr> {
        let mut value = self.atom()?;
        let mut length = 0_usize;
        loop {
            length = length.saturating_add(1);
            if length > DEPTH {
                return self.unread(format!("an expression that goes on more than {DEPTH} times"));
            }
            // A blank ends nothing in Python, but what follows a value is written next to it.
            value = match self.peek()? {
                Token::Sign(".") => {
                    self.token()?;
                    Expr::Attribute(Box::new(value), self.name()?)
                }
                Token::Sign("(") => self.call(value)?,
                Token::Sign("[") => self.item(value)?,
                _ => return Ok(value),
            };
        }
    }

    pub fn call(&mut self, callee: Expr) -> Read<Expr> {
        self.need("(")?;
        self.open = self.open.saturating_add(1);
        let (mut args, mut named) = (Vec::new(), Vec::new());
        while !self.is(")")? {
            let before = self.cursor;
            let name = match self.token()? {
                Token::Name(name) if self.eat("=")? => Some(name),
                Token::Sign("*" | "**") => return self.unread("* and ** of arguments are not converted"),
                _ => None,
            };
            match name {
                Some(name) => named.push((name, self.expression()?)),
                None => {
                    self.cursor = before;
                    args.push(self.expression()?);
                }
            }
            if !self.eat(",")? {
                break;
            }
        }
        if self.word("for")? {
            return self.unread("a comprehension is not converted");
        }
        self.close(")")?;
        Ok(Expr::Call(Box::new(callee), args, named))
    }

    /// What stands behind it is outside again: the end of a line counts.
    fn close(&mut self, sign: &'static str) -> Read<()> {
        self.need(sign)?;
        self.open = self.open.saturating_sub(1);
        Ok(())
    }

    pub fn item(&mut self, of: Expr) -> Read<Expr> {
        self.need("[")?;
        self.open = self.open.saturating_add(1);
        let from = if self.is(":")? { None } else { Some(Box::new(self.expression()?)) };
        let taken = match self.eat(":")? {
            true => {
                let to = if self.is("]")? { None } else { Some(Box::new(self.expression()?)) };
                Expr::Slice(Box::new(of), from, to)
            }
            false => match from {
                Some(index) => Expr::Item(Box::new(of), index),
                None => return self.unread("an index is missing"),
            },
        };
        if self.is(":")? {
            return self.unread("a slice with a step is not converted");
        }
        self.close("]")?;
        Ok(taken)
    }

    fn atom(&mut self) -> Read<Expr> {
        match self.token()? {
            Token::Name(name) if name == "lambda" => self.unread("lambda is not converted"),
            Token::Name(name) if matches!(name.as_str(), "if" | "else" | "and" | "or" | "in" | "for") => {
                self.unread(format!("a value is missing before {name}"))
            }
            Token::Name(name) => Ok(Expr::Name(name)),
            Token::Number(number) => self.number(&number),
            Token::Text(mut text) => {
                // Texts side by side are one.
                while let Token::Text(more) = self.peek()? {
                    self.token()?;
                    text += &more;
                }
                Ok(Expr::Text(text))
            }
            Token::Sign("(") => self.tuple(),
            Token::Sign("[") => self.list(),
            Token::Sign("{") => self.map(),
            Token::Sign(sign) => self.unread(format!("{sign} begins no value")),
            Token::End => self.unread("a value is missing"),
        }
    }

    fn number(&self, number: &str) -> Read<Expr> {
        let plain = number.chars().all(|c| c.is_ascii_digit() || c == '.') && number.matches('.').count() < 2;
        match plain {
            true => Ok(Expr::Number(number.to_owned())),
            false => self.unread(format!("the number {number} is not converted")),
        }
    }

    fn tuple(&mut self) -> Read<Expr> {
        self.open = self.open.saturating_add(1);
        let (mut all, mut commas) = (Vec::new(), false);
        while !self.is(")")? {
            all.push(self.expression()?);
            if !self.eat(",")? {
                break;
            }
            commas = true;
        }
        self.close(")")?;
        match all.len() {
            1 if !commas => all.pop().map_or_else(|| self.unread("a value is missing"), Ok),
            _ => Ok(Expr::Tuple(all)),
        }
    }

    fn list(&mut self) -> Read<Expr> {
        self.open = self.open.saturating_add(1);
        let mut all = Vec::new();
        while !self.is("]")? {
            all.push(self.expression()?);
            if self.word("for")? {
                return self.unread("a comprehension is not converted");
            }
            if !self.eat(",")? {
                break;
            }
        }
        self.close("]")?;
        Ok(Expr::List(all))
    }

    fn map(&mut self) -> Read<Expr> {
        self.open = self.open.saturating_add(1);
        let mut all = Vec::new();
        while !self.is("}")? {
            let key = self.expression()?;
            self.need(":")?;
            all.push((key, self.expression()?));
            if !self.eat(",")? {
                break;
            }
        }
        self.close("}")?;
        Ok(Expr::Map(all))
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

impl Reader<'_> {
    /// `else if`, as Cheetah also writes `elif`.
    pub fn is_else_if(&mut self) -> bool {
        self.word("if").unwrap_or(false)
    }

    pub fn assignment_follows(&mut self) -> Result<bool, Unread> {
        Ok(matches!(self.peek()?, Token::Sign(sign) if ASSIGNS.contains(&sign)))
    }
}
