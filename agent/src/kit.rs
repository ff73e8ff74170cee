//! The JSON that a running system and the appliance exchange: check-ins, and what it installs itself anew with.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::Inventory;

/// A running system is there: `POST /agent/check-in`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckIn {
    /// Of its kernel: another one after each boot.
    pub boot_id: String,
    pub up_secs: u32,
    /// Of what it is made of: it is sent only where the server knows another.
    pub inventory_sha256: String,
}

/// The answer to a check-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    pub wish: Wish,
    /// The server wants to know what it is made of: `POST /agent/inventory`.
    pub inventory: bool,
    /// When to come again.
    pub again_secs: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    Nothing,
    Reinstall,
}

/// May I install myself anew? `POST /agent/reinstall`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reinstall {
    pub boot_id: String,
    /// Of the card that leads to the server.
    pub mac: String,
    #[serde(default)]
    pub profile: Option<String>,
    /// What the installer, and the system that it installs, shall have.
    #[serde(default)]
    pub network: Option<Carried>,
}

/// The settings of a running interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// With its prefix: `10.0.0.5/24`.
    pub address: String,
    #[serde(default)]
    pub gateway: Option<String>,
    #[serde(default)]
    pub dns: Vec<String>,
}

/// What starting the installer takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kit {
    pub machine: String,
    pub profile: String,
    pub kernel: Part,
    /// In the order in which they are loaded.
    pub initrds: Vec<Part>,
    /// It carries a token that opens the answer file once: nobody else may read it.
    pub command_line: String,
    /// What the installer runs in.
    pub memory_mib: u64,
}

/// A file of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Below the server's address.
    pub path: String,
    pub size_bytes: u64,
    pub sha256: String,
}

/// What is about to happen, or is not: `POST /agent/reinstall/way`. One of `way` and `failed`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starts {
    pub boot_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// Why nothing is started, and nothing was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A machine's words, cut to a length that a table and a log can bear, without control characters.
pub fn shortened(text: String) -> String {
    text.chars().take(2000).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same for every text of an inventory: it is shown on terminals.
pub fn harmless(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shortened(text)),
        Value::Array(all) => all.into_iter().map(harmless).collect(),
        Value::Object(all) => all.into_iter().map(|(name, value)| (name, harmless(value))).collect(),
        plain => plain,
    }
}

/// By which both sides know whether they mean the same: of what the server keeps of it, field by field in the order of the type.
/// Without what came of packages: only who tried to install some knows that.
pub fn digest(inventory: &Value) -> String {
    let told: Inventory = serde_json::from_value(harmless(inventory.clone())).unwrap_or_default();
    let kept = Inventory { packages: None, ..told };
    sha256(&serde_json::to_vec(&kept).unwrap_or_default())
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_sides_digest_the_same_whatever_order_the_fields_came_in() {
        let told = json!({"hostname": "web\u{1b}1", "cpus": 2});
        let kept = harmless(json!({"cpus": 2, "hostname": "web\u{1b}1", "disks": []}));
        assert_eq!(digest(&told), digest(&kept));
        assert_ne!(digest(&told), digest(&json!({"hostname": "web 1", "cpus": 3})));
        assert_eq!(digest(&json!(null)), digest(&json!({})), "nothing is kept yet");
        let installed = json!({"hostname": "web1", "packages": {"wanted": ["vim"], "error": "no such package"}});
        assert_eq!(digest(&installed), digest(&json!({"hostname": "web1"})), "no check-in knows what came of packages");
    }
}
