//! From what a template is made of to ours, with a remark on whatever does not say the same.

mod output;
mod placeholder;
mod remark;
mod writing;

use super::cursor::Lines;
use super::item::{Item, What};
use super::read::read;
use super::say::Names;
use super::scope;
use std::collections::{BTreeMap, BTreeSet};
use writing::Writing;

pub(super) use placeholder::late;
pub use remark::Remark;

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
