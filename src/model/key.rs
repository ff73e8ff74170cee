//! Activation keys: the operator's, which never leaves the server, and the one of a single install.

use super::{Hash, MachineId, Name, Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who may register, and into which groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivationKey {
    pub name: Name,
    pub description: String,
    pub groups: Vec<Name>,
    /// How many registrations it allows; none means any number.
    pub usage_limit: Option<u32>,
    pub used: u32,
    pub expires_at: Option<Time>,
    pub enabled: bool,
}

impl ActivationKey {
    /// Why this key opens nothing now, or nothing if it does.
    pub fn refusal(&self, now: Time) -> Option<String> {
        let name = &self.name;
        if !self.enabled {
            return Some(format!(
                "activation key {name} is disabled: enable it with `kickstand key set {name} --enabled true`"
            ));
        }
        if let Some(end) = self.expires_at.filter(|end| *end <= now) {
            return Some(format!(
                "activation key {name} expired at {end}: set a later one with `kickstand key set {name} --expires MOMENT`"
            ));
        }
        let limit = self.usage_limit.filter(|limit| self.used >= *limit)?;
        Some(format!(
            "activation key {name} has been used {limit} of {limit} times: raise it with `kickstand key set {name} --limit N`"
        ))
    }
}

/// The single-use key that one answer file carries: the hash is all that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct InstallKey {
    pub hash: Hash,
    /// The activation key that it was derived from.
    pub key: Name,
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
