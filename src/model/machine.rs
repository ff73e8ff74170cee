//! A machine: the record that outlives its cards, its disk and even its metal.

use super::{DiskBoot, Hash, Mac, Malformed, Name, Names, OptionSet, Secrets, Time, Variables, serde_as_text, words};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The system id: given once, kept through reinstalls and replaced hardware.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MachineId(pub Uuid);

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MachineId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(MachineId).map_err(|_| Malformed::new(text, "a system id (a UUID)"))
    }
}

serde_as_text!(MachineId);

#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    pub id: MachineId,
    pub name: Name,
    /// The first one is the one it boots from.
    pub interfaces: Vec<Interface>,
    pub profile: Option<Name>,
    /// The activation keys, where they are not the profile's.
    pub keys: Names,
    /// What it belongs to: an operator says so, or a key that it joined with.
    pub groups: Names,
    /// Kernel arguments of this machine alone, after the profile's.
    pub arguments: String,
    pub variables: Variables,
    pub secrets: Secrets,
    /// DHCP options of this machine alone.
    pub options: OptionSet,
    /// The loader that it is given, where the profile's or the usual one does not do.
    pub loader: Option<Name>,
    /// The way to its own disk, where the usual one does not do.
    pub disk_boot: Option<DiskBoot>,
    pub state: State,
    pub state_at: Time,
    /// The current arming, from `arm` until the next one.
    pub install: Option<Install>,
    /// What its agent last said that it is made of.
    pub inventory: Option<serde_json::Value>,
    /// The keys that count it among those who use them: it joined with them.
    pub joined: Names,
    /// The agent's credential; none before it registered and after it was replaced.
    pub credential: Option<Hash>,
    pub created_at: Time,
    /// Raised by every change: who writes against an older one has lost the race.
    pub revision: i64,
}

impl Machine {
    pub fn interface(&self, mac: Mac) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.mac == mac)
    }

    /// A record that a packet has made, and nothing since.
    pub fn is_newcomer(&self) -> bool {
        let untouched = |i: &Install| i.before == State::Discovered && i.boots == 0;
        self.state == State::Discovered || self.state == State::Armed && self.install.as_ref().is_some_and(untouched)
    }

    pub fn has(&self, mac: Mac) -> bool {
        self.interface(mac).is_some()
    }

    /// What its running system has and its installer shall have, too.
    pub fn carried(&self) -> Option<&Carried> {
        let install = self.install.as_ref().filter(|_| self.state.installs())?;
        install.inside()?.carried.as_ref()
    }

    /// Whether a network boot is given the installer: not where the running system was to start it, or did.
    pub fn netboots(&self) -> bool {
        let inside = |install: &Install| install.inside_only || install.inside().is_some();
        self.state.installs() && !self.install.as_ref().is_some_and(inside)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub mac: Mac,
    /// Its reserved address; without one it gets an address from the pool.
    pub ip: Option<Ipv4Addr>,
}

words! {
    State, "a state (one of discovered, ready, armed, installing, installed, registered, failed)" {
        /// Heard on a network, not yet taken in by an operator.
        Discovered = "discovered",
        /// Known, boots its own disk.
        Ready = "ready",
        /// The next network boot installs.
        Armed = "armed",
        /// Its answer file was fetched.
        Installing = "installing",
        /// The installer reported its last step: boots its own disk.
        Installed = "installed",
        /// The installed system spent its key and has a credential.
        Registered = "registered",
        /// The install was given up: boots its own disk until it is armed again.
        Failed = "failed",
    }
}

impl State {
    /// Whether an installer may be started, or runs.
    pub fn installs(self) -> bool {
        matches!(self, State::Armed | State::Installing)
    }
}

/// One arming: how often the installer may be served, and to whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Install {
    pub id: Uuid,
    pub armed_at: Time,
    /// Where `disarm` leads back to.
    pub before: State,
    /// How many boots were given the installer.
    pub boots: u8,
    /// The boot that is under way.
    pub boot: Option<Boot>,
    /// For its running system alone, which starts the installer itself: network boots lead to the disk.
    #[serde(default)]
    pub inside_only: bool,
}

impl Install {
    pub fn new(id: Uuid, armed_at: Time, before: State) -> Install {
        Install { id, armed_at, before, boots: 0, boot: None, inside_only: false }
    }

    /// The boot that the running system took by itself, if that is the one under way.
    pub fn inside(&self) -> Option<&Inside> {
        self.boot.as_ref()?.inside.as_deref()
    }
}

/// One boot of an install: its token opens the answer file, from one address, once the script was served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    pub token: Hash,
    /// Opens the report URL, which only the answer file carries.
    pub report: Hash,
    pub ip: Ipv4Addr,
    pub served_at: Time,
    /// Of the token: soon, once it was used.
    pub expires_at: Time,
    /// When the answer file was first fetched.
    pub answered_at: Option<Time>,
    /// When the installer first reported: from then on the answer file is closed.
    pub reported_at: Option<Time>,
    /// What its script was made from: the answer file belongs to the same.
    #[serde(default)]
    pub profile: Option<Name>,
    /// How often its script was asked for again.
    #[serde(default)]
    pub repeats: u8,
    /// None: the firmware took it, from the network.
    #[serde(default)]
    pub inside: Option<Box<Inside>>,
}

/// A boot that the running system takes by itself, without its firmware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inside {
    /// The card that its installer uses.
    pub mac: Mac,
    /// Which life of the old system asked for it: the boot id of its kernel.
    pub life: Uuid,
    /// How the installer is started, once that was said.
    pub way: Option<Way>,
    /// What the running system has, where the installer shall have the same.
    pub carried: Option<Carried>,
}

words! {
    /// How a running system starts its installer.
    Way, "a way (one of kexec, grub, grubby, bootnext)" {
        /// The running kernel starts it.
        Kexec = "kexec",
        /// GRUB, by an entry for one boot.
        Grub = "grub",
        /// GRUB, by an entry that grubby wrote.
        Grubby = "grubby",
        /// The firmware, by its BootNext.
        Bootnext = "bootnext",
    }
}

/// The address of a running system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    pub ip: Ipv4Addr,
    pub prefix: u8,
    #[serde(default)]
    pub gateway: Option<Ipv4Addr>,
    #[serde(default)]
    pub dns: Vec<Ipv4Addr>,
}

/// A system was heard: its agent checked in with the machine's credential.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckIn {
    pub machine: MachineId,
    pub at: Time,
    pub booted_at: Time,
    pub ip: Ipv4Addr,
}

/// A MAC whose metal was replaced: it gets no role again, and an event when it is heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Tombstone {
    pub mac: Mac,
    pub machine: MachineId,
    pub replaced_by: Mac,
    pub at: Time,
}
