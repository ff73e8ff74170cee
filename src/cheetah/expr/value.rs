//! A value, and what is taken of it: attributes, calls, items.

use super::token::Token;
use super::{DEPTH, Expr, Read, Reader};

impl Reader<'_> {
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
