//! Classes: options for clients that have something in common.

use super::{Arch, Client, Mac, Malformed, Name, OptionSet, Program, serde_as_text};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Class {
    pub name: Name,
    /// Only on this network.
    pub network: Option<Name>,
    pub matches: Match,
    pub options: OptionSet,
}

/// What a client must be like: all that is said here, and nothing said means everybody.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The program that asks.
    pub program: Option<Program>,
    /// Option 93.
    pub arch: Option<u16>,
    /// How option 60 begins.
    pub vendor: Option<String>,
    /// What option 77 is, or holds.
    pub user_class: Option<String>,
    /// How its MAC begins.
    pub mac: Option<MacPrefix>,
    /// How the relay's circuit-id begins.
    pub circuit: Option<String>,
}

/// What is known of a client when its classes are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Traits<'a> {
    pub client: Client,
    pub vendor: &'a str,
    pub user_classes: &'a [String],
    pub mac: Option<Mac>,
    pub circuit: Option<&'a [u8]>,
}

impl Match {
    pub fn fits(&self, client: &Traits<'_>) -> bool {
        self.program.is_none_or(|program| client.client.program == program)
            && self.arch.is_none_or(|arch| client.client.arch == Some(Arch(arch)))
            && self.vendor.as_ref().is_none_or(|vendor| client.vendor.starts_with(vendor.as_str()))
            && self.user_class.as_ref().is_none_or(|class| client.user_classes.contains(class))
            && self.mac.as_ref().is_none_or(|prefix| client.mac.is_some_and(|mac| prefix.begins(mac)))
            && self
                .circuit
                .as_ref()
                .is_none_or(|circuit| client.circuit.is_some_and(|c| c.starts_with(circuit.as_bytes())))
    }
}

/// The first 1 to 6 bytes of a MAC: `52:54:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacPrefix(Vec<u8>);

impl MacPrefix {
    pub fn begins(&self, mac: Mac) -> bool {
        mac.0.starts_with(&self.0)
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<_> = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        f.pad(&bytes.join(":"))
    }
}

impl FromStr for MacPrefix {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(text, "the beginning of a MAC address (write it like 52:54:00)");
        let bytes = hex::decode(text.replace([':', '-', '.'], "")).map_err(|_| malformed())?;
        if (1..=6).contains(&bytes.len()) { Ok(MacPrefix(bytes)) } else { Err(malformed()) }
    }
}

serde_as_text!(MacPrefix);
