//! What a profile comes to: its distro, template, arguments, key and variables, parents included, and whose word each is.

use super::{Reason, Words, told};
use crate::model::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

/// How deep profiles may inherit: a loop is refused when it is written, this is the belt to those braces.
const DEPTH: usize = 16;

/// Everything that an install needs to know, in one piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub profile: Name,
    pub distro: Distro,
    /// The profile and its parents, nearest first.
    pub lineage: Vec<Name>,
    /// None means the family's own.
    pub template: Option<String>,
    /// Of the kernel, in their order.
    pub arguments: Vec<(Origin, String)>,
    pub key: Option<Name>,
    pub named: Named,
    /// distro < profiles from the root down < network < ranges, the widest first < machine; without the secrets.
    pub variables: Variables,
    /// Those that count, and whose they are: a name is in one of the two maps.
    pub secrets: BTreeMap<String, (Owner, Sealed)>,
    /// Every word on a variable, the one that counts first.
    pub layers: BTreeMap<String, Vec<Layer>>,
}

/// Whose word it is that something else was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub distro: Name,
    pub template: Option<Name>,
    pub key: Option<Origin>,
}

/// One record's word on a variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub origin: Origin,
    /// None where it is a secret.
    pub value: Option<Value>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The file of a family's defaults.
    Defaults(String),
    Distro(Name),
    Profile(Name),
    Network(Name),
    Range(Name),
    Machine(Name),
    /// Given by the server itself: it wins over all.
    Server,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Defaults(place) => write!(f, "{place}"),
            Origin::Distro(name) => write!(f, "distro {name}"),
            Origin::Profile(name) => write!(f, "profile {name}"),
            Origin::Network(name) => write!(f, "network {name}"),
            Origin::Range(name) => write!(f, "range {name}"),
            Origin::Machine(name) => write!(f, "machine {name}"),
            Origin::Server => f.write_str("the server"),
        }
    }
}

impl From<&Origin> for Words {
    fn from(origin: &Origin) -> Words {
        let words = Words::from(origin.to_string());
        match origin {
            Origin::Defaults(_) | Origin::Server => words,
            Origin::Distro(name) => words.naming(Noun::Distro, name),
            Origin::Profile(name) => words.naming(Noun::Profile, name),
            Origin::Network(name) => words.naming(Noun::Network, name),
            Origin::Range(name) => words.naming(Noun::Range, name),
            Origin::Machine(name) => words.naming(Noun::Machine, name),
        }
    }
}

/// Where the machine is: networks and ranges have a word, too.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub network: &'a Network,
    pub ranges: &'a [Range],
    pub ip: Ipv4Addr,
}

impl<'a> Place<'a> {
    /// Those that hold the address, the widest first: the smallest has the last word.
    fn ranges(&self) -> Vec<&'a Range> {
        let inside = |range: &&Range| range.network == self.network.name && range.span.contains(self.ip);
        let mut ranges: Vec<_> = self.ranges.iter().filter(inside).collect();
        ranges.sort_by_key(|range| std::cmp::Reverse(range.span.size()));
        ranges
    }
}

/// Resolves a profile for a machine in its place. The error says which record to mend.
pub fn recipe(
    name: &Name,
    machine: Option<&Machine>,
    place: Option<Place<'_>>,
    profiles: &BTreeMap<Name, Profile>,
    distros: &BTreeMap<Name, Distro>,
) -> Result<Recipe, String> {
    let chain = chain(name, profiles)?;
    let (by, distro) = chain
        .iter()
        .find_map(|p| Some((&p.name, p.distro.as_ref()?)))
        .ok_or_else(|| format!("profile {name} names no distro: `kickstand profile set {name} --distro NAME`"))?;
    let distro = distros.get(distro).ok_or_else(|| format!("distro {distro} of profile {name} does not exist"))?;
    let template = chain.iter().find_map(|p| Some((p.name.clone(), p.template.clone()?)));
    let own = machine.and_then(|m| Some((Origin::Machine(m.name.clone()), m.key.clone()?)));
    let of_profile = || chain.iter().find_map(|p| Some((Origin::Profile(p.name.clone()), p.key.clone()?)));
    let (key_by, key) = own.or_else(of_profile).unzip();
    let (template_by, template) = template.unzip();
    let mut recipe = Recipe {
        profile: name.clone(),
        distro: distro.clone(),
        lineage: chain.iter().map(|profile| profile.name.clone()).collect(),
        template,
        arguments: arguments(distro, &chain, machine),
        key,
        named: Named { distro: by.clone(), template: template_by, key: key_by },
        variables: Variables::new(),
        secrets: BTreeMap::new(),
        layers: BTreeMap::new(),
    };
    recipe.lay_all(&chain, machine, place);
    Ok(recipe)
}

