//! Activation keys: `/api/v1/keys`. What opens them from outside is shown once, when it is made.

use super::body::{Body, Named, address, given, put};
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::boot::keys::Grant;
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::Problem;
use crate::model::{ActivationKey, Name, Names, Package, Record, Time, Variables};
use crate::store::{Edit, World};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

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

/// The one answer that carries a secret by which systems join or return.
#[derive(Debug, Serialize, Deserialize)]
pub struct FreshKey {
    pub secret: String,
    pub expires_at: Option<Time>,
}

/// Until when a key that leads back is good: a day by default.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Until {
    pub expires_at: Option<Time>,
}

/// What would a stack give, to whom.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewAsk {
    pub keys: Names,
    /// None: a system that gets a new record.
    pub machine: Option<Name>,
    #[serde(default, deserialize_with = "address")]
    pub from: Option<Ipv4Addr>,
}

/// What it gives; or nothing, and which rule says so.
#[derive(Debug, Serialize, Deserialize)]
pub struct PreviewView {
    pub refused: Option<RefusedView>,
    pub groups: Names,
    pub packages: Vec<Package>,
    pub profile: Option<Name>,
    pub variables: Variables,
    /// Their names.
    pub secrets: Vec<String>,
    /// The key that lets it install itself anew.
    pub reinstalls: Option<Name>,
    /// The keys that would count it anew.
    pub counted: Names,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct RefusedView {
    pub rule: String,
    pub text: String,
}

pub async fn join(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
) -> Result<(StatusCode, Json<FreshKey>), Problem> {
    let secret = engine.join_by(&name, &who.0).await?;
    Ok((StatusCode::CREATED, Json(FreshKey { secret: secret.expose().to_owned(), expires_at: None })))
}

pub async fn join_no_more(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
) -> Result<StatusCode, Problem> {
    engine.join_no_more(&name, &who.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn reactivate(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
    Body(Until { expires_at }): Body<Until>,
) -> Result<(StatusCode, Json<FreshKey>), Problem> {
    let made = engine.reactivate(&name, expires_at, &who.0).await?;
    let expires_at = Some(made.expires_at);
    Ok((StatusCode::CREATED, Json(FreshKey { secret: made.secret.expose().to_owned(), expires_at })))
}

pub async fn preview(
    State(engine): State<Arc<Engine>>,
    Body(PreviewAsk { keys, machine, from }): Body<PreviewAsk>,
) -> Result<Json<PreviewView>, Problem> {
    let granted = engine.preview(&keys, machine.as_ref(), from)?;
    let refused = granted.as_ref().err().map(|why| RefusedView { rule: why.rule.into(), text: why.text.clone() });
    let grant = granted.unwrap_or_default();
    let world = engine.store.world();
    let stack: Vec<_> = grant.keys.iter().filter_map(|name| world.keys.get(name)).collect();
    let variables = stack.iter().flat_map(|key| key.variables.clone()).collect();
    let secrets = stack.iter().flat_map(|key| names(&key.secrets)).collect();
    let Grant { groups, packages, profile, reinstalls, counted, .. } = grant;
    Ok(Json(PreviewView { refused, groups, packages, profile, variables, secrets, reinstalls, counted }))
}

impl Noun for ActivationKey {
    const WORD: &'static str = "key";
    type Key = Name;
    type Draft = KeyDraft;
    type Patch = KeyPatch;
    type View = KeyView;

    fn draft(draft: KeyDraft, now: Time, _: &World) -> Result<Self, Problem> {
        let KeyDraft { name, description, groups, usage_limit, expires_at, packages, addresses, .. } = draft;
        let KeyDraft { is_default, profile, reinstalls, .. } = draft;
        if matches!(name.as_str(), "re" | "preview") {
            let text = format!("name: {name} is a word of its own beside keys: choose another");
            return Err(Problem::invalid("name", text));
        }
        if let Some(end) = expires_at.filter(|end| *end <= now) {
            return Err(Problem::invalid("expires_at", format!("expires_at: {end} is over: name a moment to come")));
        }
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
