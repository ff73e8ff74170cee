//! Expressions as Cheetah takes them: Python with `$` before names.

mod operator;
mod token;
mod value;

use super::cursor::Cursor;
use token::{ASSIGNS, Token};

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

    /// `else if`, as Cheetah also writes `elif`.
    pub fn is_else_if(&mut self) -> bool {
        self.word("if").unwrap_or(false)
    }

    pub fn assignment_follows(&mut self) -> Result<bool, Unread> {
        Ok(matches!(self.peek()?, Token::Sign(sign) if ASSIGNS.contains(&sign)))
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
}
