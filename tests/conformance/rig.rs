//! A server without a socket: an engine on a store of its own, the pools, and a clock that tests move.

use kickstand::assets::Assets;
use kickstand::boot::Effect;
use kickstand::boot::offer::OfferReply;
use kickstand::boot::pool::Pool;
use kickstand::dhcp::desk::{self, Heard, Unheard};
use kickstand::dhcp::place::Arrival;
use kickstand::dhcp::reply::Outgoing;
use kickstand::engine::{self, Engine, Parts};
use kickstand::model::*;
use kickstand::store::{Change, Edit, Error, Store, Ticket};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::broadcast;

pub const HERE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// Where and how a packet arrived.
#[derive(Debug, Clone)]
pub struct From {
    pub ours: Vec<Ipv4Addr>,
    pub sender: Ipv4Addr,
    pub boot_port: bool,
    pub relays_only: bool,
}

impl From {
    pub fn nobody() -> From {
        From { ours: vec![HERE], sender: Ipv4Addr::UNSPECIFIED, boot_port: false, relays_only: false }
    }
}

/// What became of a packet.
#[derive(Debug)]
pub enum Outcome {
    Unheard(#[expect(dead_code, reason = "for whoever reads a failure")] Unheard),
    /// It was read, and was no question to us.
    Ignored,
    /// Decided; `sent` is none for silence, and where the store refused what was to be promised.
    Decided {
        reply: OfferReply,
        sent: Option<Outgoing>,
        effects: Vec<Effect>,
        refused: Option<Error>,
    },
}

impl Outcome {
    pub fn sent(&self) -> Option<&Outgoing> {
        match self {
            Outcome::Decided { sent, .. } => sent.as_ref(),
            _ => None,
        }
    }
}

pub struct Server {
    pub engine: Arc<Engine>,
    pub now: Time,
    pools: HashMap<Name, Pool>,
    changes: broadcast::Receiver<Change>,
    _folder: TempDir,
}

/// In memory where there is one: tests of what is said, not of what a disk takes.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Server {
    pub async fn start() -> Server {
        let folder = folder();
        let store = Store::open(&format!("sqlite://{}/kickstand.db", folder.path().display())).await.unwrap();
        let parts = Parts {
            store,
            assets: Assets { operator: None },
            files: folder.path().to_owned(),
            loaders: Vec::new(),
            http_port: 80,
            https_port: None,
            addresses: vec![HERE],
            lifetimes: Default::default(),
        };
        let engine = Engine::new(parts).await.unwrap();
        let changes = engine.store.changes();
        Server { engine, now: Time::from_secs(1_800_000_000), pools: HashMap::new(), changes, _folder: folder }
    }

    /// An operator's change; the pools follow it as their owners would.
    pub async fn edit(&mut self, edit: Edit) -> Result<(), Error> {
        self.engine.store.edit(edit, "test", self.now).await?;
        self.follow();
        Ok(())
    }

    /// What was written comes back to the pools, as to their owners.
    pub fn follow(&mut self) {
        let world = self.engine.store.world();
        while let Ok(change) = self.changes.try_recv() {
            for (link, pool) in &mut self.pools {
                let networks = || world.networks.values().filter(|network| network.link() == link);
                match &change {
                    Change::Networks => pool.lay_out(networks()),
                    Change::Lease { network, holder } if networks().any(|n| n.name == *network) => {
                        match world.lease(network, holder) {
                            Some(lease) => pool.take(lease),
                            None => pool.forget(holder),
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    pub fn wait(&mut self, secs: u32) {
        self.now = self.now.plus_secs(secs);
    }

    /// What owners do every minute.
    pub fn sweep(&mut self) {
        self.pools.values_mut().for_each(|pool| pool.sweep(self.now));
    }

    /// A restart: what was only memory's is gone.
    pub fn forget_memory(&mut self) {
        self.pools.clear();
    }

    /// A packet's whole way. The answer is held back until what it promises is written.
    pub async fn hear(&mut self, bytes: &[u8], from: &From) -> Outcome {
        let (outcome, ticket) = self.take(bytes, from);
        match (outcome, ticket) {
            (Outcome::Decided { reply, sent, effects, .. }, Some(ticket)) => {
                let promises = effects.iter().any(Effect::is_promise);
                let refused = ticket.await.err();
                self.follow();
                let held_back = promises && refused.is_some();
                Outcome::Decided { reply, sent: sent.filter(|_| !held_back), effects, refused }
            }
            (outcome, _) => outcome,
        }
    }

    /// The same without waiting for the store.
    pub fn take(&mut self, bytes: &[u8], from: &From) -> (Outcome, Option<Ticket>) {
        let arrival = Arrival { ours: &from.ours, from: from.sender, relays_only: from.relays_only };
        let heard = Heard::read(bytes, arrival, from.boot_port, &self.engine.store.world());
        let heard = match heard {
            Ok(heard) => heard,
            Err(why) => return (Outcome::Unheard(why), None),
        };
        let link = heard.place.link.clone();
        let world = || self.engine.store.world();
        let pool = self.pools.entry(link.clone()).or_insert_with(|| engine::pool(&world(), &link, 0));
        let Some(answer) = desk::answer(&self.engine, pool, &heard, self.now) else { return (Outcome::Ignored, None) };
        let desk::Answer { reply, outgoing, effects, .. } = answer;
        let ticket = self.engine.store.record(effects.clone());
        self.move_on(&link);
        (Outcome::Decided { reply, sent: outgoing, effects, refused: None }, Some(ticket))
    }

    fn move_on(&mut self, link: &Name) {
        let world = self.engine.store.world();
        if let Some(pool) = self.pools.get_mut(link) {
            pool.move_on(&|network, ip| {
                let pooled = world.networks.get(network).is_some_and(|n| n.pooled(ip) && n.can_hold(ip));
                pooled && world.reserved(ip).is_none() && world.reservation_at(ip).is_none()
            });
        }
    }
}
