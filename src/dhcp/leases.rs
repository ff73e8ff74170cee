//! The one task that owns a wire's pools: it asks `boot/offer`, applies the effects to its memory and hands what
//! must last to the store. The replies wait for the store's ticket; the loop does not.

use super::desk::{self, Answer, Heard};
use super::probe::Used;
use super::reply::Outgoing;
use super::server::Outlet;
use super::stock::{self, Proof, Stock};
use crate::boot::offer::OfferReply;
use crate::boot::pool::Pool;
use crate::boot::{Effect, giveback};
use crate::engine::{Engine, stopped};
use crate::model::*;
use crate::store::{Change, Error, Tickets, World};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};

/// How many packets may wait for their turn; the rest is dropped, and clients ask again.
pub const QUEUE: usize = 8192;
/// Its client has asked again by then (RFC 2131 §4.1): that packet is answered, and not both.
const STALE: std::time::Duration = std::time::Duration::from_secs(3);
/// How many are answered in one go, and share a commit.
const BATCH: usize = 256;
/// Of those that begin a dialogue fewer: who is in the middle of one comes first.
const BEGINNERS: usize = 64;
/// How long an address that the store refused is not offered: until the news of its holder came.
const REFUSED_SECS: u32 = 5;
/// How often ended offers are forgotten.
const SWEEP_SECS: u64 = 60;

/// A packet, and where its answer goes.
pub struct Question {
    pub heard: Heard,
    pub from: SocketAddr,
    pub outlet: Arc<Outlet>,
    pub received_at: std::time::Instant,
    /// The database was lost over it: it is answered a second time, and no more.
    pub again: bool,
}

/// The two queues of a wire: whoever begins a dialogue waits for those who are in the middle of one.
pub struct Queues {
    pub requests: mpsc::Receiver<Question>,
    pub discovers: mpsc::Receiver<Question>,
}

/// The owner of one wire's pools.
pub struct Owner {
    link: Name,
    engine: Arc<Engine>,
    pool: Pool,
    /// What the store refused: what it holds is the truth.
    undo: (mpsc::UnboundedSender<Undo>, mpsc::UnboundedReceiver<Undo>),
    stock: Stock,
    looks: Arc<Semaphore>,
    answering: mpsc::Sender<()>,
}

/// How many clients may wait for a second look at what is written.
const LOOKS: usize = 64;

struct Undo {
    holder: Holder,
    ip: Option<Ipv4Addr>,
    /// To be answered anew.
    question: Option<Question>,
}

/// A reply that waits for its effects to be written.
struct Pending {
    outgoing: Option<Outgoing>,
    question: Question,
    undo: Undo,
}

impl Owner {
    pub fn new(link: Name, engine: Arc<Engine>, interfaces: Arc<[String]>, answering: mpsc::Sender<()>) -> Owner {
        let pool = crate::engine::pool(&engine.store.world(), &link, engine.store.seed());
        Owner {
            link,
            engine,
            pool,
            undo: mpsc::unbounded_channel(),
            stock: Stock::new(interfaces),
            looks: Arc::new(Semaphore::new(LOOKS)),
            answering,
        }
    }

