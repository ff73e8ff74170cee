//! Addresses that come back: a client found one in use (DECLINE) or needs it no longer (RELEASE), or a probe was answered.

use super::offer::{Case, OfferReply};
use super::{Decision, Effect, Reason, Tale};
use crate::model::*;
use std::net::Ipv4Addr;

/// How long an address that a client found in use is given to nobody: at first, and twice as long each time,
/// up to a day.
const DECLINED_SECS: u32 = 600;
const DECLINED_LAST_SECS: u32 = 86_400;

impl Case<'_> {
    pub(super) fn declined(&self, ip: Ipv4Addr) -> Decision<OfferReply> {
        let holder = &self.ask.holder;
        // Another node may have given it the address that is its own by a record.
        let its_own = self.reservation().is_some_and(|(own, _)| own == ip);
        if !its_own && self.facts.pool.of(holder).is_none_or(|b| b.ip != ip) {
            return self.silence("address", format!("{holder} declined {ip}, which it was not given"), vec![]);
        }
        let network = &self.facts.networks[self.place_of(ip)].name;
        let before = self.facts.records.hold(ip).filter(|h| h.why == HoldWhy::Declined).map_or(0, |h| h.times);
        let hold = quarantine(network, ip, HoldWhy::Declined, before, self.now);
        let text = format!(
            "{holder} found {ip} in use by another host, nobody gets it for {} min: look for one with a fixed address",
            hold.until.secs_since(self.now) / 60
        );
        Decision::new(OfferReply::Silence, vec![Reason::new("address", text.clone())])
            .with(self.unbind(network.clone()))
            .with(Effect::Avoid(hold))
            .with(Effect::Tell(self.tale(Kind::Alarm, text).from(ip)))
    }

    pub(super) fn released(&self, ip: Ipv4Addr) -> Decision<OfferReply> {
        if self.facts.pool.of(&self.ask.holder).is_none_or(|b| b.ip != ip) {
            let text = format!("{} released {ip}, which it does not have", self.ask.holder);
            return self.silence("address", text, vec![]);
        }
        let unbind = self.unbind(self.facts.networks[self.place_of(ip)].name.clone());
        let tale = self.tale(Kind::Lease, format!("{ip} released")).from(ip);
        Decision::new(OfferReply::Silence, vec![Reason::new("address", format!("{ip} released"))])
            .with(unbind)
            .with(Effect::Tell(tale))
    }
}

/// An address that somebody uses who was not given it: longer each time.
fn quarantine(network: &Name, ip: Ipv4Addr, why: HoldWhy, before: u32, now: Time) -> Hold {
    let factor = 1u32.checked_shl(before).unwrap_or(u32::MAX);
    let secs = DECLINED_SECS.saturating_mul(factor).min(DECLINED_LAST_SECS);
    let until = now.plus_secs(secs);
    Hold { network: network.clone(), ip, until, why, holder: None, times: before.saturating_add(1) }
}

/// A probe was answered: nobody is given the address for a while, and somebody is told.
pub fn found_in_use(network: &Name, ip: Ipv4Addr, by: Option<Mac>, before: Option<&Hold>, now: Time) -> Vec<Effect> {
    let times = before.filter(|hold| hold.why == HoldWhy::InUse).map_or(0, |hold| hold.times);
    let hold = quarantine(network, ip, HoldWhy::InUse, times, now);
    let whose = by.map_or("a host that answers pings".into(), |mac| mac.to_string());
    let text = format!("{ip} is in a pool of network {network}, but {whose} uses it and was not given it here");
    let mut tale = Tale::new(now, Kind::Alarm, text).from(ip);
    tale.mac = by;
    vec![Effect::Avoid(hold), Effect::Tell(tale)]
}
