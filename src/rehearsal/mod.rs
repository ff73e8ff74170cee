//! `kickstand rehearse`: virtual clients with real packets against a second server of the same code.
//!
//! In reading order: [`cast`] (who is rehearsed), [`atlas`] (which loopback address stands for which real one), [`copy`] (the records, in memory, with fake
//! secrets), [`stage`] (the second server), [`life`] (what a client does, with [`firmware`], [`client`], [`dhcp`], [`tftp`], [`script`], and the sockets of [`post`], which
//! [`loss`] takes packets from), [`report`] (what came of it).
//!
//! The real database is only looked at, the key of its secrets not even that. No packet leaves this host: servers and
//! clients are on loopback, at ports that the kernel chose. Deliberately absent: a switch for any of this in `dhcp`, `tftp` or `http`.

pub mod atlas;
pub mod cast;
mod client;
mod copy;
mod dhcp;
pub mod firmware;
mod life;
mod loss;
mod post;
pub mod report;
mod script;
mod stage;
mod tftp;

use crate::boot::lifecycle::Lifetimes;
use crate::engine::{self, Whom};
use crate::http::house;
use crate::model::*;
use crate::store::{self, Store, World};
use atlas::Atlas;
use cast::{Actor, Homes, Selector};
use client::{Client, Fault, Step};
use copy::Copy;
use firmware::Firmware;
use life::Ended;
use loss::Loss;
use report::{Outcome, Report, Told};
use stage::Stage;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// How often a client is switched on, when it waits in vain: as often as an arming gives the installer away.
const POWER_ONS: u32 = 3;

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
    let (actors, absent) = cast_of(&world, &stage, &wish, &armed)?;
    let mut play = Play { stage: stage.clone(), silent: HashMap::new(), report: Report::new(&wish, notes) };
    absent.into_iter().for_each(|told| play.report.add(told));
    play.run(actors, &wish, &mut heard).await;
    let Play { stage: _, report, .. } = play;
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
            network.gateway == Some(ip) || network.pooled(ip) || world.reserved(ip).is_some() || world.reservation_at(ip).is_some()
        };
        let free = |network: &Network| {
            let hosts = network.cidr.iter().filter(|ip| network.can_hold(*ip));
            hosts.take(1 << 16).find(|ip| !is_taken(network, *ip))
        };
        known = world.networks.values().filter_map(free).collect();
    }
    Ok(known)
}

/// Who plays, and who can not and why.
fn cast_of(
    world: &World,
    stage: &Stage,
    wish: &Wish,
    armed: &BTreeSet<MachineId>,
) -> Result<(Vec<Actor>, Vec<Told>), Error> {
    let shelf = stage.engine.shelf();
    let mixture = if wish.firmware.is_empty() { Firmware::mixture(&shelf) } else { wish.firmware.clone() };
    let homes = Homes::of(world);
    let (mut actors, mut absent) = (Vec::new(), Vec::new());
    let mut place = |name: String, mac, home: Option<&Network>, firmware, machine: Option<MachineId>, installs| {
        let found = home.ok_or_else(|| {
            format!("nobody can say from which network {mac} boots: it has no address, no lease and was not heard yet; give it an address")
        });
        match found.and_then(|home| way(stage, home)) {
            Ok((door, relay, network)) => {
                let uuid = cast::uuid(mac);
                actors.push(Actor { name, mac, uuid, firmware, network, door, relay, machine, installs });
            }
            Err(text) => absent.push(Told::absent(name, text)),
        }
    };
    match wish.who {
        Who::Machines(_) => {
            for machine in armed.iter().filter_map(|id| world.machine(*id)) {
                let firmware = match wish.firmware.is_empty() {
                    true => homes.firmware(machine, &shelf, &mixture),
                    false => pick(&mixture, machine.interfaces.first().map_or(0, |card| cast::number(card.mac))),
                };
                let mac = machine.interfaces.first().map(|card| card.mac);
                match mac {
                    Some(mac) => place(machine.name.to_string(), mac, homes.network(machine), firmware, Some(machine.id), true),
                    None => place(machine.name.to_string(), Mac([0; 6]), None, firmware, Some(machine.id), true),
                }
            }
        }
        Who::Newcomers(count) => {
            let grounds = cast::grounds(world);
            if grounds.is_empty() {
                return Err(Error::NoPools);
            }
            for ((mac, home), number) in cast::newcomers(world).zip(grounds.iter().cycle()).zip(0..).take(count) {
                place(mac.to_string(), mac, Some(home), pick(&mixture, number), None, home.unknown == Unknown::Install);
            }
        }
    }
    Ok((actors, absent))
}

fn pick(mixture: &[Firmware], number: u64) -> Firmware {
    let at = (number % mixture.len().max(1) as u64) as usize;
    mixture.get(at).copied().unwrap_or(Firmware::Bios)
}

/// How packets of this network reach the server; the error is why they do not.
fn way(stage: &Stage, home: &Network) -> Result<(std::net::SocketAddr, Option<Ipv4Addr>, Name), String> {
    let world = stage.engine.store.world();
    let name = home.name.clone();
    let gone = || format!("network {name} is gone");
    let network = world.networks.get(&name).ok_or_else(gone)?;
    match network.dhcp.placement {
        Placement::Proxy => {
            return Err(format!("network {name} is served beside another DHCP server (--dhcp proxy), which a rehearsal does not play"));
        }
        Placement::Off => return Err(format!("network {name} is not served: `kickstand network set {name} --dhcp full`")),
        Placement::Full | Placement::Relayed => {}
    }
    let ours = stage.engine.addresses();
    let wire = world.wire(network);
    let on_wire = wire.iter().find_map(|network| ours.iter().find(|ip| network.cidr.contains(**ip)));
    let direct = on_wire.filter(|_| network.dhcp.placement == Placement::Full);
    let relay = || network.gateway.or_else(|| network.cidr.iter().find(|ip| network.can_hold(*ip)));
    let (ip, relay) = match direct {
        Some(ip) => (*ip, None),
        None if !network.dhcp.relays.is_empty() => {
            (*on_wire.or(ours.first()).ok_or_else(gone)?, relay())
        }
        None => {
            return Err(format!(
                "no interface of this server has an address on network {name} ({}): give it one, and name it in kickstand.toml, or name its relay",
                home.cidr
            ));
        }
    };
    stage.dhcp(ip).map(|door| (door, relay, name.clone())).ok_or_else(gone)
}

