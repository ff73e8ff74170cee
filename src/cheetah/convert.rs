//! From what a template is made of to ours, with a remark on whatever does not say the same.

use super::cursor::Lines;
use super::expr::Expr;
use super::item::{Block, Item, What};
use super::names::GIVEN;
use super::read::read;
use super::say::{Names, quoted};
use super::scope;
use std::collections::{BTreeMap, BTreeSet};

/// Below `templates/snippets/`, where converted snippets are.
pub const FOLDER: &str = "cobbler";
/// Bytes of a template that are looked at.
const LARGEST: usize = 1 << 20;

/// What is there beside the template.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Variables of the data; true: every machine has it.
    pub names: BTreeMap<String, bool>,
    /// Snippets; none: nobody knows which there are.
    pub snippets: Option<BTreeSet<String>>,
}

/// What is to be said of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub line: usize,
    pub column: usize,
    /// What stands there.
    pub text: String,
    pub why: String,
    /// Rendering stops there.
    pub stops: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Converted {
    pub text: String,
    pub remarks: Vec<Remark>,
    /// Snippets that it names.
    pub snippets: BTreeSet<String>,
}

/// Names that a template gives to those which include it, or that it includes.
pub fn gives(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in read(&plain(source)) {
        match item.what {
            What::Set { target, is_global: true, .. } => found.extend(target.iter().filter_map(scope::name)),
            What::Attribute(name, _) => drop(found.insert(name)),
            _ => {}
        }
    }
    found
}

/// What Cobbler does to a whole answer file at the end: AutoYaST takes no line before the first.
pub fn finished(text: String) -> String {
    match text.starts_with('\n') {
        true => text.trim_start().to_owned(),
        false => text,
    }
}

/// `place` names the file in what a template says where it stops.
pub fn convert(place: &str, source: &str, known: &Known) -> Converted {
    if source.len() > LARGEST {
        let why = format!("it has {} bytes, and {LARGEST} are read", source.len());
        let remarks = vec![Remark { line: 1, column: 1, text: String::new(), why, stops: true }];
        return Converted { remarks, ..Converted::default() };
    }
    let source = plain(source);
    let items = read(&source);
    let (kept, set, macros) = (scope::kept(&items), assigned(&items), macros(&items));
    let mut writing = Writing {
        place,
        lines: Lines::of(&source),
        known,
        names: Names { kept: &kept, macros: &macros },
        set: &set,
        done: Converted::default(),
        plain: String::new(),
        after_tag: false,
    };
    if !kept.is_empty() {
        writing.begin(&kept);
    }
    items.iter().for_each(|item| writing.item(item));
    writing.flush();
    writing.done
}

/// Cobbler's own spellings of what Cheetah says.
fn plain(source: &str) -> String {
    // Cobbler reads files as texts: their lines end in one way.
    let mut text = source.replace("\r\n", "\n").replace("TEMPLATE::", "$");
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-/.".contains(c);
    if text.contains("SNIPPET::") {
        let mut parts = text.split("SNIPPET::");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c| !fits(c)).unwrap_or(part.len());
            let (name, rest) = part.split_at_checked(end).unwrap_or((part, ""));
            match name.is_empty() {
                true => whole.push_str("SNIPPET::"),
                false => whole.push_str(&format!("$SNIPPET('{name}')")),
            }
            whole.push_str(rest);
        }
        text = whole;
    }
    text
}

fn assigned(items: &[Item]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in items {
        match &item.what {
            What::Set { target, .. } | What::For(target, _) => found.extend(target.iter().filter_map(scope::name)),
            What::Attribute(name, _) => drop(found.insert(name.clone())),
            What::Macro(name, parameters) => {
                found.insert(name.clone());
                found.extend(parameters.iter().map(|(name, _)| name.clone()));
            }
            What::Import(module) => drop(found.insert(module.clone())),
            _ => {}
        }
    }
    found
}

fn macros(items: &[Item]) -> BTreeSet<String> {
    let named = |item: &Item| match &item.what {
        What::Macro(name, _) => Some(name.clone()),
        _ => None,
    };
    items.iter().filter_map(named).collect()
}

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

struct Writing<'a> {
    place: &'a str,
    lines: Lines,
    known: &'a Known,
    names: Names<'a>,
    set: &'a BTreeSet<String>,
    done: Converted,
    /// Text that is still to be written: two parts of it may make up a sign of ours.
    plain: String,
    /// What was written last is a tag within a line.
    after_tag: bool,
}

