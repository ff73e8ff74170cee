//! A boot on paper, played by the code that answers the wire: for `why`, and for the check before arming.

use super::kitchen::Dish;
use super::why::Scene;
use super::{Engine, Error, fresh_secret};
use crate::boot::keys::{self, Comer};
use crate::boot::lacking::{self, Lacking};
use crate::boot::offer::OfferReply;
use crate::boot::paper::{self, Boot, PaperBoot, PaperFacts};
use crate::boot::pool::Pool;
use crate::boot::script::{Hindrance, ScriptReply};
use crate::boot::{Here, Standing, lifecycle};
use crate::model::*;
use crate::render;
use crate::store::World;
use std::sync::Arc;

/// What playing a boot came to: its scenes, and the installer that it would lead to.
pub(super) type Played = (Vec<Scene>, Option<Install>);

pub(super) struct Install {
    pub dish: Result<Dish, Error>,
    /// The language of its script, and what its kernel comes by.
    pub way: (Language, By),
}

/// Writes an answer out, field by field. DHCP gives it: this room knows no packets.
pub type Spell = fn(Client, Mac, &OfferReply, &[&Network], Here) -> Option<String>;

/// What a boot on paper is played with.
struct Scenery<'a> {
    networks: Vec<&'a Network>,
    network: &'a Network,
    here: Here,
    standing: Standing<'a>,
    pool: Pool,
    shelf: Arc<Shelf>,
    hindrance: Option<Hindrance>,
}

impl Scenery<'_> {
    fn facts<'a>(&'a self, world: &'a World) -> PaperFacts<'a> {
        let Scenery { networks, network, here, standing, pool, shelf, hindrance } = self;
        let (here, standing, hindrance) = (*here, *standing, *hindrance);
        PaperFacts { networks, network, here, standing, records: world, pool, shelf, hindrance }
    }
}

/// The installer that a boot leads to.
fn install(world: &World, facts: &PaperFacts<'_>, (mac, boot): (Mac, Option<Boot>), now: Time) -> Option<Install> {
    let Boot { ip, script: ScriptReply::Install { profile, .. }, language, by } = boot? else { return None };
    let newcomer = lifecycle::newcomer(mac, State::Armed, [uuid::Uuid::nil(); 2], now);
    let machine = match facts.standing {
        Standing::Machine(machine) => machine,
        _ => &newcomer,
    };
    let planned = Dish::plan_by(facts.records, world, machine, &profile, (mac, ip), (facts.network, facts.here));
    Some(Install { dish: planned.and_then(Dish::enough), way: (language, by) })
}

/// What machines are: each may be told of another loader.
pub(super) const FIRMWARE: [Arch; 3] = [Arch::BIOS, Arch::X64_UEFI, Arch::ARM64_UEFI];

impl Engine {
    /// From now on answers are told in full.
    pub fn spell_by(&self, spell: Spell) {
        let _ = self.spell.set(spell);
    }

    /// Plays an install of this machine to the end on paper; the error is what stands in its way.
    pub(super) async fn install_on_paper(&self, machine: &Machine) -> Result<(), Error> {
        let Some(first) = machine.interfaces.first() else {
            return Err(Error::Invalid(format!("machine {} has no interface to boot from", machine.name)));
        };
        // With the whole of what to do.
        self.may_install()?;
        // Who just imported a loader has not waited for the next look.
        self.read_shelf_now();
        self.look_at_templates().await;
        let (mut rendered, mut last) = (Vec::new(), String::new());
        // Nobody knows as which firmware it will ask: every script that it may be given must render.
        for arch in FIRMWARE {
            let (scenes, install) = self.play(first.mac, arch, Some(machine))?;
            match install {
                Some(Install { way, .. }) if rendered.contains(&way) => {}
                Some(install) => {
                    rendered.push(install.way);
                    self.check_dish(install).await.map_err(not_armed)?;
                }
                None if last.is_empty() => {
                    last = scenes.last().and_then(|s| s.why.last()).map(|why| why.to_string()).unwrap_or_default();
                }
                None => {}
            }
        }
        match rendered.is_empty() {
            true => Err(Error::Invalid(format!("machine {} can not be installed: {last}", machine.name))),
            false => Ok(()),
        }
    }

    pub(super) fn play(&self, mac: Mac, arch: Arch, instead: Option<&Machine>) -> Result<Played, Error> {
        let world = self.store.world();
        let scenery = self.scenery(&world, mac, instead)?;
        let facts = scenery.facts(&world);
        let PaperBoot { scenes, client, reply, boot } = paper::play(mac, arch, &facts, self.now());
        let install = install(&world, &facts, (mac, boot), self.now());
        let mut scenes: Vec<_> = scenes.into_iter().map(Scene::from).collect();
        if let (Some(first), Some(spell)) = (scenes.first_mut(), self.spell.get()) {
            first.text = spell(client, mac, &reply, facts.networks, facts.here);
        }
        Ok((scenes, install))
    }

