//! From Cobbler's records to ours, as the API takes them, and what is to be said of each that is not the same.

mod answer;
mod distro;
mod profile;
mod repo;
mod system;
mod values;
mod words;

use super::fields::{Fate, fate};
use super::folder::{Folder, Item};
use super::texts::{self, Texts};
use crate::cheetah::Known;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use values::is_silent;

/// What a line of the report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Somebody must do something.
    Todo,
    /// It is not taken.
    Left,
    /// It is taken otherwise.
    Changed,
    Note,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub what: What,
    pub place: String,
    pub text: String,
}

impl Line {
    pub fn new(what: What, place: &str, text: &str) -> Line {
        Line { what, place: place.to_owned(), text: text.to_owned() }
    }
}

/// What the server has already.
#[derive(Debug, Default)]
pub struct Server {
    pub networks: Vec<(Ipv4Addr, u8)>,
    pub network_names: BTreeSet<String>,
    /// Distros, whose kernels and initrds are there.
    pub distros: BTreeMap<String, (String, String)>,
}

/// Files that a distro needs below the server's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    pub distro: String,
    /// Where they lie on Cobbler's host.
    pub from: [String; 2],
    /// Where they come to lie below the files of the server.
    pub to: [String; 2],
}

#[derive(Debug, Default)]
pub struct Plan {
    /// By their names here.
    pub templates: BTreeMap<String, String>,
    pub networks: Vec<Value>,
    pub distros: Vec<Value>,
    pub profiles: Vec<Value>,
    pub machines: Vec<Value>,
    pub boots: Vec<Boot>,
    pub lines: Vec<Line>,
    pub converted: usize,
    pub remarked: usize,
}

pub fn plan(folder: &Folder, server: &Server) -> Plan {
    let mut work = Work {
        folder,
        server,
        plan: Plan::default(),
        names: BTreeMap::new(),
        known: Known::default(),
        stops: BTreeMap::new(),
    };
    work.names();
    work.distros();
    work.profiles();
    work.systems();
    work.whole_kinds();
    let Texts { all, lines, converted, remarked, .. } = texts::texts(folder, &mut work.known);
    work.plan.templates = all;
    work.plan.templates.append(&mut work.stops);
    work.plan.lines.extend(lines);
    (work.plan.converted, work.plan.remarked) = (converted, remarked);
    work.missing_templates();
    for (place, why) in &folder.unread {
        work.plan.lines.push(Line::new(What::Left, place, why));
    }
    for trigger in &folder.triggers {
        let why = "a program that Cobbler ran by itself: here events tell of what happens";
        work.plan.lines.push(Line::new(What::Left, &format!("triggers/{trigger}"), why));
    }
    work.plan.lines.sort_by(|a, b| (a.what, &a.place).cmp(&(b.what, &b.place)));
    work.plan.lines.dedup();
    work.plan
}

/// A name as ours are: none where nothing of it can stay.
pub fn named(name: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let plain: String = name.to_ascii_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let plain: String = plain.trim_start_matches(['.', '-', '_']).chars().take(63).collect();
    (!plain.is_empty()).then_some(plain)
}

struct Work<'a> {
    folder: &'a Folder,
    server: &'a Server,
    plan: Plan,
    /// Kind and name there, name here.
    names: BTreeMap<(&'static str, String), String>,
    known: Known,
    /// Templates that only say what is to be done.
    stops: BTreeMap<String, String>,
}

impl Work<'_> {
    fn say(&mut self, what: What, item: &Item, text: &str) {
        self.plan.lines.push(Line::new(what, &item.place, text));
    }

    fn names(&mut self) {
        for kind in ["distro", "profile", "system"] {
            let mut taken = BTreeSet::new();
            for item in self.folder.all(kind) {
                let Some(mut name) = named(&item.name) else {
                    self.say(What::Left, item, &format!("{:?} is no name here", item.name));
                    continue;
                };
                while !taken.insert(name.clone()) {
                    name = format!("{}-2", name.chars().take(60).collect::<String>());
                }
                if name != item.name {
                    self.say(What::Changed, item, &format!("{kind} {} is called {name} here", item.name));
                }
                self.names.insert((kind, item.name.clone()), name);
            }
        }
    }

    fn name(&self, kind: &'static str, name: &str) -> Option<String> {
        self.names.get(&(kind, name.to_owned())).cloned()
    }

    fn know(&mut self, name: &str, always: bool) {
        let known = self.known.names.entry(name.to_owned()).or_insert(always);
        *known |= always;
    }

    /// Kinds of which nothing becomes a record.
    fn whole_kinds(&mut self) {
        for (kind, why) in [
            ("image", "an image is nothing that is installed here: its file boots by a distro of the family image"),
            ("menu", "there is no menu at boot"),
            ("mgmtclass", "what is configured after an install is not this server's"),
            ("package", "what is configured after an install is not this server's"),
            ("file", "what is configured after an install is not this server's"),
        ] {
            for item in self.folder.all(kind) {
                let fields: Vec<&str> = item
                    .fields
                    .iter()
                    .filter(|(field, value)| !is_silent(value) && !is_inner(field))
                    .map(|(field, _)| field.as_str())
                    .collect();
                self.say(What::Left, item, &format!("{kind} {}: {why}; it has {}", item.name, fields.join(", ")));
            }
        }
    }
}

fn is_inner(field: &str) -> bool {
    field == "name" || matches!(fate("distro", field), Some(Fate::Inner))
}

fn field<'i>(item: &'i Item, name: &str) -> &'i str {
    let said = item.fields.get(name).and_then(Value::as_str).unwrap_or_default();
    if matches!(said, "~" | "<<inherit>>") { "" } else { said }
}
