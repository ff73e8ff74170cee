//! Beside another DHCP server: it gives the address, this one says what to boot.

use super::loader::First;
use super::offer::{Case, Message, OfferReply};
use super::{Decision, Effect, Reason};
use crate::model::*;
use std::net::Ipv4Addr;

impl Case<'_> {
    pub(super) fn beside_another(&self, why: Reason) -> Decision<OfferReply> {
        match self.ask.message {
            Message::Discover { .. } if self.ask.client.program != Program::System => self.proxy(None, why),
            Message::Boot { ip } => self.proxy(Some(ip), why),
            Message::Select { ip, .. } | Message::Reboot { ip } | Message::Renew { ip } | Message::Rebind { ip } => {
                self.learned(ip)
            }
            _ => self.silence("placement", "the other DHCP server's business".into(), vec![]),
        }
    }

    /// `asked` is the client's address where it came to the boot server's own port.
    fn proxy(&self, asked: Option<Option<Ipv4Addr>>, why: Reason) -> Decision<OfferReply> {
        let ip = asked.flatten();
        let likely = ip.or_else(|| self.likely()).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let (grant, first) = match self.grant(0, likely) {
            Ok(grant) => grant,
            Err(text) => return self.refused(text),
        };
        // A client that is named nothing goes on to its disk all the faster without a word.
        if grant.first == First::Nothing {
            return self.silence("first program", first.text, self.seen().into_iter().collect());
        }
        let text = format!("{} for {}, beside another DHCP server", first.text, self.ask.client);
        let (kind, reply) = match asked {
            Some(_) => (Kind::Lease, OfferReply::ProxyAck(grant)),
            None => (Kind::Offer, OfferReply::Proxy(grant)),
        };
        let mut decision = Decision::new(reply, vec![why, first]).with(Effect::Tell(self.tale(kind, text)));
        decision.effects.extend(self.seen());
        decision.effects.extend(ip.into_iter().flat_map(|ip| self.know(ip)));
        decision
    }

    /// The address that it will have: its record's, or what the other server gave it before. It names a profile.
    fn likely(&self) -> Option<Ipv4Addr> {
        let written = self.reservation().map(|(ip, _)| ip);
        written.or_else(|| self.facts.pool.of(&self.ask.holder).map(|binding| binding.ip))
    }

    /// The other server's clients tell everybody which address they take: machines fetch their files from it.
    fn learned(&self, ip: Ipv4Addr) -> Decision<OfferReply> {
        let effects = if self.network.can_hold(ip) { self.know(ip) } else { Vec::new() };
        self.silence("placement", format!("{ip} is what the other DHCP server gives it"), effects)
    }

    fn know(&self, ip: Ipv4Addr) -> Vec<Effect> {
        if !self.network.can_hold(ip) {
            return Vec::new();
        }
        let mut effects = vec![Effect::Know(self.lease(0, ip, self.network.lease_secs))];
        effects.extend(self.newcomer(ip).map(|state| self.enlist(ip, state)).unwrap_or_default());
        effects
    }
}
