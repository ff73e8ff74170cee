//! The JSON that the agent and the appliance exchange: both sides compile this one file.

use serde::{Deserialize, Serialize};

/// What an installer tells about itself: `POST {report URL}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case", deny_unknown_fields)]
// One lives at a time, from a request body to a decision: a box would only be in the way.
#[allow(clippy::large_enum_variant)]
pub enum Report {
    /// The installer runs.
    Started,
    /// What the machine is made of.
    Inventory { inventory: Inventory },
    /// How far the install is, 0 to 100.
    Progress { percent: u8, message: String },
    /// The installer's last step: the disk can be booted.
    Done,
    /// The installer gave up.
    Failed { message: String },
}

/// First boot of the installed system: `POST /agent/register`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The single-use key that the answer file carried; or secrets of keys that let systems join, with commas.
    pub key: String,
    /// 256 random bits in hexadecimal, made here and kept before they are sent: the bearer token of
    /// everything that the agent asks from now on. A repeat whose first answer was lost brings the same.
    pub credential: String,
    pub inventory: Inventory,
    /// What a system that joins wishes to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub system_id: String,
    pub name: String,
    /// What its keys want installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

/// What a machine is made of, as its own kernel sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    pub hostname: String,
    /// `PRETTY_NAME` of os-release.
    pub os: String,
    pub kernel: String,
    pub architecture: String,
    /// `bios` or `uefi`.
    pub firmware: String,
    pub vendor: String,
    pub product: String,
    pub serial: String,
    pub uuid: String,
    pub cpu_model: String,
    pub cpus: u32,
    pub memory_bytes: u64,
    pub disks: Vec<Disk>,
    pub interfaces: Vec<Interface>,
    /// After an attempt to install what its keys want.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<PackagesOutcome>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackagesOutcome {
    pub wanted: Vec<String>,
    /// Empty where all of them are installed.
    pub error: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Disk {
    pub name: String,
    pub model: String,
    pub serial: String,
    pub size_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    pub name: String,
    pub mac: String,
    pub addresses: Vec<String>,
    /// A card that is there, and not one that the system made for itself.
    pub physical: bool,
}