struct Play {
    stage: Arc<Stage>,
    /// Why a network leaves newcomers alone: asked once for each.
    silent: HashMap<Name, String>,
    report: Report,
}

/// How a client ended, with its laps.
struct Played {
    actor: Actor,
    ended: Result<Ended, Fault>,
    loader: Option<String>,
    laps: Vec<(Step, Duration)>,
    repeats: u64,
    power_ons: u32,
}

impl Play {
    async fn run(&mut self, actors: Vec<Actor>, wish: &Wish, heard: &mut impl FnMut(usize, usize)) {
        let (all, began) = (actors.len(), Instant::now());
        let places = Arc::new(Semaphore::new(wish.at_once.max(1)));
        let (done, mut ended) = mpsc::channel(64);
        let mut clients = JoinSet::new();
        for actor in actors {
            let (stage, places, done) = (self.stage.clone(), places.clone(), done.clone());
            let loss = Loss::new(wish.loss, wish.seed, cast::number(actor.mac));
            clients.spawn(async move {
                let _place = places.acquire_owned().await;
                let played = play(actor, &stage, loss).await;
                let _ = done.send(played).await;
            });
        }
        drop(done);
        let mut count = 0;
        while let Some(played) = ended.recv().await {
            count += 1;
            let told = self.told(played).await;
            self.report.add(told);
            heard(count, all);
        }
        self.report.took = began.elapsed();
    }

    /// With the words of the server, which knows more than a client is told.
    async fn told(&mut self, played: Played) -> Told {
        let Played { actor, ended, loader, laps, repeats, power_ons } = played;
        let machine = {
            let world = self.stage.engine.store.world();
            world.machine_with_mac(actor.mac).map(|m| (m.id, m.install.as_ref().and_then(|i| i.boot.as_ref()?.profile.clone())))
        };
        let id = machine.as_ref().map(|(id, _)| *id);
        let profile = machine.and_then(|(_, profile)| profile);
        let said = self.stage.said_of(id.or(actor.machine), actor.mac);
        let outcome = match ended {
            Ok(Ended::Installed { registered }) => Outcome::Installs { profile, registered },
            Ok(Ended::Shown) if !actor.installs => Outcome::Shown,
            Ok(Ended::Disk) if !actor.installs => Outcome::Disk,
            Ok(Ended::Disk | Ended::Shown) => {
                let text = self.why(&actor, said, "it was sent to its own disk").await;
                Outcome::Fails(Step::Script, text)
            }
            Ok(Ended::Other(text)) if !actor.installs => Outcome::Other(text),
            Ok(Ended::Other(text)) => Outcome::Fails(Step::Script, text),
            Err(Fault { step: Step::Address, silent: true, .. }) if !actor.installs => {
                Outcome::Nothing(self.why_silent(&actor, said).await)
            }
            Err(Fault { step, text, silent: true }) if step == Step::Address => {
                Outcome::Fails(step, self.why(&actor, said, &text).await)
            }
            Err(Fault { step, text, .. }) => Outcome::Fails(step, said.unwrap_or(text)),
        };
        let outcome = outcome.with_real(|text| self.stage.atlas.real_text(text));
        Told { name: actor.name, network: Some(actor.network), firmware: Some(actor.firmware), loader, outcome, laps, repeats, power_ons }
    }

    /// What history says, else the same boot on paper: its last reason.
    async fn why(&self, actor: &Actor, said: Option<String>, seen: &str) -> String {
        if let Some(said) = said {
            return said;
        }
        let whom = Whom::Mac(actor.mac);
        let told = match self.stage.engine.why(&whom, Some(actor.firmware.arch()), false).await {
            Ok(scenes) => scenes.iter().rev().find_map(|scene| scene.why.last().map(ToString::to_string)),
            Err(error) => Some(error.to_string()),
        };
        told.map_or_else(|| seen.to_owned(), |why| format!("{seen}; {why}"))
    }

    async fn why_silent(&mut self, actor: &Actor, said: Option<String>) -> String {
        if let Some(known) = self.silent.get(&actor.network) {
            return known.clone();
        }
        let said = said.map(|text| text.replace(&actor.mac.to_string(), "it"));
        let text = self.why(actor, said, "nobody answered").await;
        self.silent.insert(actor.network.clone(), text.clone());
        text
    }
}

/// As often as its patience and its arming last.
async fn play(actor: Actor, stage: &Stage, loss: Loss) -> Played {
    let mut client = Client::new(&actor, stage, loss);
    let mut power_ons = 1;
    let mut ended = client.live().await;
    while power_ons < POWER_ONS && actor.installs && ended.as_ref().is_err_and(|fault| fault.silent) {
        power_ons += 1;
        ended = client.live().await;
    }
    let Client { loader, laps, repeats, .. } = client;
    Played { ended, loader, laps, repeats, power_ons, actor }
}
