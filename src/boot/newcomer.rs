//! Who is heard for the first time: remembered for `machine adopt`, or made a record where the network wants that.

use super::offer::Case;
use super::role::Standing;
use super::{Effect, Tale};
use crate::model::*;
use std::net::Ipv4Addr;

/// Beside another server nobody knows how many addresses there are.
const PROXY_NEWCOMERS: u64 = 1000;

impl Case<'_> {
    /// The record of a machine that this network takes in by itself, once it holds an address. Only a
    /// machine that boots from the network is armed: a running system that asks for an address is not.
    pub(super) fn newcomer(&self, ip: Ipv4Addr) -> Option<State> {
        let netboots = self.ask.client.program != Program::System;
        match (self.facts.standing, self.network.unknown) {
            (Standing::Unknown, Unknown::Install) if netboots && self.profile(ip).is_some() => Some(State::Armed),
            (Standing::Unknown, Unknown::Install | Unknown::Discover) => Some(State::Discovered),
            _ => None,
        }
    }

    /// A flood of invented MACs makes no more records than the pools have addresses.
    pub(super) fn enlist(&self, ip: Ipv4Addr, state: State) -> Vec<Effect> {
        let Some(mac) = self.ask.holder.mac() else { return Vec::new() };
        let room: u64 = match self.network.dhcp.placement {
            Placement::Proxy => PROXY_NEWCOMERS,
            _ => self.network.pools.iter().map(|pool| pool.span.size()).sum(),
        };
        if self.facts.records.newcomers() >= room {
            let text = format!(
                "network {} has {room} new machines that nobody has taken in, and makes no more records: `kickstand machine adopt` or `remove` them",
                self.network.name
            );
            return vec![Effect::Tell(Tale::new(self.now, Kind::Alarm, text))];
        }
        let machine = super::lifecycle::newcomer(mac, state, (self.facts.fresh)(), self.now);
        let text = format!("{} was seen for the first time and is {}", machine.name, machine.state);
        let tale = self.tale(Kind::State, text).of(machine.id).from(ip);
        vec![Effect::Enlist(Box::new(machine)), Effect::Tell(tale)]
    }

    pub(super) fn seen(&self) -> Option<Effect> {
        let unknown = matches!(self.facts.standing, Standing::Unknown);
        let mac = self.ask.holder.mac().filter(|_| unknown)?;
        Some(Effect::See(Sighting {
            mac,
            network: self.network.name.clone(),
            arch: self.ask.client.arch,
            vendor: self.ask.vendor.clone(),
            uuid: self.ask.uuid.clone(),
            first_at: self.now,
            last_at: self.now,
        }))
    }
}
