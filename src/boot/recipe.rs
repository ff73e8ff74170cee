//! What a profile comes to: its distro, template, arguments, key and variables, parents included.

use crate::model::*;
use std::collections::BTreeMap;

/// How deep profiles may inherit: a loop is refused when it is written, this is the belt to those braces.
const DEPTH: usize = 16;

/// Everything that an install needs to know, in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub profile: Name,
    pub distro: Distro,
    /// None means the family's own.
    pub template: Option<String>,
    pub arguments: Vec<String>,
    pub key: Option<Name>,
    /// distro < profiles from the root down < machine.
    pub variables: Variables,
}

/// Resolves a profile for a machine. The error says which record to mend.
pub fn recipe(
    name: &Name,
    machine: Option<&Machine>,
    profiles: &BTreeMap<Name, Profile>,
    distros: &BTreeMap<Name, Distro>,
) -> Result<Recipe, String> {
    let chain = chain(name, profiles)?;
    let said = |pick: fn(&Profile) -> Option<&Name>| chain.iter().find_map(|p| pick(p)).cloned();
    let distro = said(|p| p.distro.as_ref())
        .ok_or_else(|| format!("profile {name} names no distro: `kickstand profile set {name} --distro NAME`"))?;
    let distro = distros.get(&distro).ok_or_else(|| format!("distro {distro} of profile {name} does not exist"))?;
    let mut arguments = vec![distro.arguments.clone()];
    let mut variables = distro.variables.clone();
    for profile in chain.iter().rev() {
        arguments.push(profile.arguments.clone());
        variables.extend(profile.variables.clone());
    }
    arguments.extend(machine.map(|m| m.arguments.clone()));
    variables.extend(machine.map(|m| m.variables.clone()).unwrap_or_default());
    arguments.retain(|text| !text.trim().is_empty());
    Ok(Recipe {
        profile: name.clone(),
        distro: distro.clone(),
        template: chain.iter().find_map(|p| p.template.clone()),
        arguments,
        key: machine.and_then(|m| m.key.clone()).or_else(|| said(|p| p.key.as_ref())),
        variables,
    })
}

/// The profile and its parents, nearest first.
pub(super) fn chain<'a>(name: &Name, profiles: &'a BTreeMap<Name, Profile>) -> Result<Vec<&'a Profile>, String> {
    let mut chain = Vec::new();
    let mut next = Some(name);
    while let Some(name) = next {
        let profile = profiles.get(name).ok_or_else(|| format!("profile {name} does not exist"))?;
        if chain.len() >= DEPTH {
            return Err(format!("profile {name} inherits more than {DEPTH} levels deep: look for a loop"));
        }
        chain.push(profile);
        next = profile.parent.as_ref();
    }
    Ok(chain)
}
