//! `kickstand rehearse`: virtual clients with real packets against a second server of the same code.
//!
//! In reading order: [`cast`] (who is rehearsed), [`atlas`] (which loopback address stands for which real one), [`copy`] (the
//! records, in memory, with fake secrets), [`stage`] (the second server, with a CA of its own: [`trust`]), [`entrance`] (the way to it), [`play`] (all
//! clients), [`life`] (what one does: [`power_on`], [`firmware`], [`client`], [`dhcp`], [`tftp`], [`script`]), [`post`] (its sockets,
//! which [`loss`] takes packets from), [`report`] (what came of it).
//!
//! The real database is only looked at, the key of its secrets not even that. No packet leaves this host: servers and
//! clients are on loopback, at ports that the kernel chose. Deliberately absent: a switch for any of this in `dhcp`, `tftp` or `http`.

pub mod atlas;
pub mod cast;
mod client;
mod copy;
mod dhcp;
mod entrance;
pub mod firmware;
mod life;
mod loss;
mod play;
mod post;
mod power_on;
pub mod report;
mod script;
mod stage;
mod tftp;
mod trust;

use crate::boot::lifecycle::Lifetimes;
use crate::engine;
use crate::http::house;
use crate::model::*;
use crate::store::{self, Store, World};
use atlas::Atlas;
use cast::{Homes, Selector};
use copy::Copy;
use firmware::Firmware;
use play::Play;
use report::Report;
use stage::Stage;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Engine(#[from] engine::Error),
    #[error(transparent)]
    TooLarge(#[from] atlas::TooLarge),
    #[error("there are no machines: `kickstand machine add` writes them down, or rehearse newcomers with --count N")]
    NoMachines,
    #[error("no machine is {0}: see `kickstand machine list`")]
    NoneOf(String),
    #[error("there are no networks: `kickstand network add` writes one down")]
    NoNetworks,
    #[error("no network has a pool for newcomers: `kickstand network set NAME --pool FIRST-LAST`")]
    NoPools,
    #[error("no CA can be made for the rehearsal: {0}")]
    Ca(String),
    #[error("{0} can not be served on loopback: {1}; is the limit of open files (`ulimit -n`) high enough?")]
    Socket(&'static str, std::io::Error),
}

/// What is there: all of it is only read.
#[derive(Debug, Clone)]
pub struct Settings {
    pub database: String,
    pub files: PathBuf,
    pub loaders: Vec<PathBuf>,
    pub templates: PathBuf,
    /// Addresses of the real server that its database does not tell.
    pub servers: Vec<Ipv4Addr>,
    pub lifetimes: Lifetimes,
    pub tftp: crate::tftp::Limits,
    pub http: house::Limits,
    /// Whether machines are told https:// URLs.
    pub https: bool,
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    pub who: Who,
    /// Instead of what machines are known to have.
    pub firmware: Vec<Firmware>,
    /// Per cent of datagrams, each way.
    pub loss: f64,
    pub seed: u64,
    /// How many clients run at once.
    pub at_once: usize,
    /// Kernels and initrds are fetched to their ends.
    pub whole: bool,
}

#[derive(Debug, Clone)]
pub enum Who {
    Machines(Option<Selector>),
    Newcomers(usize),
}

/// Plays it all. `heard` is told how many clients are done, and of how many.
pub async fn rehearse(settings: Settings, wish: Wish, mut heard: impl FnMut(usize, usize)) -> Result<Report, Error> {
    let world = Store::look_at(&settings.database).await?;
    let mut notes = Vec::new();
    let servers = servers(&world, &settings, &mut notes)?;
    notes.push(match settings.https {
        true => "a CA that was made for the rehearsal stood for the real one".to_owned(),
        false => "answer files were rendered as without HTTPS, as [https] is set".to_owned(),
    });
    let https: Vec<_> = world.networks.values().filter(|n| n.dhcp.https).map(|n| n.name.to_string()).collect();
    if !https.is_empty() {
        let believed = if settings.https { "https:// URLs, and believed that CA" } else { "http:// URLs" };
        notes.push(format!(
            "firmware on {} was sent to {believed}: what the real one believes was not tried",
            https.join(", ")
        ));
    }
    let relayed = servers.iter().filter(|ip| world.network_of(**ip).is_none());
    let alone = relayed.filter_map(|ip| ipnetwork::Ipv4Network::new(*ip, 32).ok());
    let atlas = Atlas::of(world.networks.values().map(|network| network.cidr).chain(alone))?;
    let armed = match &wish.who {
        Who::Machines(selector) => Homes::of(&world).select(selector.as_ref())?.iter().map(|m| m.id).collect(),
        Who::Newcomers(_) => BTreeSet::new(),
    };
    let store = Store::in_memory().await?;
    let now = SystemTime::now().into();
    Copy { world: &world, atlas: &atlas, now }.fill(&store, &armed).await?;
    let staged = servers.iter().map(|ip| atlas.stage(*ip)).collect();
    let stage = Arc::new(Stage::build(&settings, store, atlas, staged, wish.whole).await?);
    let (actors, absent) = entrance::cast_of(&world, &stage, &wish, &armed)?;
    let mut play = Play::new(stage.clone(), Report::new(&wish, notes));
    absent.into_iter().for_each(|told| play.report.add(told));
    play.run(actors, &wish, &mut heard).await;
    let report = play.end();
    if let Ok(stage) = Arc::try_unwrap(stage).map_err(drop) {
        stage.end().await;
    }
    Ok(report)
}

/// Our addresses as the real server last said them, or as they are set; where nobody said a word, one on each network.
fn servers(world: &World, settings: &Settings, notes: &mut Vec<String>) -> Result<Vec<Ipv4Addr>, Error> {
    if world.networks.is_empty() {
        return Err(Error::NoNetworks);
    }
    let said = settings.servers.iter().chain(world.servers.keys()).copied();
    let mut known: Vec<_> = said.filter(|ip| !ip.is_unspecified()).collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        notes.push("no server has said its addresses yet, so one was made up on each network".to_owned());
        let is_taken = |network: &Network, ip: Ipv4Addr| {
            network.gateway == Some(ip)
                || network.pooled(ip)
                || world.reserved(ip).is_some()
                || world.reservation_at(ip).is_some()
        };
        let free = |network: &Network| {
            let hosts = network.cidr.iter().filter(|ip| network.can_hold(*ip));
            hosts.take(1 << 16).find(|ip| !is_taken(network, *ip))
        };
        known = world.networks.values().filter_map(free).collect();
    }
    Ok(known)
}