    /// The same boot again without each word that may have counted: what that was, and what would have happened.
    pub(super) fn play_without(
        &self,
        mac: Mac,
        arch: Arch,
        instead: Option<&Machine>,
        dish: Option<&Dish>,
    ) -> Result<Vec<(String, Played)>, Error> {
        let world = self.store.world();
        let scenery = self.scenery(&world, mac, instead)?;
        let facts = scenery.facts(&world);
        let played = |lacking: Lacking<'_>| {
            let networks = lacking.networks(&facts);
            let facts = lacking.facts(&networks, &facts);
            let PaperBoot { scenes, boot, .. } = paper::play(mac, arch, &facts, self.now());
            let install = install(&world, &facts, (mac, boot), self.now());
            (lacking.what.clone(), (scenes.into_iter().map(Scene::from).collect(), install))
        };
        let (ip, profile) = dish.map(|dish| (dish.ip, &dish.recipe.profile)).unzip();
        Ok(lacking::lacking(&facts, (mac, arch), ip, profile).into_iter().map(played).collect())
    }

    /// A machine's boot in any world, on paper as well; none where nobody can say from which network it boots.
    pub(super) fn boot_on_paper(&self, world: &World, machine: &Machine, arch: Arch) -> Option<PaperBoot> {
        let mac = machine.interfaces.first()?.mac;
        let standing = Standing::Machine(machine);
        let network = self.network_of(world, mac, standing).ok()?;
        let scenery = Scenery {
            networks: world.wire(network),
            network,
            here: self.here_or_there(network),
            standing,
            pool: pool(world, network.link(), self.store.seed()),
            shelf: self.shelf(),
            // Records are compared, whatever this server can do now.
            hindrance: None,
        };
        Some(paper::play(mac, arch, &scenery.facts(world), self.now()))
    }

    fn scenery<'a>(&self, world: &'a World, mac: Mac, instead: Option<&'a Machine>) -> Result<Scenery<'a>, Error> {
        let standing = instead.map_or_else(|| world.standing(mac), Standing::Machine);
        let network = self.network_of(world, mac, standing)?;
        let Some(here) = self.here(network) else {
            return Err(Error::Invalid(format!(
                "no interface of this server has an address on network {} ({}): give it one, and name it in kickstand.toml",
                network.name, network.cidr
            )));
        };
        let networks = world.wire(network);
        // An address may be kept for it there.
        let standing = match standing {
            Standing::Unknown => world.standing_of(&networks, &mac.into(), None, None),
            standing => standing,
        };
        let pool = pool(world, network.link(), self.store.seed());
        Ok(Scenery { networks, network, here, standing, pool, shelf: self.shelf(), hindrance: self.hindrance() })
    }

    /// The network that this MAC would boot from: that of its address, its lease, or where it was heard.
    pub(super) fn network_of<'a>(
        &self,
        world: &'a World,
        mac: Mac,
        standing: Standing<'_>,
    ) -> Result<&'a Network, Error> {
        let reserved = match standing {
            Standing::Machine(machine) => machine.interface(mac).and_then(|i| i.ip),
            _ => world.reservations().find(|kept| kept.by == Mark::Mac(mac)).map(|kept| kept.ip),
        };
        let by_lease =
            || world.leases().find(|lease| lease.holder.mac() == Some(mac)).map(|lease| lease.network.clone());
        let by_sight = || world.sighting(mac).map(|seen| seen.network.clone());
        let found = reserved
            .and_then(|ip| world.network_of(ip))
            .or_else(|| by_lease().or_else(by_sight).and_then(|name| world.networks.get(&name)));
        let served = || {
            let mut served = world.networks.values().filter(|n| self.here(n).is_some());
            served.next().filter(|_| served.next().is_none())
        };
        found.or_else(served).ok_or_else(|| {
            Error::Invalid(format!(
                "nobody can say from which network {mac} boots: it has no address, no lease and was not heard yet; give it an address"
            ))
        })
    }

    /// Renders all that the installer would be given, with a token that opens nothing.
    pub(super) async fn check_dish(&self, install: Install) -> Result<Dish, Error> {
        let (dish, (language, by)) = (install.dish?, install.way);
        let token = fresh_secret()?;
        self.files_of(&dish.recipe)?;
        self.check_key(&dish)?;
        self.check_answers(&dish, &token).await?;
        self.install_script(&dish, &token, language, by).await?;
        Ok(dish)
    }

    /// A key that opens nothing now would leave an installed machine unregistered.
    pub(super) fn check_key(&self, dish: &Dish) -> Result<(), Error> {
        let comer = Comer { machine: Some(&dish.machine), from: Some(dish.ip) };
        let granted = keys::grant(&dish.recipe.keys, &self.store.world().keys, comer, self.now());
        granted.map(drop).map_err(|why| Error::Invalid(why.text))
    }
}

fn not_armed(error: Error) -> Error {
    match error {
        Error::Template(fault) => {
            let text = format!("{}; no machine was armed", fault.text);
            Error::Template(render::Error { text, ..fault })
        }
        other => other,
    }
}

/// The pools of a wire as their committed leases show them.
pub fn pool(world: &World, link: &Name, seed: u32) -> Pool {
    let mut pool = Pool::seeded(seed);
    let networks: Vec<_> = world.networks.values().filter(|network| network.link() == link).collect();
    pool.lay_out(networks.iter().copied());
    networks.iter().flat_map(|network| world.leases_on(&network.name)).for_each(|lease| pool.take(lease));
    pool
}
