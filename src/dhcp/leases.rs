//! The one task that owns a network's pool: it asks `boot/offer`, applies the effects to its memory and
//! hands what must last to the store. The reply waits for the store's ticket; the loop does not.

use super::ask::{Received, ask};
use super::packet::Packet;
use super::reply::{Outgoing, reply};
use crate::boot::offer::{OfferAsk, OfferFacts, OfferReply};
use crate::boot::pool::Pool;
use crate::boot::{Ask, Decision, Effect, Here};
use crate::engine::{Engine, stopped};
use crate::model::*;
use crate::store::{Change, Ticket};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;

/// How many packets may wait for their turn; the rest is dropped, and clients ask again.
pub const QUEUE: usize = 1024;
/// How long an address that the store refused is not offered: until the news of its holder came.
const REFUSED_SECS: u32 = 5;
/// How often ended offers are forgotten.
const SWEEP_SECS: u64 = 60;

/// A packet, and where its answer goes.
pub struct Question {
    pub packet: Packet,
    /// It came to our own address, not to everybody.
    pub unicast: bool,
    pub answer: mpsc::Sender<(Outgoing, Reply)>,
    pub reply: Reply,
}

/// What the socket needs to know to send an answer back.
pub type Reply = std::net::SocketAddr;

/// The owner of one network's pool.
pub struct Owner {
    network: Name,
    engine: Arc<Engine>,
    pool: Pool,
    /// Bindings that the store refused: what it holds is the truth.
    undo: (mpsc::UnboundedSender<Undo>, mpsc::UnboundedReceiver<Undo>),
}

struct Undo {
    mac: Mac,
    ip: Option<Ipv4Addr>,
}

impl Owner {
    pub fn new(network: Name, engine: Arc<Engine>) -> Owner {
        let pool = crate::engine::pool(&engine.store.world(), &network);
        Owner { network, engine, pool, undo: mpsc::unbounded_channel() }
    }

    /// Answers until the questions end, the network is removed or the server stops.
    pub async fn run(mut self, mut questions: mpsc::Receiver<Question>, mut stop: watch::Receiver<bool>) {
        let mut changes = self.engine.store.changes();
        let mut sweep = tokio::time::interval(std::time::Duration::from_secs(SWEEP_SECS));
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                Some(undo) = self.undo.1.recv() => self.take_back(&undo),
                change = changes.recv() => self.follow(change),
                question = questions.recv() => match question {
                    Some(question) => self.answer(question),
                    None => return,
                },
                _ = sweep.tick() => self.pool.sweep(self.engine.now()),
            }
        }
    }

    /// Another node's lease, or a record that took a lease away: memory follows the store.
    fn follow(&mut self, change: Result<Change, broadcast::error::RecvError>) {
        match change {
            Ok(Change::Lease { network, mac }) if network == self.network => {
                let lease = self.engine.store.world().lease(&network, mac).cloned();
                match lease {
                    Some(lease) => self.pool.apply(&Effect::Bind(lease)),
                    None => self.pool.forget(mac),
                }
            }
            Ok(Change::Everything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                self.pool = crate::engine::pool(&self.engine.store.world(), &self.network);
            }
            _ => {}
        }
    }

    /// A binding that was not kept: another node may have given the address away in the meantime, and an
    /// earlier or later packet of the same client may have been kept.
    fn take_back(&mut self, undo: &Undo) {
        let world = self.engine.store.world();
        self.pool.forget(undo.mac);
        let holder = undo.ip.and_then(|ip| world.lease_at(&self.network, ip));
        for lease in holder.into_iter().chain(world.lease(&self.network, undo.mac)) {
            self.pool.apply(&Effect::Bind(lease.clone()));
        }
        if let (Some(ip), None) = (undo.ip, holder) {
            self.pool.apply(&Effect::Avoid { ip, until: self.engine.now().plus_secs(REFUSED_SECS) });
        }
    }

    fn answer(&mut self, question: Question) {
        let Some((network, here)) = self.place() else { return };
        let ask = match ask(&question.packet, Received { here: here.ip, unicast: question.unicast }) {
            Ok(ask) => ask,
            Err(why) => return tracing::debug!(%why, network.name = %self.network, "a DHCP packet is left unanswered"),
        };
        let decision = self.decide(&ask, &network, here);
        log(&ask, &decision);
        let bound = decision.effects.iter().find_map(|effect| match effect {
            Effect::Bind(lease) => Some(lease.ip),
            _ => None,
        });
        let undo = Undo { mac: ask.mac, ip: bound };
        decision.effects.iter().for_each(|effect| self.pool.apply(effect));
        let ticket = self.engine.store.record(decision.effects);
        let outgoing = reply(&question.packet, &decision.reply, &network, here);
        tokio::spawn(settle(ticket, outgoing, question, undo, self.undo.0.clone()));
    }

    /// The network as it is now, and our address on it; none when it was removed or its interface is down.
    fn place(&self) -> Option<(Network, Here)> {
        let network = self.engine.store.world().networks.get(&self.network)?.clone();
        let here = self.engine.here(&network)?;
        Some((network, here))
    }

    fn decide(&self, ask: &OfferAsk, network: &Network, here: Here) -> Decision<OfferReply> {
        let world = self.engine.store.world();
        let facts = OfferFacts {
            network,
            here,
            standing: world.standing(ask.mac),
            ranges: &world.ranges,
            pool: &self.pool,
            reserved: &|ip| world.reserved(ip),
            newcomers: &|| world.machines().filter(|m| is_newcomer(m)).count() as u64,
            fresh: [Uuid::now_v7(), Uuid::now_v7()],
        };
        ask.decide(facts, self.engine.now())
    }
}

/// A record that a packet has made, and nothing since.
fn is_newcomer(machine: &Machine) -> bool {
    let untouched = |i: &Install| i.before == State::Discovered && i.boots == 0;
    machine.state == State::Discovered
        || machine.state == State::Armed && machine.install.as_ref().is_some_and(untouched)
}

/// What a client was told is on disk before it is told.
async fn settle(
    ticket: Ticket,
    outgoing: Option<Outgoing>,
    question: Question,
    undo: Undo,
    undone: mpsc::UnboundedSender<Undo>,
) {
    if let Err(error) = ticket.await {
        tracing::warn!(%error, machine.mac = %undo.mac, "a DHCP answer was held back, because it could not be kept");
        let _ = undone.send(undo);
        return;
    }
    if let Some(outgoing) = outgoing {
        let _ = question.answer.send((outgoing, question.reply)).await;
    }
}

fn log(ask: &OfferAsk, decision: &Decision<OfferReply>) {
    let why: Vec<_> = decision.why.iter().map(|reason| reason.to_string()).collect();
    tracing::debug!(machine.mac = %ask.mac, client = %ask.client, message = ?ask.message, why = why.join("; "), "DHCP");
}
