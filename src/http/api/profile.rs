//! Profiles, how to install: `/api/v1/profiles`.

use super::body::{given, put};
use super::noun::Noun;
use super::variables::merge;
use crate::http::problem::Problem;
use crate::model::{Name, OptionSet, Profile, Time, Variables};
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
    pub key: Option<Name>,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default)]
    pub options: OptionSet,
}

/// What is to change of one; in `variables`, null removes one.
#[derive(Debug, Default, Serialize, Deserialize)]
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
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub key: Option<Option<Name>>,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
}

/// A profile as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProfileView {
    pub name: Name,
    pub parent: Option<Name>,
    pub distro: Option<Name>,
    pub template: Option<String>,
    pub arguments: String,
    pub key: Option<Name>,
    pub variables: Variables,
    pub options: OptionSet,
}

impl Noun for Profile {
    const WORD: &'static str = "profile";
    type Draft = ProfileDraft;
    type Patch = ProfilePatch;
    type View = ProfileView;

    fn draft(draft: ProfileDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let ProfileDraft { name, parent, distro, template, arguments, key, variables, options } = draft;
        Ok(Profile { name, parent, distro, template, arguments, key, variables, options })
    }

    fn patch(&mut self, patch: ProfilePatch) {
        let ProfilePatch { parent, distro, template, arguments, key, variables } = patch;
        put(&mut self.parent, parent);
        put(&mut self.distro, distro);
        put(&mut self.template, template);
        put(&mut self.arguments, arguments);
        put(&mut self.key, key);
        merge(&mut self.variables, variables);
    }

    fn view(&self, _: &World) -> ProfileView {
        let Profile { name, parent, distro, template, arguments, key, variables, options } = self.clone();
        ProfileView { name, parent, distro, template, arguments, key, variables, options }
    }

    fn name(&self) -> &Name {
        &self.name
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

    fn set(self) -> Edit {
        Edit::SetProfile(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveProfile(name)
    }
}
