//! Operators, from the loosest to the tightest.

use super::token::Token;
use super::{DEPTH, Expr, Read, Reader};

impl Reader<'_> {
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
}
