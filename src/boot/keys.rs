//! What a stack of activation keys gives, and to whom; or why it gives nothing.

use super::{Reason, Registration, Spent};
use crate::model::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Who comes with a stack.
#[derive(Debug, Clone, Copy, Default)]
pub struct Comer<'a> {
    /// The record that it has; none where it would get a new one.
    pub machine: Option<&'a Machine>,
    /// None where nobody came yet: then no address is in the way.
    pub from: Option<Ipv4Addr>,
}

/// What a stack gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grant {
    pub keys: Names,
    /// Those that count the system among their users from now on; the others did already.
    pub counted: Names,
    pub groups: Names,
    /// In the order of the keys, each once.
    pub packages: Vec<Package>,
    /// For a machine that has none of its own.
    pub profile: Option<Name>,
    /// The key that lets the system install itself anew without being armed.
    pub reinstalls: Option<Name>,
}

impl Grant {
    /// What is true of a machine once it came in with this. Who returns to its record still has the keys of before.
    pub fn registration(&self, machine: &Machine, spends: Option<Spent>, credential: Hash, at: Time) -> Registration {
        let joined = match spends {
            Some(Spent::Reactivation(_)) => machine.joined.and(&self.keys),
            Some(Spent::Install(_)) | None => self.keys.clone(),
        };
        Registration {
            machine: machine.id,
            credential,
            at,
            spends,
            counted: self.counted.clone(),
            freed: machine.joined.without(&joined),
            joined,
            groups: machine.groups.and(&self.groups),
            profile: self.profile.clone().filter(|_| machine.profile.is_none()),
        }
    }
}

/// The keys of a stack in their order, where nothing in them contradicts: whether they open anything is not asked.
pub fn stack<'a>(names: &Names, keys: &'a BTreeMap<Name, ActivationKey>) -> Result<Vec<&'a ActivationKey>, Reason> {
    let known = |name: &Name| {
        let text = || format!("activation key {name} does not exist: `kickstand key list` shows those that do");
        keys.get(name).ok_or_else(|| Reason::new("key", text()))
    };
    let stack = names.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    contradiction(&stack).map_or(Ok(()), |text| Err(Reason::new("conflict", text)))?;
    Ok(stack)
}

/// Whether two of them say different things of what there can be one of. Nobody can read a secret to compare it.
fn contradiction(stack: &[&ActivationKey]) -> Option<String> {
    let mut profile: Option<(&Name, &Name)> = None;
    let mut words: BTreeMap<&str, (&Name, Option<&Value>)> = BTreeMap::new();
    for key in stack {
        match (profile, &key.profile) {
            (Some((by, one)), Some(other)) if one != other => {
                return Some(format!(
                    "activation key {by} names profile {one} and key {} profile {other}: use one of them, or give both the same",
                    key.name
                ));
            }
            (None, Some(own)) => profile = Some((&key.name, own)),
            _ => {}
        }
        let plain = key.variables.iter().map(|(name, value)| (name.as_str(), Some(value)));
        let secret = key.secrets.names().map(|name| (name.as_str(), None));
        for (name, value) in plain.chain(secret) {
            match words.get(name) {
                Some((by, other)) if value.is_none() || *other != value => {
                    return Some(format!(
                        "activation keys {by} and {} both set {name}, and not alike: set it in one of them, or in a profile",
                        key.name
                    ));
                }
                _ => drop(words.insert(name, (&key.name, value))),
            }
        }
    }
    None
}

/// What a stack gives to a comer at this moment. The refusal names the rule and what to do.
pub fn grant(
    names: &Names,
    keys: &BTreeMap<Name, ActivationKey>,
    comer: Comer<'_>,
    now: Time,
) -> Result<Grant, Reason> {
    let stack = stack(names, keys)?;
    stack.iter().find_map(|key| refusal(key, comer, now)).map_or(Ok(()), Err)?;
    let mut grant = Grant { keys: names.clone(), packages: packages(names, keys), ..Grant::default() };
    for key in stack {
        grant.groups.add(&key.groups);
        grant.profile = grant.profile.or_else(|| key.profile.clone());
        grant.reinstalls = grant.reinstalls.or_else(|| key.reinstalls.then(|| key.name.clone()));
        if !has_used(comer, key) {
            grant.counted.add([&key.name]);
        }
    }
    Ok(grant)
}

fn has_used(comer: Comer<'_>, key: &ActivationKey) -> bool {
    comer.machine.is_some_and(|machine| machine.joined.contains(&key.name))
}

/// Why this key opens nothing, or nothing if it does.
fn refusal(key: &ActivationKey, comer: Comer<'_>, now: Time) -> Option<Reason> {
    let name = &key.name;
    if !key.enabled {
        let text =
            format!("activation key {name} is disabled: enable it with `kickstand key set {name} --enabled true`");
        return Some(Reason::new("disabled", text));
    }
    if let Some(end) = key.expires_at.filter(|end| *end <= now) {
        let text = format!(
            "activation key {name} expired at {end}: set a later one with `kickstand key set {name} --expires MOMENT`"
        );
        return Some(Reason::new("expired", text));
    }
    if let Some(from) = comer.from.filter(|from| !may_come_from(key, *from)) {
        let all: Vec<_> = key.addresses.iter().map(ToString::to_string).collect();
        let text = format!(
            "activation key {name} is for {} and {from} is not in there: `kickstand key set {name} --from NETWORK` names others",
            all.join(", ")
        );
        return Some(Reason::new("address", text));
    }
    let limit = key.usage_limit.filter(|limit| key.used >= *limit && !has_used(comer, key))?;
    let text = format!(
        "activation key {name} has been used {} of {limit} times: raise it with `kickstand key set {name} --limit N`, or remove a machine that used it",
        key.used
    );
    Some(Reason::new("limit", text))
}

fn may_come_from(key: &ActivationKey, ip: Ipv4Addr) -> bool {
    key.addresses.is_empty() || key.addresses.iter().any(|network| network.contains(ip))
}

/// What a system that has these keys is to have installed.
pub fn packages(names: &Names, keys: &BTreeMap<Name, ActivationKey>) -> Vec<Package> {
    let mut packages = Vec::new();
    for package in names.iter().filter_map(|name| keys.get(name)).flat_map(|key| &key.packages) {
        if !packages.contains(package) {
            packages.push(package.clone());
        }
    }
    packages
}

/// The key that machines and profiles use that name none.
pub fn default(keys: &BTreeMap<Name, ActivationKey>) -> Option<&ActivationKey> {
    keys.values().find(|key| key.is_default)
}

/// The key by which a registered system may install itself anew without being armed, from where it asks.
pub fn may_reinstall<'a>(
    machine: &Machine,
    keys: &'a BTreeMap<Name, ActivationKey>,
    from: Ipv4Addr,
    now: Time,
) -> Option<&'a ActivationKey> {
    let comer = Comer { machine: Some(machine), from: Some(from) };
    let mut used = machine.joined.iter().filter_map(|name| keys.get(name));
    used.find(|key| key.reinstalls && refusal(key, comer, now).is_none())
}
