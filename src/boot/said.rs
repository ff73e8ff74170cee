//! What operators said of how a machine boots: its loader and its way to the disk, the nearest word first.

use super::{Words, recipe};
use crate::model::*;
use std::collections::BTreeMap;
use std::fmt;

/// Whose word it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Whose<'a> {
    Machine(&'a Name),
    Profile(&'a Name),
    Distro(&'a Name),
    Quirk(&'a Quirk),
    Network(&'a Name),
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::Machine(name) => write!(f, "machine {name}"),
            Whose::Profile(name) => write!(f, "profile {name}"),
            Whose::Distro(name) => write!(f, "distro {name}"),
            Whose::Quirk(quirk) if quirk.source.is_empty() => write!(f, "quirk {} ({})", quirk.name, quirk.says),
            Whose::Quirk(quirk) => write!(f, "quirk {} ({}: {})", quirk.name, quirk.says, quirk.source),
            Whose::Network(name) => write!(f, "network {name}"),
        }
    }
}

impl From<Whose<'_>> for Words {
    fn from(whose: Whose<'_>) -> Words {
        let words = Words::from(whose.to_string());
        match whose {
            Whose::Machine(name) => words.naming(Noun::Machine, name),
            Whose::Profile(name) => words.naming(Noun::Profile, name),
            Whose::Distro(name) => words.naming(Noun::Distro, name),
            Whose::Network(name) => words.naming(Noun::Network, name),
            Whose::Quirk(_) => words,
        }
    }
}

/// Everything that may have a word in it.
pub struct Said<'a> {
    pub machine: Option<&'a Machine>,
    /// Nearest first.
    pub profiles: Vec<&'a Profile>,
    /// Only where it is about to be installed.
    pub distro: Option<&'a Distro>,
    /// Those that fit.
    pub quirks: Vec<&'a Quirk>,
    pub network: &'a Network,
}

impl<'a> Said<'a> {
    /// The profile with its parents; a profile that is not there says nothing.
    pub fn profiles(name: Option<&Name>, profiles: &'a BTreeMap<Name, Profile>) -> Vec<&'a Profile> {
        name.and_then(|name| recipe::chain(name, profiles).ok()).unwrap_or_default()
    }

    /// The rows that fit a client of which all is known; without a client those that look at hardware alone.
    pub fn quirks(
        shelf: &'a Shelf,
        client: Option<&Traits<'_>>,
        mac: Option<Mac>,
        machine: Option<&Machine>,
    ) -> Vec<&'a Quirk> {
        let product = machine.and_then(|m| m.inventory.as_ref()?.get("product")?.as_str());
        let fits = |quirk: &&Quirk| match client {
            Some(client) => quirk.matches.fits(client, product),
            None => quirk.matches.fits_unheard(mac, product),
        };
        shelf.quirks.iter().filter(fits).collect()
    }

    /// Machine, profiles, distro, quirks, network.
    pub fn loaders(&self) -> impl Iterator<Item = (&'a Name, Whose<'a>)> {
        let machine = self.machine.and_then(|m| Some((m.loader.as_ref()?, Whose::Machine(&m.name))));
        let profiles = self.profiles.iter().filter_map(|p| Some((p.loader.as_ref()?, Whose::Profile(&p.name))));
        let distro = self.distro.and_then(|d| Some((d.loader.as_ref()?, Whose::Distro(&d.name))));
        let quirks = self.quirks.iter().filter_map(|q| Some((q.loader.as_ref()?, Whose::Quirk(q))));
        let network = self.network.dhcp.loader.as_ref().map(|name| (name, Whose::Network(&self.network.name)));
        machine.into_iter().chain(profiles).chain(distro).chain(quirks).chain(network)
    }

    /// The way to the own disk, unless nobody said one.
    pub fn disk_boot(&self) -> Option<(DiskBoot, Whose<'a>)> {
        let machine = self.machine.and_then(|m| Some((m.disk_boot?, Whose::Machine(&m.name))));
        let profile = || self.profiles.iter().find_map(|p| Some((p.disk_boot?, Whose::Profile(&p.name))));
        let quirk = || self.quirks.iter().find_map(|q| Some((q.disk_boot?, Whose::Quirk(q))));
        let network = || self.network.dhcp.disk_boot.map(|way| (way, Whose::Network(&self.network.name)));
        machine.or_else(profile).or_else(quirk).or_else(network)
    }

    /// Whether a NUL ends the texts of options 66 and 67.
    pub fn nul(&self) -> bool {
        self.quirks.iter().find_map(|quirk| quirk.nul).unwrap_or(true)
    }
}

/// The largest window and block of TFTP: of each matter the first row that says something.
pub fn transfer_caps(quirks: &[&Quirk]) -> (Option<u16>, Option<u16>) {
    (quirks.iter().find_map(|quirk| quirk.window), quirks.iter().find_map(|quirk| quirk.block_bytes))
}
