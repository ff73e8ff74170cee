//! Classes, options for clients that have something in common: `/api/v1/classes`.

use super::body::{given, put};
use super::noun::Noun;
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{Class, MacPrefix, Match, Name, OptionPatch, OptionSet, Program, Record, Time};
use crate::store::{Edit, World};
use serde::{Deserialize, Serialize};

/// A new class. A client must be like all that is given.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassDraft {
    pub name: Name,
    pub network: Option<Name>,
    pub program: Option<Program>,
    pub arch: Option<u16>,
    pub vendor: Option<String>,
    pub user_class: Option<String>,
    pub mac: Option<MacPrefix>,
    pub circuit: Option<String>,
    #[serde(default)]
    pub options: OptionPatch,
}

/// What is to change of one; in `options`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassPatch {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub network: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub program: Option<Option<Program>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub arch: Option<Option<u16>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Option<String>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub user_class: Option<Option<String>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub mac: Option<Option<MacPrefix>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "OptionPatch::is_empty")]
    pub options: OptionPatch,
}

/// A class as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClassView {
    pub name: Name,
    pub network: Option<Name>,
    pub program: Option<Program>,
    pub arch: Option<u16>,
    pub vendor: Option<String>,
    pub user_class: Option<String>,
    pub mac: Option<MacPrefix>,
    pub circuit: Option<String>,
    pub options: OptionSet,
}

impl Noun for Class {
    const WORD: &'static str = "class";
    type Key = Name;
    type Draft = ClassDraft;
    type Patch = ClassPatch;
    type View = ClassView;

    fn draft(draft: ClassDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let ClassDraft { name, network, program, arch, vendor, user_class, mac, circuit, options } = draft;
        let matches = Match { program, arch, vendor, user_class, mac, circuit };
        Ok(Class { name, network, matches, options: options.into() })
    }

    fn patch(&mut self, patch: ClassPatch, _: &World) {
        let ClassPatch { network, program, arch, vendor, user_class, mac, circuit, options } = patch;
        put(&mut self.network, network);
        put(&mut self.matches.program, program);
        put(&mut self.matches.arch, arch);
        put(&mut self.matches.vendor, vendor);
        put(&mut self.matches.user_class, user_class);
        put(&mut self.matches.mac, mac);
        put(&mut self.matches.circuit, circuit);
        self.options.patch(options);
    }

    fn view(&self, _: &World) -> ClassView {
        let Class { name, network, matches, options } = self.clone();
        let Match { program, arch, vendor, user_class, mac, circuit } = matches;
        ClassView { name, network, program, arch, vendor, user_class, mac, circuit, options }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Class(self.clone())
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.classes.get(name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.classes.values().collect()
    }

    /// A text that no client can send would make a class that nobody is in.
    fn check(&self, _: &Engine) -> Result<(), Problem> {
        let Match { vendor, user_class, circuit, .. } = &self.matches;
        readable("vendor", vendor.as_deref())?;
        readable("user_class", user_class.as_deref())?;
        match circuit.as_deref().map(str::len) {
            Some(0 | 256..) => Err(Problem::invalid("circuit", "circuit: 1 to 255 bytes, or null for any")),
            _ => Ok(()),
        }
    }

    fn add(self) -> Edit {
        Edit::AddClass(self)
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetClass(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveClass(name)
    }
}

/// So much is kept of what a client sends, and of that only what prints.
const CHARS: usize = 64;

fn readable(field: &str, text: Option<&str>) -> Result<(), Problem> {
    let fits = |text: &str| {
        let prints = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        (1..=CHARS).contains(&text.len()) && prints && text.trim_start() == text
    };
    match text.filter(|text| !fits(text)) {
        Some(text) => Err(Problem::invalid(
            field,
            format!("{field}: {text:?} is like no client: 1 to {CHARS} ASCII characters that print, or null for any"),
        )),
        None => Ok(()),
    }
}
