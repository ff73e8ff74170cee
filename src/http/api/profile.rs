//! Profiles, how to install: `/api/v1/profiles`.

use super::body::{given, given_names, put};
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{DiskBoot, Name, Names, OptionPatch, OptionSet, Profile, Record, Secrets, Time, Variables};
use crate::store::{Edit, World};
use serde::{Deserialize, Serialize};

/// A new profile.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileDraft {
    pub name: Name,
    pub parent: Option<Name>,
    pub distro: Option<Name>,
    pub template: Option<String>,
    #[serde(default)]
    pub arguments: String,
    /// `key` is their earlier name.
    #[serde(default, alias = "key")]
    pub keys: Names,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(default)]
    pub options: OptionPatch,
    pub loader: Option<Name>,
    pub disk_boot: Option<DiskBoot>,
}

/// What is to change of one; in `variables` and `options`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub parent: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub distro: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub template: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    #[serde(default, alias = "key", deserialize_with = "given_names", skip_serializing_if = "Option::is_none")]
    pub keys: Option<Names>,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(default, skip_serializing_if = "OptionPatch::is_empty")]
    pub options: OptionPatch,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub loader: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<Option<DiskBoot>>,
}

/// A profile as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProfileView {
    pub name: Name,
    pub parent: Option<Name>,
    pub distro: Option<Name>,
    pub template: Option<String>,
    pub arguments: String,
    pub keys: Names,
    pub variables: Variables,
    /// Their names: what is in them is shown to nobody.
    #[serde(default)]
    pub secrets: Vec<String>,
    pub options: OptionSet,
    pub loader: Option<Name>,
    pub disk_boot: Option<DiskBoot>,
}

impl Noun for Profile {
    const WORD: &'static str = "profile";
    type Key = Name;
    type Draft = ProfileDraft;
    type Patch = ProfilePatch;
    type View = ProfileView;

    fn draft(draft: ProfileDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let mut profile = Profile {
            name: draft.name,
            parent: draft.parent,
            distro: draft.distro,
            template: draft.template,
            arguments: draft.arguments,
            keys: draft.keys,
            variables: Variables::new(),
            secrets: Secrets::default(),
            options: draft.options.into(),
            loader: draft.loader,
            disk_boot: draft.disk_boot,
        };
        merge(&mut profile, draft.variables, draft.secrets);
        Ok(profile)
    }

    fn patch(&mut self, patch: ProfilePatch, _: &World) {
        let ProfilePatch { parent, distro, template, arguments, keys, options, loader, disk_boot, .. } = patch;
        put(&mut self.parent, parent);
        put(&mut self.distro, distro);
        put(&mut self.template, template);
        put(&mut self.arguments, arguments);
        put(&mut self.keys, keys);
        merge(self, patch.variables, patch.secrets);
        self.options.patch(options);
        put(&mut self.loader, loader);
        put(&mut self.disk_boot, disk_boot);
    }

    fn view(&self, _: &World) -> ProfileView {
        let secrets = names(&self.secrets);
        let Profile { name, parent, distro, template, arguments, keys, variables, options, loader, disk_boot, .. } =
            self.clone();
        ProfileView { name, parent, distro, template, arguments, keys, variables, secrets, options, loader, disk_boot }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Profile(self.clone())
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.profiles.get(name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.profiles.values().collect()
    }

    fn add(self) -> Edit {
        Edit::AddProfile(self)
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetProfile(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveProfile(name)
    }

    fn check(&self, engine: &Engine) -> Result<(), Problem> {
        Ok(engine.check_loader(self.loader.as_ref())?)
    }
}
