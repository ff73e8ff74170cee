//! Activation keys: the operator's, which never leaves the server, and the one of a single install.

use super::{Hash, MachineId, Malformed, Name, Names, Secrets, Time, Variables, serde_as_text};
use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Who may register, and what a system gets with it. Several of them are a stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivationKey {
    pub name: Name,
    pub description: String,
    pub groups: Vec<Name>,
    /// How many systems may use it at a time; none means any number.
    pub usage_limit: Option<u32>,
    /// How many do.
    pub used: u32,
    pub expires_at: Option<Time>,
    pub enabled: bool,
    /// What is installed on a system that joins with it.
    #[serde(default)]
    pub packages: Vec<Package>,
    #[serde(default)]
    pub variables: Variables,
    #[serde(skip)]
    pub secrets: Secrets,
    /// From where it may be used; empty means from anywhere.
    #[serde(default)]
    pub addresses: Vec<Ipv4Network>,
    /// Used by machines and profiles that name no key. One at most, and without a limit.
    #[serde(default)]
    pub is_default: bool,
    /// The profile of machines that join with it and have none of their own.
    #[serde(default)]
    pub profile: Option<Name>,
    /// Whether a system that joined with it may install itself anew without being armed.
    #[serde(default)]
    pub reinstalls: bool,
    /// Opens registrations from outside: systems that Kickstand did not install. The secret itself is kept nowhere.
    #[serde(skip)]
    pub join: Option<Hash>,
}

impl ActivationKey {
    pub fn new(name: Name) -> ActivationKey {
        ActivationKey {
            name,
            description: String::new(),
            groups: Vec::new(),
            usage_limit: None,
            used: 0,
            expires_at: None,
            enabled: true,
            packages: Vec::new(),
            variables: Variables::new(),
            secrets: Secrets::default(),
            addresses: Vec::new(),
            is_default: false,
            profile: None,
            reinstalls: false,
            join: None,
        }
    }

    /// With what the other one lived through: no edit has a word on that.
    pub fn lived_as(self, other: &ActivationKey) -> ActivationKey {
        ActivationKey { used: other.used, join: other.join, ..self }
    }
}

/// The single-use key that one answer file carries: the hash is all that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct InstallKey {
    pub hash: Hash,
    /// The activation keys that it was derived from.
    pub keys: Names,
    pub machine: MachineId,
    /// The arming that it belongs to.
    pub install: Uuid,
    pub expires_at: Time,
    pub spent_at: Option<Time>,
}

impl InstallKey {
    /// How long an answer file's key can be used: an install that takes longer is armed again.
    pub const LIFETIME_SECS: u32 = 6 * 3600;
}

/// A single-use key that leads a system back to its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Reactivation {
    pub hash: Hash,
    pub machine: MachineId,
    pub expires_at: Time,
    pub spent_at: Option<Time>,
}

impl Reactivation {
    /// How long one can be used where nobody says otherwise: it is carried to a system by hand.
    pub const LIFETIME_SECS: u32 = 24 * 3600;
}

/// The name of a package as package managers know them: nothing that one of them, or a shell, would take for more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Package(String);

impl Package {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Package {
    type Err = Malformed;

    /// A letter or digit first, so that none is an option; globs, paths and versions are none. A dash at its end would
    /// have apt remove it. 128 is more than any has.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | ':');
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if first && text.len() <= 128 && text.chars().all(inner) && !text.ends_with('-') {
            return Ok(Package(text.to_owned()));
        }
        Err(Malformed::new(
            text,
            "the name of a package (letters, digits and . - _ + :, a letter or digit first, no dash last)",
        ))
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(Package);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_more_than_a_package_is_none() {
        for good in ["vim", "libstdc++6", "gcc-c++", "libc6:arm64", "python3.11", "MariaDB-server", "0ad"] {
            assert_eq!(good.parse::<Package>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-y",
            "vim-",
            "--force",
            "a b",
            "a;b",
            "$(x)",
            "../x.deb",
            "a/b",
            "vim=1",
            "vim*",
            "ä",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<Package>().is_err(), "{bad}");
        }
    }
}
