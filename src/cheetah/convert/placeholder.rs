//! What a name, a snippet or `@@name@@` in a text becomes.

use super::writing::Writing;
use crate::cheetah::FOLDER;
use crate::cheetah::expr::Expr;
use crate::cheetah::item::Item;
use crate::cheetah::names::{GIVEN, ours};
use crate::cheetah::say::quoted;

impl Writing<'_> {
    /// Cobbler fills in `@@name@@` last, so here, too.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        while let Some((before, name, behind)) = late(rest) {
            if self.is_there(name) {
                self.text(before);
                let said = self.names.name(name)?;
                let sometimes = self.known.names.get(name) == Some(&false) && !GIVEN.contains(&name);
                let default = format!("{said}|default({})", quoted(&format!("@@{name}@@")));
                self.out(if sometimes { &default } else { &said });
                rest = behind;
            } else {
                let end = rest.len().saturating_sub(behind.len()).saturating_sub(2);
                let (before, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
                self.text(before);
                rest = behind;
            }
        }
        self.text(rest);
        Ok(())
    }

    pub(super) fn placeholder(
        &mut self,
        item: &Item,
        read: &Expr,
        raw: &str,
        missing: Vec<String>,
    ) -> Result<(), String> {
        if let Expr::Call(of, args, _) = read
            && matches!(&**of, Expr::Name(name) if name == "SNIPPET")
        {
            return self.snippet(item, args, raw);
        }
        if let Expr::Name(name) = read {
            if !self.is_there(name) {
                let why = format!("left as it is, as Cobbler does: it gives no {name}, nor does the data");
                self.remark(item, raw, &why, false);
                self.text(raw);
                return Ok(());
            }
            let sometimes = self.known.names.get(name) == Some(&false) && !GIVEN.contains(&name.as_str());
            if sometimes && !self.set.contains(name) {
                let said = format!("{}|default({})", self.names.name(name)?, quoted(raw));
                self.out(&said);
                return Ok(());
            }
        } else if let Some(name) = missing.first() {
            // A name of the shell's: `${HOME}/bin` is one, too.
            let why = format!("left as it is, as Cobbler does: it gives no {name}, nor does the data");
            self.remark(item, raw, &why, false);
            self.text(raw);
            return Ok(());
        }
        let said = self.names.say(read)?;
        self.out(&said);
        Ok(())
    }

    fn snippet(&mut self, item: &Item, args: &[Expr], raw: &str) -> Result<(), String> {
        match args {
            [Expr::Text(name)] => {
                self.done.snippets.insert(name.clone());
                let is_there = self.known.snippets.as_ref().is_none_or(|all| all.contains(name));
                if !is_there && ours(name).is_none() {
                    self.remark(
                        item,
                        raw,
                        "there is no such snippet: a comment says so in the answer file, as Cobbler's does",
                        false,
                    );
                    self.text(&format!("# Error: no snippet data for {name}\n"));
                    return Ok(());
                }
                self.include(item, &quoted(&format!("snippets/{FOLDER}/{name}")));
            }
            [name] => {
                let said = self.names.operand(name)?;
                self.include(item, &format!("\"snippets/{FOLDER}/\" ~ {said}"));
            }
            _ => return Err("a snippet has one name".into()),
        }
        Ok(())
    }

    /// In a frame of its own: what a snippet sets is its own.
    fn include(&mut self, item: &Item, name: &str) {
        self.tag(item, &format!("with %}}{{% include {name} %}}{{% endwith"));
    }
}

/// What stands before the first `@@name@@`, the name, and what stands behind.
pub fn late(text: &str) -> Option<(&str, &str, &str)> {
    let fits = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.match_indices("@@").find_map(|(at, _)| {
        let (name, behind) = text.get(at.saturating_add(2)..)?.split_once("@@")?;
        fits(name).then_some((text.get(..at)?, name, behind))
    })
}
