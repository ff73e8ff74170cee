//! Item after item in our language.

use super::remark::excerpt;
use super::{Converted, Known};
use crate::cheetah::cursor::Lines;
use crate::cheetah::expr::Expr;
use crate::cheetah::item::{Block, Item, What};
use crate::cheetah::names::GIVEN;
use crate::cheetah::say::Names;
use crate::cheetah::scope;
use std::collections::BTreeSet;

/// Names that are functions, or words of the language.
const WORDS: [&str; 24] = [
    "True",
    "False",
    "None",
    "getVar",
    "varExists",
    "hasVar",
    "str",
    "unicode",
    "int",
    "float",
    "len",
    "list",
    "sorted",
    "reversed",
    "bool",
    "min",
    "max",
    "abs",
    "range",
    "SNIPPET",
    "re",
    "time",
    "random",
    "netaddr",
];

pub struct Writing<'a> {
    pub(super) place: &'a str,
    pub(super) lines: Lines,
    pub(super) known: &'a Known,
    pub(super) names: Names<'a>,
    pub(super) set: &'a BTreeSet<String>,
    pub(super) done: Converted,
    /// Text that is still to be written: two parts of it may make up a sign of ours.
    pub(super) plain: String,
    /// What was written last is a tag within a line.
    pub(super) after_tag: bool,
}

impl Writing<'_> {
    /// What outlives loops.
    pub(super) fn begin(&mut self, kept: &BTreeSet<String>) {
        let given = kept.iter().filter(|name| self.is_known(name));
        let given: Vec<String> = given.map(|name| format!("{name}={name}|default(\"\")")).collect();
        self.done.text.push_str(&format!("{{% set kept = namespace({}) %}}\n", given.join(", ")));
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        GIVEN.contains(&name) || self.known.names.contains_key(name)
    }

    pub(super) fn is_there(&self, name: &str) -> bool {
        self.is_known(name) || self.set.contains(name) || WORDS.contains(&name)
    }

    pub(super) fn item(&mut self, item: &Item) {
        match self.said(item) {
            Ok(()) => {}
            Err(why) => self.bad(item, &excerpt(item), &why),
        }
    }

    fn said(&mut self, item: &Item) -> Result<(), String> {
        let mut missing = Vec::new();
        scope::uses(&item.what, &mut |name| {
            if !self.is_there(name) && !matches!(item.what, What::Placeholder(Expr::Name(_), _)) {
                missing.push(name.to_owned());
            }
        });
        match &item.what {
            What::Text(text) => self.text(text),
            What::Raw(text) => self.raw(text)?,
            What::Placeholder(read, raw) => self.placeholder(item, read, raw, std::mem::take(&mut missing))?,
            What::Late(name) => {
                let said = self.names.name(name)?;
                self.out(&said);
            }
            What::Comment(text) => self.comment(item, text),
            What::If(test) => self.tag(item, &format!("if {}", self.names.say(test)?)),
            What::Elif(test) => self.tag(item, &format!("elif {}", self.names.say(test)?)),
            What::Else => self.tag(item, "else"),
            What::End(block) => self.tag(item, ends(*block)),
            What::For(targets, of) => {
                let targets: Vec<String> = targets.iter().filter_map(scope::name).collect();
                for name in &targets {
                    self.names.settable(name)?;
                }
                if let Some(name) = targets.iter().find(|name| self.names.kept.contains(*name)) {
                    let why = format!("{name}, which the loop sets, is read behind it: templates forget it there");
                    self.remark(item, &excerpt(item), &why, false);
                }
                self.tag(item, &format!("for {} in {}", targets.join(", "), self.names.say(of)?));
                for name in targets.iter().filter(|name| self.names.kept.contains(*name)) {
                    self.done.text.push_str(&format!("{{% set kept.{name} = {name} %}}\n"));
                }
            }
            What::Set { target, sign, value, is_global } => self.set(item, target, sign, value, *is_global)?,
            What::Attribute(name, value) => {
                self.names.settable(name)?;
                let (name, value) = (self.names.name(name)?, self.names.say(value)?);
                self.tag(item, &format!("set {name} = {name}|default({value})"));
            }
            What::Macro(name, parameters) => {
                for name in std::iter::once(name).chain(parameters.iter().map(|(name, _)| name)) {
                    self.names.settable(name)?;
                }
                let said = |(name, value): &(String, Option<Expr>)| match value {
                    None => Ok(name.clone()),
                    Some(value) => Ok(format!("{name}={}", self.names.say(value)?)),
                };
                let all: Vec<String> = parameters.iter().map(said).collect::<Result<_, String>>()?;
                self.tag(item, &format!("macro {name}({})", all.join(", ")));
            }
            What::Echo(read) => {
                let said = self.names.say(read)?;
                self.out(&said);
            }
            What::Silent(read) => {
                let said = self.names.say(read)?;
                self.tag(item, &format!("set _ = {said}"));
            }
            What::OneLine(test, then, otherwise) => {
                let said = [then, test, otherwise].map(|one| self.names.operand(one));
                let [then, test, otherwise] = said;
                let said = format!("{} if {} else {}", then?, test?, otherwise?);
                self.out(&said);
            }
            What::Break => self.tag(item, "break"),
            What::Continue => self.tag(item, "continue"),
            What::Import(_) | What::Nothing => {}
            What::Bad(text, why) => self.bad(item, text, why),
        }
        for name in missing {
            let why =
                format!("{name} is nothing that Cobbler gives or the data has: rendering stops here if it is reached");
            self.remark(item, &excerpt(item), &why, false);
        }
        Ok(())
    }

    fn set(&mut self, item: &Item, target: &[Expr], sign: &str, value: &Expr, is_global: bool) -> Result<(), String> {
        let names: Vec<String> = target.iter().filter_map(scope::name).collect();
        let kept = names.iter().any(|name| self.names.kept.contains(name));
        if let Some(name) = names.iter().find(|name| self.names.settable(name).is_err()) {
            return Err(format!("{name} means something else in our templates"));
        }
        let value_said = self.names.say(value)?;
        match (names.as_slice(), sign) {
            ([name], "=") => self.tag(item, &format!("set {} = {value_said}", self.target(name))),
            ([name], _) => {
                let sign = sign.trim_end_matches('=');
                let value = self.names.operand(value)?;
                self.tag(item, &format!("set {} = {} {sign} {value}", self.target(name), self.target(name)));
            }
            (names, "=") if !kept => self.tag(item, &format!("set {} = {value_said}", names.join(", "))),
            (names, "=") => {
                // Only plain names can be given parts of a value.
                self.tag(item, &format!("set {} = {value_said}", names.join(", ")));
                for name in names.iter().filter(|name| self.names.kept.contains(*name)) {
                    self.flush();
                    self.done.text.push_str(&format!("{{% set kept.{name} = {name} %}}\n"));
                }
            }
            _ => return Err(format!("{sign} of several names")),
        }
        if is_global && self.place.contains("snippets/") {
            self.remark(
                item,
                &excerpt(item),
                "it is set in this snippet alone: templates that include it do not see it",
                false,
            );
        }
        Ok(())
    }

    fn target(&self, name: &str) -> String {
        match self.names.kept.contains(name) {
            true => format!("kept.{name}"),
            false => name.to_owned(),
        }
    }
}

fn ends(block: Block) -> &'static str {
    match block {
        Block::If | Block::LastWay => "endif",
        Block::For => "endfor",
        Block::Macro => "endmacro",
        Block::Other => "",
    }
}