impl Writing<'_> {
    /// What outlives loops.
    fn begin(&mut self, kept: &BTreeSet<String>) {
        let given = kept.iter().filter(|name| self.is_known(name));
        let given: Vec<String> = given.map(|name| format!("{name}={name}|default(\"\")")).collect();
        self.done.text.push_str(&format!("{{% set kept = namespace({}) %}}\n", given.join(", ")));
    }

    fn is_known(&self, name: &str) -> bool {
        GIVEN.contains(&name) || self.known.names.contains_key(name)
    }

    fn is_there(&self, name: &str) -> bool {
        self.is_known(name) || self.set.contains(name) || WORDS.contains(&name)
    }

    fn item(&mut self, item: &Item) {
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
                let (name, value) = (self.names.name(name)?, self.names.say(value)?);
                self.tag(item, &format!("set {name} = {name}|default({value})"));
            }
            What::Macro(name, parameters) => {
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

    /// Cobbler fills in `@@name@@` last, so here, too.
    fn raw(&mut self, text: &str) -> Result<(), String> {
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

    fn placeholder(&mut self, item: &Item, read: &Expr, raw: &str, missing: Vec<String>) -> Result<(), String> {
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
                if !is_there && super::names::ours(name).is_none() {
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

    fn set(&mut self, item: &Item, target: &[Expr], sign: &str, value: &Expr, is_global: bool) -> Result<(), String> {
        let names: Vec<String> = target.iter().filter_map(scope::name).collect();
        let kept = names.iter().any(|name| self.names.kept.contains(name));
        if let Some(name) = names.iter().find(|name| self.names.name(name).is_err()) {
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

    fn remark(&mut self, item: &Item, text: &str, why: &str, stops: bool) {
        let (line, column) = self.lines.place(item.at);
        let text = shortened(text);
        self.done.remarks.push(Remark { line, column, text, why: why.to_owned(), stops });
    }

    fn bad(&mut self, item: &Item, text: &str, why: &str) {
        self.remark(item, text, why, true);
        let (line, _) = self.lines.place(item.at);
        let said = format!("{}:{line}: {}: {why}", self.place, shortened(text));
        self.tag(item, &format!("do not_converted({})", quoted(&said)));
        // A block that was begun here is ended all the same.
        match &item.what {
            What::If(_) => self.tag(item, "if false"),
            What::Elif(_) => self.tag(item, "elif false"),
            What::For(..) => self.tag(item, "for _ in []"),
            What::Macro(..) => self.tag(item, "macro _not_converted()"),
            _ => {}
        }
    }

    fn comment(&mut self, item: &Item, text: &str) {
        if item.is_alone && !text.is_empty() && !text.contains("##") {
            self.alone(&item.indent, &format!("{{## {text} ##}}"));
        }
    }

    fn text(&mut self, text: &str) {
        if self.after_tag && text.starts_with(['\n', '\r']) && self.plain.is_empty() {
            let kept = self.done.text.len().saturating_sub(2);
            self.done.text.truncate(kept);
            self.done.text.push_str("+%}");
        }
        self.after_tag = false;
        self.plain.push_str(text);
    }

    /// Text as it is; what would begin a tag of ours is written by one.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.plain);
        let mut rest = text.as_str();
        while let Some(at) = rest.find('{') {
            let (before, sign) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.done.text.push_str(before);
            let signs = ["{{", "{%", "{##"].into_iter().find(|begins| sign.starts_with(begins));
            // What comes behind the text may make it one.
            let signs = signs.or((sign.len() == 1).then_some("{"));
            let length = signs.map_or(1, str::len);
            match signs {
                Some(signs) => self.done.text.push_str(&format!("{{{{ \"{signs}\" }}}}")),
                None => self.done.text.push('{'),
            }
            rest = sign.get(length..).unwrap_or_default();
        }
        self.done.text.push_str(rest);
    }

    /// What is written there.
    fn out(&mut self, said: &str) {
        self.flush();
        self.after_tag = false;
        self.done.text.push_str(&format!("{{{{ {said} }}}}"));
    }

    fn tag(&mut self, item: &Item, said: &str) {
        if item.is_alone {
            return self.alone(&item.indent, &format!("{{% {said} %}}"));
        }
        self.flush();
        // Blanks in front of a tag would go.
        let text = self.done.text.trim_end_matches(super::cursor::is_blank);
        let would_go = text.len() < self.done.text.len() && (text.is_empty() || text.ends_with('\n'));
        let plus = if would_go { "+" } else { "" };
        self.done.text.push_str(&format!("{{%{plus} {said} %}}"));
        self.after_tag = true;
    }

    /// A line for itself, which leaves nothing.
    fn alone(&mut self, indent: &str, tag: &str) {
        self.flush();
        self.after_tag = false;
        let begins_line = self.done.text.is_empty() || self.done.text.ends_with('\n');
        let indent = if begins_line { indent } else { "" };
        self.done.text.push_str(&format!("{indent}{tag}\n"));
    }
}

/// What stands before the first `@@name@@`, the name, and what stands behind.
pub(super) fn late(text: &str) -> Option<(&str, &str, &str)> {
    let fits = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.match_indices("@@").find_map(|(at, _)| {
        let (name, behind) = text.get(at.saturating_add(2)..)?.split_once("@@")?;
        fits(name).then_some((text.get(..at)?, name, behind))
    })
}

fn ends(block: Block) -> &'static str {
    match block {
        Block::If | Block::LastWay => "endif",
        Block::For => "endfor",
        Block::Macro => "endmacro",
        Block::Other => "",
    }
}

/// What stands there, for a remark.
fn excerpt(item: &Item) -> String {
    match &item.what {
        What::Placeholder(_, raw) => raw.clone(),
        What::Late(name) => format!("@@{name}@@"),
        What::If(_) => "#if".into(),
        What::Elif(_) => "#elif".into(),
        What::For(..) => "#for".into(),
        What::Set { target, .. } => {
            let names: Vec<String> = target.iter().filter_map(scope::name).collect();
            format!("#set {}", names.join(", "))
        }
        What::Attribute(name, _) => format!("#attr {name}"),
        What::Macro(name, _) => format!("#def {name}"),
        What::Echo(_) => "#echo".into(),
        What::Silent(_) => "#silent".into(),
        What::OneLine(..) => "#if … then … else".into(),
        What::Bad(text, _) => text.clone(),
        _ => String::new(),
    }
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}