/// distro < profiles from the root down < machine; without those who say nothing.
fn arguments(distro: &Distro, chain: &[&Profile], machine: Option<&Machine>) -> Vec<(Origin, String)> {
    let mut all = vec![(Origin::Distro(distro.name.clone()), &distro.arguments)];
    all.extend(chain.iter().rev().map(|profile| (Origin::Profile(profile.name.clone()), &profile.arguments)));
    all.extend(machine.map(|m| (Origin::Machine(m.name.clone()), &m.arguments)));
    all.into_iter().filter(|(_, text)| !text.trim().is_empty()).map(|(by, text)| (by, text.clone())).collect()
}

impl Recipe {
    /// The operators' words for the kernel, one after another.
    pub fn operators_arguments(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(|(_, text)| text.as_str())
    }

    /// Each variable that somebody set, and over whose word.
    pub fn reasons(&self) -> Vec<Reason> {
        let shown = |name: &str, layer: &Layer| match &layer.value {
            Some(value) if !is_secret(name) => value.to_string(),
            _ => "(secret)".to_owned(),
        };
        let reason = |(name, layers): (&String, &Vec<Layer>)| {
            let said = layers.iter().map(|layer| (&layer.origin, shown(name, layer)));
            Some(Reason::new("variable", Words::from(format!("{name} = ")).then(told::over(said)?)))
        };
        self.layers.iter().filter_map(reason).collect()
    }

    /// Whether templates can name it.
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name) || self.secrets.contains_key(name)
    }

    fn lay_all(&mut self, chain: &[&Profile], machine: Option<&Machine>, place: Option<Place<'_>>) {
        let Distro { name, variables, secrets, .. } = self.distro.clone();
        self.lay(Origin::Distro(name.clone()), Owner::Distro(name), &variables, &secrets);
        for Profile { name, variables, secrets, .. } in chain.iter().rev().copied() {
            self.lay(Origin::Profile(name.clone()), Owner::Profile(name.clone()), variables, secrets);
        }
        if let Some(place) = place {
            let Network { name, variables, secrets, .. } = place.network;
            self.lay(Origin::Network(name.clone()), Owner::Network(name.clone()), variables, secrets);
            for Range { name, variables, secrets, .. } in place.ranges() {
                self.lay(Origin::Range(name.clone()), Owner::Range(name.clone()), variables, secrets);
            }
        }
        if let Some(Machine { id, name, variables, secrets, .. }) = machine {
            self.lay(Origin::Machine(name.clone()), Owner::Machine(*id), variables, secrets);
        }
    }

    /// Lays one record's variables over what is there.
    fn lay(&mut self, origin: Origin, owner: Owner, variables: &Variables, secrets: &Secrets) {
        let mut put = |name: &String, value| {
            self.layers.entry(name.clone()).or_default().insert(0, Layer { origin: origin.clone(), value });
        };
        for (name, value) in variables {
            put(name, Some(value.clone()));
            self.secrets.remove(name);
            self.variables.insert(name.clone(), value.clone());
        }
        for (name, sealed) in secrets.sealed() {
            put(name, None);
            self.variables.remove(name);
            self.secrets.insert(name.clone(), (owner.clone(), sealed.clone()));
        }
    }
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