    /// Answers until the questions end or the server stops.
    pub async fn run(mut self, mut queues: Queues, mut stop: watch::Receiver<bool>) {
        let mut changes = self.engine.store.changes();
        let mut sweep = tokio::time::interval(std::time::Duration::from_secs(SWEEP_SECS));
        let mut stock = tokio::time::interval(stock::EVERY);
        stock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut batch, mut beginners) = (Vec::with_capacity(BATCH), Vec::with_capacity(BEGINNERS));
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return,
                Some(undo) = self.undo.1.recv() => self.take_back(undo),
                change = changes.recv() => self.follow(change),
                _ = sweep.tick() => self.pool.sweep(self.engine.now()),
                Some(proof) = self.stock.proofs() => self.learn(proof),
                _ = stock.tick() => {
                    super::seen::stock(&self.engine.metrics, &self.pool);
                    self.ask_for_proofs();
                }
                count = queues.requests.recv_many(&mut batch, BATCH) => match count {
                    0 => return,
                    _ => self.answer(batch.drain(..)),
                },
                count = queues.discovers.recv_many(&mut beginners, BEGINNERS) => match count {
                    0 => return,
                    _ => self.answer(beginners.drain(..)),
                },
            }
        }
    }

    /// Another node's lease, or a record that changed something: memory follows the store.
    fn follow(&mut self, change: Result<Change, broadcast::error::RecvError>) {
        let world = self.engine.store.world();
        let ours = |network: &Name| world.networks.get(network).is_some_and(|n| *n.link() == self.link);
        match change {
            Ok(Change::Lease { network, holder }) if ours(&network) => match world.lease(&network, &holder) {
                Some(lease) => self.pool.take(lease),
                None => self.pool.forget(&holder),
            },
            Ok(Change::Networks) => self.pool.lay_out(wire(&world, &self.link)),
            Ok(Change::Everything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                let mut pool = crate::engine::pool(&world, &self.link, self.engine.store.seed());
                pool.keep_offers(&self.pool, self.engine.now());
                self.pool = pool;
            }
            _ => {}
        }
    }

    /// A binding that was not kept: another node may have given the address away in the meantime, and an
    /// earlier or later packet of the same client may have been kept.
    fn take_back(&mut self, undo: Undo) {
        {
            let world = self.engine.store.world();
            self.pool.forget(&undo.holder);
            let networks: Vec<_> = wire(&world, &self.link).collect();
            let at = |ip| networks.iter().find_map(|network| world.lease_at(&network.name, ip));
            let holder = undo.ip.and_then(at);
            let own = networks.iter().find_map(|network| world.lease(&network.name, &undo.holder));
            holder.into_iter().chain(own).for_each(|lease| self.pool.take(lease));
            if let (Some(ip), None) = (undo.ip, holder) {
                self.pool.refuse(ip, self.engine.now().plus_secs(REFUSED_SECS));
            }
        }
        self.answer(undo.question.into_iter());
    }

    fn answer(&mut self, questions: impl Iterator<Item = Question>) {
        let (mut pending, mut effects) = (Vec::new(), Vec::new());
        for question in questions {
            if question.received_at.elapsed() > STALE && !question.again {
                self.engine.metrics.dropped(crate::metrics::Dropped::Overload);
                continue;
            }
            let answer = desk::answer(&self.engine, &mut self.pool, &question.heard, self.engine.now());
            let Some(Answer { reply, outgoing, effects: decided, holder }) = answer else { continue };
            if matches!(reply, OfferReply::Nak(_)) && self.engine.store.is_shared() && !question.again {
                self.look_first(holder, question);
                continue;
            }
            if decided.iter().any(Effect::is_promise) {
                let bound =
                    |effect: &Effect| if let Effect::Bind { lease, .. } = effect { Some(lease.ip) } else { None };
                let undo = Undo { holder, ip: decided.iter().find_map(bound), question: None };
                pending.push(Pending { outgoing, question, undo });
                effects.push(decided);
                continue;
            }
            // What is only memory's and history's need not be waited for.
            drop(self.engine.store.record(decided));
            question.answer(outgoing, &self.engine);
        }
        if !pending.is_empty() {
            let tickets = self.engine.store.record_all(effects);
            let (settled, answering) =
                (settle(tickets, pending, self.engine.clone(), self.undo.0.clone()), self.answering.clone());
            tokio::spawn(async move {
                settled.await;
                drop(answering);
            });
        }
        self.move_on();
    }

    /// Another node may have given this client an address a moment ago: before it is told no, what is
    /// written is read again. A flood of such questions is left unanswered.
    fn look_first(&self, holder: Holder, question: Question) {
        let Ok(turn) = self.looks.clone().try_acquire_owned() else {
            return self.engine.metrics.dropped(crate::metrics::Dropped::Overload);
        };
        let (engine, undone) = (self.engine.clone(), self.undo.0.clone());
        let networks: Vec<_> = wire(&engine.store.world(), &self.link).map(|network| network.name.clone()).collect();
        let changes = networks.into_iter().map(|network| Change::Lease { network, holder: holder.clone() }).collect();
        tokio::spawn(async move {
            let _turn = turn;
            let _ = engine.store.look(changes).await;
            let _ = undone.send(Undo { holder, ip: None, question: Some(Question { again: true, ..question }) });
        });
    }

    /// So that no OFFER waits for a probe, addresses are probed before somebody needs them.
    fn ask_for_proofs(&mut self) {
        if self.stock.is_busy() || self.engine.store.lost_since().is_some() {
            return;
        }
        let engine = self.engine.clone();
        let world = engine.store.world();
        let probed = |network: &Name| world.networks.get(network).filter(|n| n.dhcp.probe);
        let now = self.engine.now();
        let held = |ip| world.hold(ip).is_some_and(|hold| hold.until > now);
        let usable = |network: &Name, ip| probed(network).is_some_and(|n| may_be_given(&world, n, ip)) && !held(ip);
        let wanted = self.pool.unproven(&usable, now).into_iter();
        let wanted: Vec<_> = wanted.filter_map(|(name, ips)| Some((world.networks.get(&name)?.clone(), ips))).collect();
        // Opening a socket takes a moment, and the writer waits for whoever reads the World.
        drop(world);
        wanted.into_iter().for_each(|(network, ips)| self.stock.probe(&network, ips));
    }

    /// What a probe found: free addresses for the stock, and hosts that nobody here knows.
    fn learn(&mut self, proof: Proof) {
        let now = self.engine.now();
        for ip in proof.free {
            self.pool.proven(ip, now);
        }
        for used in proof.used {
            // Whoever got it in the meantime may have answered, or who had it last.
            if self.pool.holder(used.ip, now).is_some() || self.is_its_own(&proof.network, used) {
                continue;
            }
            let before = self.engine.store.world().hold(used.ip).cloned();
            let effects = giveback::found_in_use(&proof.network, used.ip, used.mac, before.as_ref(), now);
            effects.iter().for_each(|effect| self.pool.apply(effect, now));
            drop(self.engine.store.record(effects));
        }
    }

    /// A client that uses an address which it was given here: no stranger, whatever the clock says.
    fn is_its_own(&self, network: &Name, used: Used) -> bool {
        let world = self.engine.store.world();
        let written = world.lease_at(network, used.ip).and_then(|lease| lease.holder.mac());
        used.mac.is_some() && (written == used.mac || self.pool.last_holder(used.ip).and_then(Holder::mac) == used.mac)
    }

    fn move_on(&mut self) {
        let engine = self.engine.clone();
        let (world, now) = (engine.store.world(), engine.now());
        self.pool.move_on(&|network, ip| {
            let held = || world.hold(ip).is_some_and(|hold| hold.until > now);
            world.networks.get(network).is_some_and(|network| may_be_given(&world, network, ip)) && !held()
        });
    }
}

