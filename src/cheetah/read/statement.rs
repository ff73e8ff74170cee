//! What a directive says, by its name.

use super::{LONGEST, Reading, too_long};
use crate::cheetah::expr::{Expr, Reader, Unread};
use crate::cheetah::item::What;

impl<'s> Reading<'s> {
    pub(super) fn said(&mut self, name: &'s str) -> Result<(What, bool), Unread> {
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
