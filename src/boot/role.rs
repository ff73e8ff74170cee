//! What a machine is here for: install, its own disk, a word on the console, or nothing at all.

use super::{Reason, Words};
use crate::model::*;
use std::net::Ipv4Addr;

/// What the appliance knows of a MAC.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    Machine(&'a Machine),
    /// The metal was replaced: no role, ever.
    Retired(&'a Tombstone),
    /// No machine of ours, but an address is kept for it.
    Reserved(&'a Reservation),
    Unknown,
}

/// What a network boot of it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Install,
    /// Its own disk.
    Disk,
    /// The console says that nobody here knows it, then its own disk.
    Show,
    /// Silence.
    Nothing,
}

/// The profile that speaks for a machine, by the one order that holds everywhere: its own, then the
/// smallest range that holds its address, then the network's default.
pub fn profile<'a>(
    machine: Option<&'a Machine>,
    ip: Ipv4Addr,
    ranges: &'a [Range],
    network: &'a Network,
) -> (Option<&'a Name>, Reason) {
    if let Some((machine, own)) = machine.and_then(|m| Some((m, m.profile.as_ref()?))) {
        let text = Words::from(format!("{own}, named by the machine itself")).naming(Noun::Machine, &machine.name);
        return (Some(own), Reason::new("profile", text));
    }
    let inside = ranges.iter().filter(|r| r.network == network.name && r.span.contains(ip));
    if let Some(range) = inside.min_by_key(|r| r.span.size()) {
        let text = Words::from(format!("{}, named by range {}", range.profile, range.name));
        let text = text.naming(Noun::Range, &range.name).then(format!(" ({}), which holds {ip}", range.span));
        return (Some(&range.profile), Reason::new("profile", text));
    }
    match &network.profile {
        Some(default) => {
            let text = Words::from(format!("{default}, the default of network {}", network.name));
            (Some(default), Reason::new("profile", text.naming(Noun::Network, &network.name)))
        }
        None => {
            let text = format!(
                "none: neither the machine, nor a range that holds {ip}, nor network {} names one; give one of them a profile",
                network.name
            );
            (None, Reason::new("profile", text))
        }
    }
}

/// What a MAC with this standing is given on this network.
pub fn role(standing: Standing<'_>, network: &Network) -> (Role, Reason) {
    match standing {
        Standing::Machine(m) if m.netboots() => {
            (Role::Install, Reason::new("role", format!("install: machine {} is {}", m.name, m.state)))
        }
        Standing::Machine(m) if m.state.installs() => {
            let whose = match m.install.as_ref().and_then(Install::inside).map(|inside| inside.way) {
                Some(Some(way)) => format!("its running system started the installer by {way}"),
                Some(None) => "its running system took the boot".to_owned(),
                None => "its running system starts the installer".to_owned(),
            };
            (Role::Disk, Reason::new("role", format!("own disk: machine {} is {}, and {whose}", m.name, m.state)))
        }
        Standing::Machine(m) => {
            (Role::Disk, Reason::new("role", format!("own disk: machine {} is {}, not armed", m.name, m.state)))
        }
        Standing::Retired(t) => {
            let text = format!("nothing: this card was replaced by {} at {}", t.replaced_by, t.at);
            (Role::Nothing, Reason::new("role", text))
        }
        Standing::Reserved(kept) => (
            Role::Disk,
            Reason::new(
                "role",
                Words::from(format!("own disk: {} is reserved for {}", kept.ip, kept.by))
                    .naming(Noun::Reservation, kept.ip)
                    .then(", which is no machine of ours"),
            ),
        ),
        Standing::Unknown => unknown(network),
    }
}

fn unknown(network: &Network) -> (Role, Reason) {
    let (role, what) = match network.unknown {
        Unknown::Ignore => (Role::Nothing, "silence"),
        Unknown::Show => (Role::Show, "a word on the console, then its own disk"),
        Unknown::Discover => (Role::Disk, "a record in state discovered, then its own disk"),
        Unknown::Install => (Role::Install, "a record that is armed once"),
    };
    let text = Words::from(format!("no record holds this MAC; network {}", network.name));
    let text = text.naming(Noun::Network, &network.name);
    let text = text.then(format!(" gives unknown machines {what} ({})", network.unknown));
    (role, Reason::new("role", text))
}
