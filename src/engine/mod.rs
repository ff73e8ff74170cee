//! The one road that every protocol takes: facts in, decision out, text rendered, effects recorded.
//!
//! `serve` answers machines, `scripts` and `loaders` say what boot files hold, `shelf` which there are, `operate` carries out what operators ask, `reinstall` what running systems do, `paper` tells what would
//! happen, `kitchen` turns a recipe into texts (`answers`: which files a token opens), `texts` has the templates for it, with `look` (files), `follow` (when they change), `versions` (what the API changes) and `compare` (what a change would do); `variables` tells where each value comes from, `seat` where a machine would boot, `revisions` how the configuration was and the way back, `trust` which CA machines are told of, `paper` shows answer files without their secrets; `cobbler` is for clients of Cobbler. None of them decides: `boot/` does.

mod answers;
mod bootstrap;
mod cheetah;
pub mod cobbler;
mod compare;
mod dated;
mod digests;
mod error;
pub mod folder;
mod follow;
mod gauges;
mod join;
mod kitchen;
mod loaders;
mod look;
mod masked;
mod operate;
mod pace;
mod paper;
mod reinstall;
mod revisions;
mod scripts;
mod seat;
mod serve;
mod served;
mod shelf;
mod texts;
mod tokens;
mod trust;
mod variables;
mod versions;
mod why;

pub use bootstrap::{Agent, Bootstrap, is_host};
pub use compare::{Broken, Comparison, Group};
pub use dated::{Dated, DatedRecord};
pub use error::{Error, ErrorKind};
pub use gauges::{Fill, fill};
pub use join::Reactivated;
pub use loaders::{BootFile, Loaded};
pub use masked::Paper;
pub use paper::{Spell, pool};
pub use reinstall::{Anew, CheckedIn, Granted, Kit, Part};
pub use serve::{Newcomer, Outside, Welcome};
pub use shelf::quirks;
pub use texts::From;
pub use tokens::fresh_secret;
pub use trust::{FoundCa, LostCa, Trust};
pub use variables::{Over, Variable};
pub use versions::InUse;
pub use why::{Instead, Scene, Whom};

use crate::assets::Assets;
use crate::boot::lifecycle::Lifetimes;
use crate::boot::{Effect, Here, Tale};
use crate::capture::Captures;
use crate::metrics::Metrics;
use crate::model::*;
use crate::store::Store;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::SystemTime;
use tokio::sync::watch;

/// Waits until the server is told to stop.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Who could say so is gone: that is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Everything that answering takes. Shared by all protocols.
pub struct Engine {
    pub store: Store,
    pub assets: Assets,
    /// Kernels, initrds and images.
    pub files: PathBuf,
    /// Folders with boot loaders.
    pub folders: Vec<PathBuf>,
    loaders: loaders::Loaders,
    shelves: shelf::Shelves,
    scripts: scripts::Scripts,
    texts: texts::Texts,
    defaults: kitchen::Defaults,
    digests: digests::Digests,
    pub http_port: u16,
    /// None: it is not served.
    pub https_port: Option<u16>,
    pub metrics: Metrics,
    pace: pace::Pace,
    /// Held by who changes a record: what was read must be what is written over.
    changing: tokio::sync::Mutex<()>,
    /// The last DHCP packets of each machine.
    pub captures: Captures,
    spell: OnceLock<paper::Spell>,
    /// None: there is no CA that machines could be told of.
    trust: RwLock<Option<Arc<Trust>>>,
    lost_ca: OnceLock<trust::LostCa>,
    vouch: OnceLock<trust::Vouch>,
    /// Our own addresses, as the interfaces have them now.
    addresses: RwLock<Vec<Ipv4Addr>>,
    /// Keys of single installs and report URLs are derived with it.
    secret: [u8; 32],
    /// Of the tokens of boots.
    lifetimes: Lifetimes,
    cobbler: OnceLock<cobbler::Cobbler>,
    pub started_at: Time,
}

/// What an engine is made from.
pub struct Parts {
    pub store: Store,
    pub assets: Assets,
    pub files: PathBuf,
    pub loaders: Vec<PathBuf>,
    pub http_port: u16,
    pub https_port: Option<u16>,
    pub addresses: Vec<Ipv4Addr>,
    pub lifetimes: Lifetimes,
}

impl Engine {
    /// For who reads a record, changes it and writes it back: those of this node take turns. Of another node's change the store tells.
    pub async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    pub async fn new(parts: Parts) -> Result<Arc<Engine>, Error> {
        let secret = parts.store.server_secret().await?;
        let Parts { store, assets, files, loaders, http_port, https_port, addresses, lifetimes } = parts;
        let addresses = RwLock::new(addresses);
        let started_at = SystemTime::now().into();
        let (metrics, captures) = (Metrics::default(), Captures::default());
        let engine = Engine {
            store,
            assets,
            files,
            folders: loaders,
            loaders: loaders::Loaders::default(),
            shelves: shelf::Shelves::default(),
            scripts: scripts::Scripts::default(),
            texts: texts::Texts::default(),
            defaults: kitchen::Defaults::default(),
            digests: digests::Digests::default(),
            http_port,
            https_port,
            metrics,
            pace: pace::Pace::default(),
            changing: Default::default(),
            captures,
            spell: OnceLock::new(),
            trust: RwLock::default(),
            lost_ca: OnceLock::new(),
            vouch: OnceLock::new(),
            addresses,
            secret,
            lifetimes,
            cobbler: OnceLock::new(),
            started_at,
        };
        engine.read_shelf();
        engine.look_at_templates().await;
        Ok(Arc::new(engine))
    }

    pub fn now(&self) -> Time {
        SystemTime::now().into()
    }

    /// Where machines on this network reach us: none when no interface of ours is on it and no relay leads there.
    pub fn here(&self, network: &Network) -> Option<Here> {
        let addresses = self.addresses.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let on_it = addresses.iter().find(|ip| network.cidr.contains(**ip));
        let routed = || addresses.first().filter(|_| !network.dhcp.relays.is_empty() || network.dhcp.link.is_some());
        Some(self.here_as(*on_it.or_else(routed)?, network))
    }

    /// The same where the address is known already.
    pub fn here_as(&self, ip: Ipv4Addr, network: &Network) -> Here {
        let https_port = self.https_port.filter(|_| network.dhcp.https);
        Here { ip, http_port: self.http_port, https_port, pinned: self.pinned(ip) }
    }

    /// An interface came, went or changed its address.
    pub fn set_addresses(&self, addresses: Vec<Ipv4Addr>) {
        *self.addresses.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = addresses;
    }

    pub fn addresses(&self) -> Vec<Ipv4Addr> {
        self.addresses.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Writes a line of history that no decision made: a file that was sent, a start.
    pub fn tell(&self, tale: Tale) {
        drop(self.store.record(vec![Effect::Tell(tale)]));
    }

    /// A line of history that anybody on the network could cause: so many, and no more.
    fn tell_of(&self, from: Ipv4Addr, tale: Tale) {
        if self.pace.allows(from) {
            self.tell(tale.from(from));
        }
    }

    /// Effects of a refusal are lines of history, and have the same limit.
    fn within_pace(&self, from: Ipv4Addr, effects: Vec<Effect>) -> Vec<Effect> {
        let only_told = effects.iter().all(|effect| matches!(effect, Effect::Tell(_)));
        if only_told && !effects.is_empty() && !self.pace.allows(from) { Vec::new() } else { effects }
    }
}
