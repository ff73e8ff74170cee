//! Activation keys: `/api/v1/keys`. There is no secret in them: each install derives its own.

use super::body::{given, put};
use super::noun::Noun;
use crate::http::problem::Problem;
use crate::model::{ActivationKey, Name, Record, Time};
use crate::store::{Edit, World};
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
}

/// What is to change of one.
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
}

impl Noun for ActivationKey {
    const WORD: &'static str = "key";
    type Key = Name;
    type Draft = KeyDraft;
    type Patch = KeyPatch;
    type View = KeyView;

    fn draft(draft: KeyDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let KeyDraft { name, description, groups, usage_limit, expires_at, enabled } = draft;
        let enabled = enabled.unwrap_or(true);
        Ok(ActivationKey { name, description, groups, usage_limit, used: 0, expires_at, enabled })
    }

    fn patch(&mut self, patch: KeyPatch, _: &World) {
        put(&mut self.description, patch.description);
        put(&mut self.groups, patch.groups);
        put(&mut self.usage_limit, patch.usage_limit);
        put(&mut self.expires_at, patch.expires_at);
        put(&mut self.enabled, patch.enabled);
    }

    fn view(&self, _: &World) -> KeyView {
        let ActivationKey { name, description, groups, usage_limit, used, expires_at, enabled } = self.clone();
        KeyView { name, description, groups, usage_limit, used, expires_at, enabled }
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
