//! What a profile comes to: its distro, template, arguments, key and variables, parents included, and whose word each is.

use super::{Reason, Words, keys, told};
use crate::model::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

/// How deep profiles may inherit: a loop is refused when it is written, this is the belt to those braces.
const DEPTH: usize = 16;

/// The variable that installers read.
pub const PACKAGES: &str = "packages";

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
    pub keys: Names,
    /// What the keys of the stack bring, each once, and which of them does.
    pub packages: Vec<(Name, Package)>,
    pub named: Named,
    /// distro < profiles from the root down < keys of the stack < network < ranges, the widest first < machine; without the secrets.
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
    pub keys: Option<Origin>,
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
    Key(Name),
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
            Origin::Key(name) => write!(f, "key {name}"),
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
            Origin::Key(name) => words.naming(Noun::Key, name),
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
    all_keys: &BTreeMap<Name, ActivationKey>,
) -> Result<Recipe, String> {
    let chain = chain(name, profiles)?;
    let (by, distro) = chain
        .iter()
        .find_map(|p| Some((&p.name, p.distro.as_ref()?)))
        .ok_or_else(|| format!("profile {name} names no distro: `kickstand profile set {name} --distro NAME`"))?;
    let distro = distros.get(distro).ok_or_else(|| {
        format!("there is no distro {distro}, which profile {name} names: `kickstand distro list` shows what there is")
    })?;
    let template = chain.iter().find_map(|p| Some((p.name.clone(), p.template.clone()?)));
    let (keys_by, named) = named_keys(&chain, machine, all_keys).unzip();
    let named: Names = named.unwrap_or_default();
    let stack = keys::stack(&named, all_keys).map_err(|reason| reason.text)?;
    let (template_by, template) = template.unzip();
    let mut recipe = Recipe {
        profile: name.clone(),
        distro: distro.clone(),
        lineage: chain.iter().map(|profile| profile.name.clone()).collect(),
        template,
        arguments: arguments(distro, &chain, machine),
        keys: named,
        packages: packages(&stack),
        named: Named { distro: by.clone(), template: template_by, keys: keys_by },
        variables: Variables::new(),
        secrets: BTreeMap::new(),
        layers: BTreeMap::new(),
    };
    recipe.lay_all(&chain, &stack, machine, place);
    Ok(recipe)
}

/// The machine's keys, or those of the nearest profile that names any, or the default one; and whose word that is.
fn named_keys(
    chain: &[&Profile],
    machine: Option<&Machine>,
    all_keys: &BTreeMap<Name, ActivationKey>,
) -> Option<(Origin, Names)> {
    let named = |origin: Origin, keys: &Names| (!keys.is_empty()).then(|| (origin, keys.clone()));
    let own = machine.and_then(|m| named(Origin::Machine(m.name.clone()), &m.keys));
    let of_profile = || chain.iter().find_map(|p| named(Origin::Profile(p.name.clone()), &p.keys));
    let default = || keys::default(all_keys).map(|key| (Origin::Key(key.name.clone()), key.name.clone().into()));
    own.or_else(of_profile).or_else(default)
}

fn packages(stack: &[&ActivationKey]) -> Vec<(Name, Package)> {
    let mut all: Vec<(Name, Package)> = Vec::new();
    for (key, package) in stack.iter().flat_map(|key| key.packages.iter().map(|package| (&key.name, package))) {
        if !all.iter().any(|(_, known)| known == package) {
            all.push((key.clone(), package.clone()));
        }
    }
    all
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

    /// What `packages` comes to with those of the keys, where it says this: one layer for each key. Nothing where it is no list.
    pub fn packages_over(&self, said: Option<&Value>) -> Vec<Layer> {
        let mut all = match said {
            None if !self.secrets.contains_key(PACKAGES) => Vec::new(),
            Some(Value::Array(all)) => all.clone(),
            _ => return Vec::new(),
        };
        let mut layers: Vec<Layer> = Vec::new();
        for (key, package) in &self.packages {
            let package = Value::from(package.as_str());
            if !all.contains(&package) {
                all.push(package);
            }
            let (origin, value) = (Origin::Key(key.clone()), Some(Value::from(all.clone())));
            match layers.last_mut().filter(|layer| layer.origin == origin) {
                Some(layer) => layer.value = value,
                None => layers.push(Layer { origin, value }),
            }
        }
        layers
    }

    /// Whether templates can name it.
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name) || self.secrets.contains_key(name)
    }

    fn lay_all(
        &mut self,
        chain: &[&Profile],
        stack: &[&ActivationKey],
        machine: Option<&Machine>,
        place: Option<Place<'_>>,
    ) {
        let Distro { name, variables, secrets, .. } = self.distro.clone();
        self.lay(Origin::Distro(name.clone()), Owner::Distro(name), &variables, &secrets);
        for Profile { name, variables, secrets, .. } in chain.iter().rev().copied() {
            self.lay(Origin::Profile(name.clone()), Owner::Profile(name.clone()), variables, secrets);
        }
        for ActivationKey { name, variables, secrets, .. } in stack.iter().copied() {
            self.lay(Origin::Key(name.clone()), Owner::Key(name.clone()), variables, secrets);
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
        let profile = profiles
            .get(name)
            .ok_or_else(|| format!("there is no profile {name}: `kickstand profile list` shows what there is"))?;
        if chain.len() >= DEPTH {
            return Err(format!("profile {name} inherits more than {DEPTH} levels deep: look for a loop"));
        }
        chain.push(profile);
        next = profile.parent.as_ref();
    }
    Ok(chain)
}
