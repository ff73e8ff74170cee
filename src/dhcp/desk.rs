//! One packet's whole way without a socket: from its bytes to the answer and the effects that it waits for.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

use super::ask::{Received, ask};
use super::packet::Packet;
use super::place::{self, Arrival, Place};
use super::reply::{Outgoing, reply};
use super::rogue::is_our_probe;
use super::seen;
use crate::boot::offer::{OfferAsk, OfferFacts, OfferReply};
use crate::boot::pool::Pool;
use crate::boot::{Ask, Decision, Effect};
use crate::engine::Engine;
use crate::metrics::Silence;
use crate::model::{Holder, Mac, Time};
use crate::store::World;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// A packet, and where it belongs.
#[derive(Debug, Clone)]
pub struct Heard {
    pub packet: Packet,
    pub place: Place,
    /// Our other addresses there.
    pub also: Vec<Ipv4Addr>,
    /// It came to our own address, not to everybody.
    pub unicast: bool,
    /// It came to port 4011.
    pub boot_port: bool,
}

/// Why bytes are no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    #[error(transparent)]
    Malformed(#[from] super::packet::Malformed),
    #[error(transparent)]
    Nowhere(#[from] place::Nowhere),
    #[error("it only looks for other DHCP servers, for a server of ours")]
    OurProbe,
}

/// What is to be done about a packet.
#[derive(Debug)]
pub struct Answer {
    pub reply: OfferReply,
    pub outgoing: Option<Outgoing>,
    pub effects: Vec<Effect>,
    pub holder: Holder,
}

impl Heard {
    pub fn read(bytes: &[u8], arrival: Arrival<'_>, boot_port: bool, world: &World) -> Result<Heard, Unheard> {
        let packet = Packet::parse(bytes)?;
        if packet.chaddr.first_chunk().is_some_and(|mac| is_our_probe(Mac(*mac))) {
            return Err(Unheard::OurProbe);
        }
        let place = place::place(&packet, arrival, world)?;
        let also = place::also(&packet, arrival);
        Ok(Heard { packet, place, also, unicast: !arrival.from.is_unspecified(), boot_port })
    }
}

/// Decides, and lets the pool know; what must last is for the caller to have written before it answers.
pub fn answer(engine: &Engine, pool: &mut Pool, heard: &Heard, now: Time) -> Option<Answer> {
    let world = engine.store.world();
    let Heard { packet, place, .. } = heard;
    let Some(network) = world.networks.get(&place.network) else {
        // It was removed while the packet waited.
        engine.metrics.silent(Silence::Network);
        return None;
    };
    let networks = world.wire(network);
    let received = Received {
        here: place.here,
        also: &heard.also,
        unicast: heard.unicast,
        believed: place.believed,
        boot_port: heard.boot_port,
        relayed: place.relayed,
    };
    let ask = match ask(packet, &received) {
        Ok(ask) => ask,
        Err(why) => {
            seen::ignored(&engine.metrics, &why);
            tracing::debug!(%why, network.name = %place.network, "a DHCP packet is left unanswered");
            return None;
        }
    };
    let here = engine.here_as(place.here, network);
    let standing = world.standing_of(&networks, &ask.holder, ask.client_id.as_deref(), ask.circuit.as_deref());
    let shelf = engine.shelf();
    let facts = OfferFacts {
        networks: &networks,
        here,
        ours: &heard.also,
        standing,
        records: &*world,
        pool,
        shelf: &shelf,
        lost_since: engine.store.lost_since(),
        fresh: &|| [Uuid::now_v7(), Uuid::now_v7()],
    };
    let mut decision = ask.decide(facts, now);
    world.stamp(&mut decision.effects);
    log(&ask, &decision);
    let outgoing = reply(packet, &decision.reply, &networks, here);
    seen::decided(&engine.metrics, &ask, &decision, outgoing.as_ref());
    decision.effects.iter().for_each(|effect| pool.apply(effect, now));
    Some(Answer { reply: decision.reply, outgoing, effects: decision.effects, holder: ask.holder })
}

fn log(ask: &OfferAsk, decision: &Decision<OfferReply>) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let why: Vec<_> = decision.why.iter().map(|reason| reason.to_string()).collect();
        tracing::debug!(holder = %ask.holder, client = %ask.client, message = ?ask.message, why = why.join("; "), "DHCP");
    }
}
