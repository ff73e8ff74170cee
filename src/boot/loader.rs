//! The first program of each firmware: the LOADERS table, what operators said, and what there is on the shelf.

use super::names::{self, Here};
use super::said::Said;
use super::{Reason, Role};
use crate::model::*;

/// What firmware gets that nobody said a word of: the first of its row that is on the shelf.
pub const LOADERS: &[(Target, &[&str])] = &[
    (Target::Bios, &["ipxe-bios", "pxelinux"]),
    (Target::X64, &["ipxe-x64", "grub-http-x64", "debian-12-secure"]),
    (Target::Arm64, &["ipxe-arm64", "grub-http-arm64", "debian-12-arm64"]),
    (Target::UBoot, &["extlinux"]),
];

/// What a DHCP answer names as the thing to run next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// An operating system asked: it boots nothing.
    Nothing,
    /// A file by TFTP.
    Tftp(String),
    /// A URL: for iPXE a script, for UEFI HTTP boot a loader.
    Url(String),
    /// Where TFTP is, and no file: U-Boot knows what to ask for.
    Server,
}

/// The answer, and what to say of it; the error is why there is no program.
pub type Chosen = (Result<First, String>, String);

/// What must be known to choose a first program.
pub struct Choosing<'a> {
    pub client: Client,
    pub role: Role,
    pub mac: Option<Mac>,
    pub here: Here,
    pub shelf: &'a Shelf,
    pub said: Said<'a>,
}

impl<'a> Choosing<'a> {
    /// Which program runs first, or why there is none.
    pub fn first(&self) -> (Result<First, String>, Reason) {
        let (first, text) = match self.role {
            Role::Nothing => (Ok(First::Nothing), "none".to_owned()),
            Role::Disk => self.disk(),
            Role::Install | Role::Show => self.program(),
        };
        (first, Reason::new("first program", text))
    }

    fn program(&self) -> Chosen {
        match self.choose(None) {
            Ok((loader, why)) if self.scripted(loader) => match self.mac {
                Some(_) => (self.script(), format!("its script by HTTP: iPXE is running{why}")),
                None => (self.script(), "none: a script is asked for by MAC, and it has none".into()),
            },
            Ok((loader, why)) => (self.named(loader), format!("{} for {}{why}", self.called(loader), self.client)),
            Err(text) => (Err(text.clone()), text),
        }
    }

    /// iPXE that runs already needs no other of its kind, but starts the rest.
    fn scripted(&self, loader: &Loader) -> bool {
        self.client.program == Program::Ipxe && loader.language == Language::Ipxe
    }

    pub(super) fn called(&self, loader: &Loader) -> String {
        match &loader.first {
            Some(file) => format!("{file} of loader {}", loader.name),
            None => format!("loader {}", loader.name),
        }
    }

    /// The loader for this client, and on whose word; of this language only, where one is needed.
    pub(super) fn choose(&self, language: Option<Language>) -> Result<(&'a Loader, String), String> {
        let mut passed = String::new();
        for (name, by) in self.said.loaders() {
            match self.fits(name.as_str(), language) {
                Ok(row) if row.there || self.scripted(&row.loader) => {
                    return Ok((&row.loader, format!(", named by {by}{passed}")));
                }
                Ok(_) => return Err(format!("loader {name}, named by {by}, {}", missing(name.as_str()))),
                Err(why) => passed.push_str(&format!("; not {name}, named by {by}: {why}")),
            }
        }
        match self.usual(language) {
            Some(row) if row.there || self.scripted(&row.loader) => Ok((&row.loader, passed)),
            // Its name leads to a quick error, and to an event that says what is missing.
            Some(row) => Ok((&row.loader, format!(", which {}{passed}", missing(row.loader.name.as_str())))),
            None => Err(format!("no boot loader for {}{passed}: see the table in docs/loaders.md", self.client)),
        }
    }

    /// Of the LOADERS table: the first that is there, else the first.
    fn usual(&self, language: Option<Language>) -> Option<&'a Shelved> {
        let names =
            LOADERS.iter().filter(|(target, _)| target.archs().contains(&self.arch())).flat_map(|(_, names)| *names);
        let mut fit = names.filter_map(|name| self.fits(name, language).ok());
        let first = fit.next()?;
        let there = std::iter::once(first).chain(fit).find(|row| row.there);
        // A way to the disk is no reason to name what is not there.
        there.or(language.is_none().then_some(first))
    }

    fn fits(&self, name: &str, language: Option<Language>) -> Result<&'a Shelved, String> {
        let row = self.shelf.loader(name).ok_or("there is no such loader")?;
        let loader = &row.loader;
        if !loader.runs_on(self.arch()) {
            return Err(format!("it is for {}", words(&loader.arch)));
        }
        if self.client.program == Program::Http && !loader.by.contains(&By::Http) {
            return Err("it cannot read its files by HTTP".into());
        }
        match language {
            Some(language) if language != loader.language => Err(format!("it is no {language}")),
            _ => Ok(row),
        }
    }

    fn arch(&self) -> Arch {
        self.client.arch.unwrap_or(Arch::BIOS)
    }

    /// What DHCP says for this loader.
    pub(super) fn named(&self, loader: &Loader) -> Result<First, String> {
        if self.scripted(loader) {
            return self.script();
        }
        let Some(file) = names::first_file(self.shelf, loader) else { return Ok(First::Server) };
        Ok(match self.client.program {
            Program::Http => First::Url(self.here.loader(&file)),
            _ => First::Tftp(file),
        })
    }

    /// Its script is asked for by MAC: who has none boots nothing.
    pub(super) fn script(&self) -> Result<First, String> {
        Ok(self.mac.map_or(First::Nothing, |mac| First::Url(self.here.script(mac))))
    }
}

fn missing(name: &str) -> String {
    format!("is not there: `kickstand loader import {name}`, see `kickstand loader list`")
}

fn words(targets: &[Target]) -> String {
    targets.iter().map(|target| target.word()).collect::<Vec<_>>().join(", ")
}
