//! The first program of each firmware: the LOADERS table, what operators said, and what there is on the shelf.

use super::names::{self, Here};
use super::said::Said;
use super::{Reason, Role, Words};
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
pub type Chosen = (Result<First, String>, Words);

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
            Role::Nothing => (Ok(First::Nothing), "none".into()),
            Role::Disk => self.disk(),
            Role::Install | Role::Show => self.program(),
        };
        (first, Reason::new("first program", text))
    }

    fn program(&self) -> Chosen {
        if self.client.program == Program::Ipxe {
            return self.program_of_ipxe();
        }
        match self.choose(None) {
            Ok((loader, why)) => (self.named(loader), self.chosen(loader, why)),
            Err(text) => (Err(text.clone()), text.into()),
        }
    }

    /// It runs already, on whatever architecture: its script, unless another program is named for it.
    fn program_of_ipxe(&self) -> Chosen {
        let mut passed = Words::default();
        match (self.wished(None, &mut passed), self.mac) {
            (Err(text), _) => (Err(text.clone()), text.into()),
            (Ok(Some((loader, why))), _) if !self.scripted(loader) => (self.named(loader), self.chosen(loader, why)),
            (_, Some(_)) => (self.script(), Words::from("its script by HTTP: iPXE is running").then(passed)),
            (_, None) => (self.script(), "none: a script is asked for by MAC, and it has none".into()),
        }
    }

    fn chosen(&self, loader: &Loader, why: Words) -> Words {
        Words::from(format!("{} for {}", self.called(loader), self.client)).then(why)
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
    pub(super) fn choose(&self, language: Option<Language>) -> Result<(&'a Loader, Words), String> {
        let mut passed = Words::default();
        if let Some(wished) = self.wished(language, &mut passed)? {
            return Ok(wished);
        }
        let usual: Vec<_> = self.usual(language).collect();
        if let Some(row) = usual.iter().find(|row| row.there) {
            return Ok((&row.loader, passed));
        }
        // Its name leads to a quick error, and to an event that says which package is missing.
        match usual.first().filter(|row| language.is_none() && is_packaged(&row.loader)) {
            Some(row) => {
                Ok((&row.loader, Words::from(format!(", which {}", missing(row.loader.name.as_str()))).then(passed)))
            }
            None => Err(self.none_of(&usual) + &passed.text),
        }
    }

    /// What somebody named, the nearest word first; the error is a loader that is not there.
    fn wished(&self, language: Option<Language>, passed: &mut Words) -> Result<Option<(&'a Loader, Words)>, String> {
        for (name, by) in self.said.loaders() {
            match self.fits(name.as_str(), language) {
                Ok(row) if row.there || self.scripted(&row.loader) => {
                    return Ok(Some((&row.loader, Words::from(", named by ").then(by).then(std::mem::take(passed)))));
                }
                Ok(_) => return Err(format!("loader {name}, named by {by}, {}", missing(name.as_str()))),
                Err(why) => {
                    let so_far = std::mem::take(passed).then(format!("; not {name}, named by "));
                    *passed = so_far.then(by).then(format!(": {why}"));
                }
            }
        }
        Ok(None)
    }

    fn none_of(&self, usual: &[&Shelved]) -> String {
        let names: Vec<_> = usual.iter().map(|row| row.loader.name.as_str()).collect();
        match names.first() {
            None => format!("no boot loader for {}: see the table in docs/loaders.md", self.client),
            Some(first) => format!(
                "no boot loader for {} is there, none of {}: `kickstand loader import {first}`",
                self.client,
                names.join(", ")
            ),
        }
    }

    /// Of the LOADERS table, in its order.
    fn usual(&self, language: Option<Language>) -> impl Iterator<Item = &'a Shelved> {
        let rows = LOADERS.iter().filter(|(target, _)| target.archs().contains(&self.arch()));
        rows.flat_map(|(_, names)| *names).filter_map(move |name| self.fits(name, language).ok())
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

fn is_packaged(loader: &Loader) -> bool {
    loader.files.iter().filter(|file| !file.optional).all(|file| file.package.is_some())
}

fn missing(name: &str) -> String {
    format!("is not there: `kickstand loader import {name}`, see `kickstand loader list`")
}

fn words(targets: &[Target]) -> String {
    targets.iter().map(|target| target.word()).collect::<Vec<_>>().join(", ")
}
