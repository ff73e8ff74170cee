//! With which options a client is told its address: of all that operators set, the most specific wins.

use super::offer::Case;
use super::{Reason, Words, recipe};
use crate::model::option::{option_name, option_text};
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Where an option was set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level<'a> {
    Everybody,
    Network(&'a Name),
    Range(&'a Name),
    Class(&'a Name),
    Profile(&'a Name),
    Machine(&'a Name),
}

impl From<Level<'_>> for Words {
    fn from(level: Level<'_>) -> Words {
        let (noun, name) = match level {
            Level::Everybody => return Words::from("everybody").naming(Noun::Options, "everybody"),
            Level::Network(name) => (Noun::Network, name),
            Level::Range(name) => (Noun::Range, name),
            Level::Class(name) => (Noun::Class, name),
            Level::Profile(name) => (Noun::Profile, name),
            Level::Machine(name) => (Noun::Machine, name),
        };
        Words::record(noun, name)
    }
}

/// Everybody < network < range, the widest first < class < profile, parents first < machine.
pub(super) fn options(case: &Case<'_>, network: &Network, ip: Ipv4Addr) -> OptionSet {
    let mut all = OptionSet::default();
    levels(case, network, ip).into_iter().for_each(|(_, set)| all.overlay(set));
    all
}

/// Where each option was set, and over whose word.
pub(super) fn reasons(case: &Case<'_>, network: &Network, ip: Ipv4Addr) -> Vec<Reason> {
    let mut said: BTreeMap<u8, Vec<(Level<'_>, &[u8])>> = BTreeMap::new();
    for (level, set) in levels(case, network, ip) {
        set.iter().for_each(|(code, bytes)| said.entry(code).or_default().push((level, bytes)));
    }
    let reason = |(code, said): (u8, Vec<(Level<'_>, &[u8])>)| {
        let said = said.into_iter().rev().map(|(level, bytes)| (level, option_text(code, bytes)));
        Some(Reason::new("option", Words::from(format!("{} = ", option_name(code))).then(over(said)?)))
    };
    said.into_iter().filter_map(reason).collect()
}

/// The word that counts, whose it is, and what each of the others would have come to: the nearest comes first.
pub(super) fn over<O: Into<Words>>(said: impl IntoIterator<Item = (O, String)>) -> Option<Words> {
    let mut said = said.into_iter().map(|(origin, value)| Words::from(format!("{value}, from ")).then(origin));
    let mut all = said.next()?;
    for (place, word) in said.enumerate() {
        all = all.then(if place == 0 { "; without that " } else { "; then " }).then(word);
    }
    Some(all)
}

/// Each level that says something, the most general first.
pub(super) fn levels<'a>(case: &'a Case<'_>, network: &'a Network, ip: Ipv4Addr) -> Vec<(Level<'a>, &'a OptionSet)> {
    let records = case.facts.records;
    let mut all = vec![(Level::Everybody, records.options()), (Level::Network(&network.name), &network.dhcp.options)];
    let inside = records.ranges().iter().filter(|r| r.network == network.name && r.span.contains(ip));
    let mut ranges: Vec<_> = inside.filter(|range| !range.options.is_empty()).collect();
    ranges.sort_by_key(|range| std::cmp::Reverse(range.span.size()));
    all.extend(ranges.into_iter().map(|range| (Level::Range(&range.name), &range.options)));
    all.extend(classes(case, network).map(|class| (Level::Class(&class.name), &class.options)));
    if let Some(profile) = case.profile(ip)
        && let Ok(chain) = recipe::chain(profile, records.profiles())
    {
        all.extend(chain.into_iter().rev().map(|profile| (Level::Profile(&profile.name), &profile.options)));
    }
    all.extend(case.machine().map(|machine| (Level::Machine(&machine.name), &machine.options)));
    all.retain(|(_, set)| !set.is_empty());
    all
}

/// In the order of their names: where two say the same option, the later name wins.
fn classes<'a>(case: &'a Case<'_>, network: &'a Network) -> impl Iterator<Item = &'a Class> {
    let traits = case.ask.traits();
    let here = |class: &&Class| class.network.as_ref().is_none_or(|name| *name == network.name);
    case.facts.records.classes().values().filter(here).filter(move |class| class.matches.fits(&traits))
}
