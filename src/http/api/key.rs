//! Activation keys: `/api/v1/keys`. What opens them from outside is shown once, when it is made.

use super::body::{given, put};
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::http::problem::Problem;
use crate::model::{ActivationKey, Name, Package, Record, Time, Variables};
use crate::store::{Edit, World};
use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};

/// A new key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyDraft {
    pub name: Name,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub groups: Vec<Name>,
    pub usage_limit: Option<u32>,
    pub expires_at: Option<Time>,
    pub enabled: Option<bool>,
    #[serde(default)]
    pub packages: Vec<Package>,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(default)]
    pub addresses: Vec<Ipv4Network>,
    #[serde(default)]
    pub is_default: bool,
    pub profile: Option<Name>,
    #[serde(default)]
    pub reinstalls: bool,
}

/// What is to change of one; in `variables`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<Time>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<Package>>,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<Ipv4Network>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub profile: Option<Option<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reinstalls: Option<bool>,
}

/// A key as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyView {
    pub name: Name,
    pub description: String,
    pub groups: Vec<Name>,
    pub usage_limit: Option<u32>,
    pub used: u32,
    pub expires_at: Option<Time>,
    pub enabled: bool,
    pub packages: Vec<Package>,
    pub variables: Variables,
    /// Their names: what is in them is shown to nobody.
    pub secrets: Vec<String>,
    pub addresses: Vec<Ipv4Network>,
    pub is_default: bool,
    pub profile: Option<Name>,
    pub reinstalls: bool,
    /// Whether systems can join with it from outside.
    pub joins: bool,
}

impl Noun for ActivationKey {
    const WORD: &'static str = "key";
    type Key = Name;
    type Draft = KeyDraft;
    type Patch = KeyPatch;
    type View = KeyView;

    fn draft(draft: KeyDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let KeyDraft { name, description, groups, usage_limit, expires_at, packages, addresses, .. } = draft;
        let KeyDraft { is_default, profile, reinstalls, .. } = draft;
        let enabled = draft.enabled.unwrap_or(true);
        let mut key = ActivationKey {
            description,
            groups,
            usage_limit,
            expires_at,
            enabled,
            packages,
            addresses,
            is_default,
            profile,
            reinstalls,
            ..ActivationKey::new(name)
        };
        merge(&mut key, draft.variables, draft.secrets);
        Ok(key)
    }

    fn patch(&mut self, patch: KeyPatch, _: &World) {
        put(&mut self.description, patch.description);
        put(&mut self.groups, patch.groups);
        put(&mut self.usage_limit, patch.usage_limit);
        put(&mut self.expires_at, patch.expires_at);
        put(&mut self.enabled, patch.enabled);
        put(&mut self.packages, patch.packages);
        put(&mut self.addresses, patch.addresses);
        put(&mut self.is_default, patch.is_default);
        put(&mut self.profile, patch.profile);
        put(&mut self.reinstalls, patch.reinstalls);
        merge(self, patch.variables, patch.secrets);
    }

    fn view(&self, _: &World) -> KeyView {
        let key = self.clone();
        KeyView {
            name: key.name,
            description: key.description,
            groups: key.groups,
            usage_limit: key.usage_limit,
            used: key.used,
            expires_at: key.expires_at,
            enabled: key.enabled,
            packages: key.packages,
            variables: key.variables,
            secrets: names(&self.secrets),
            addresses: key.addresses,
            is_default: key.is_default,
            profile: key.profile,
            reinstalls: key.reinstalls,
            joins: key.join.is_some(),
        }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Key(self.clone())
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.keys.get(name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.keys.values().collect()
    }

    fn add(self) -> Edit {
        Edit::AddKey(self)
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetKey(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveKey(name)
    }
}
