//! Distros, the files that boot an installer: `/api/v1/distros`.

use super::body::{given, put};
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{Distro, Family, Name, Record, Secrets, Time, Variables};
use crate::store::{Edit, World};
use serde::{Deserialize, Serialize};

/// A new distro.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistroDraft {
    pub name: Name,
    pub family: Family,
    pub kernel: String,
    pub initrd: String,
    #[serde(default)]
    pub arguments: String,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    pub loader: Option<Name>,
}

/// What is to change of one; in `variables`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistroPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub loader: Option<Option<Name>>,
}

/// A distro as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DistroView {
    pub name: Name,
    pub family: Family,
    pub kernel: String,
    pub initrd: String,
    pub arguments: String,
    pub variables: Variables,
    /// Their names: what is in them is shown to nobody.
    #[serde(default)]
    pub secrets: Vec<String>,
    pub loader: Option<Name>,
}

impl Noun for Distro {
    const WORD: &'static str = "distro";
    type Key = Name;
    type Draft = DistroDraft;
    type Patch = DistroPatch;
    type View = DistroView;

    fn draft(draft: DistroDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let DistroDraft { name, family, kernel, initrd, arguments, variables: given, secrets: hidden, loader } = draft;
        let (variables, secrets) = (Variables::new(), Secrets::default());
        let mut distro = Distro { name, family, kernel, initrd, arguments, variables, secrets, loader };
        merge(&mut distro, given, hidden);
        Ok(distro)
    }

    fn patch(&mut self, patch: DistroPatch, _: &World) {
        let DistroPatch { family, kernel, initrd, arguments, variables, secrets, loader } = patch;
        put(&mut self.family, family);
        put(&mut self.kernel, kernel);
        put(&mut self.initrd, initrd);
        put(&mut self.arguments, arguments);
        merge(self, variables, secrets);
        put(&mut self.loader, loader);
    }

    fn view(&self, _: &World) -> DistroView {
        let Distro { name, family, kernel, initrd, arguments, variables, secrets, loader } = self.clone();
        let secrets = names(&secrets);
        DistroView { name, family, kernel, initrd, arguments, variables, secrets, loader }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Distro(self.clone())
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.distros.get(name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.distros.values().collect()
    }

    fn add(self) -> Edit {
        Edit::AddDistro(self)
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetDistro(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveDistro(name)
    }

    fn check(&self, engine: &Engine) -> Result<(), Problem> {
        engine.check_loader(self.loader.as_ref())?;
        Ok(engine.check_files(self)?)
    }
}