/// Pooled, and kept for nobody.
fn may_be_given(world: &World, network: &Network, ip: Ipv4Addr) -> bool {
    let kept = world.reserved(ip).is_some() || world.reservation_at(ip).is_some() || network.gateway == Some(ip);
    network.pooled(ip) && network.can_hold(ip) && !kept
}

fn wire<'a>(world: &'a World, link: &Name) -> impl Iterator<Item = &'a Network> {
    world.networks.values().filter(move |network| network.link() == link)
}

/// What clients were told is on disk before they are told.
async fn settle(tickets: Tickets, pending: Vec<Pending>, engine: Arc<Engine>, undone: mpsc::UnboundedSender<Undo>) {
    for (ended, waiting) in tickets.settled().await.into_iter().zip(pending) {
        let Pending { outgoing, question, mut undo } = waiting;
        match ended {
            Ok(()) => question.answer(outgoing, &engine),
            Err(error) => {
                engine.metrics.dropped(crate::metrics::Dropped::NotWritten);
                tracing::warn!(%error, holder = %undo.holder, "a DHCP answer was held back, because it could not be kept");
                let again = !question.again && engine.store.lost_since().is_some() && !matches!(error, Error::Conflict);
                undo.question = again.then_some(Question { again: true, ..question });
                let _ = undone.send(undo);
            }
        }
    }
}
