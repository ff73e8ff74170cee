//! What clients of Cobbler are told and given: off unless the settings switch it on.
//!
//! [`sheet`] gathers what is said of a machine or profile, [`answer`] gives answer files by name, [`files`] texts for the
//! running system, [`register`] takes in systems that announce themselves, [`logs`] keeps what installers send.

mod answer;
mod files;
mod logs;
mod register;
mod sheet;

pub use logs::Piece;

use super::Engine;
use crate::boot::named::card_at;
use crate::model::*;
use crate::store::World;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Of the section `[cobbler]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Whether systems may announce themselves.
    pub register: bool,
    /// Where logs of installers are kept; none: they are not taken.
    pub logs: Option<PathBuf>,
}

/// What only clients of Cobbler need.
#[derive(Debug, Default)]
pub struct Cobbler {
    pub settings: Settings,
    kept: logs::Kept,
}

impl Engine {
    /// From now on its addresses are there; said before the first request.
    pub fn serve_cobbler(&self, settings: Settings) {
        // Who says it twice is not heard: routes stand already.
        let _ = self.cobbler.set(Cobbler { settings, ..Cobbler::default() });
    }

    /// None: it is not served.
    pub fn cobbler(&self) -> Option<&Cobbler> {
        self.cobbler.get()
    }

    /// The machine whose address this is.
    fn machine_at<'a>(&self, world: &'a World, from: Ipv4Addr) -> Option<&'a Machine> {
        let network = world.network_of(from)?;
        let lease = world.lease_at(&network.name, from);
        world.machine_with_mac(card_at(from, lease, world.reserved(from), self.now())?)
    }

    /// Which machine asks, by its card where it says one, else by its address: as names, none or several.
    pub fn detect(&self, macs: &[Mac], from: Ipv4Addr) -> Vec<Name> {
        let world = self.store.world();
        let mut found: Vec<Name> =
            macs.iter().filter_map(|mac| world.machine_with_mac(*mac)).map(|machine| machine.name.clone()).collect();
        if found.is_empty() {
            found.extend(self.machine_at(&world, from).map(|machine| machine.name.clone()));
        }
        found.sort();
        found.dedup();
        found
    }
}
