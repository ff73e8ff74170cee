//! What running systems ask for: whether there is something to do, and what they need to install themselves anew.

use super::kitchen::Dish;
use super::operate::stepped;
use super::serve::{Planned, TRIES, restless};
use super::{Engine, Error, fresh_secret};
use crate::boot::keys;
use crate::boot::reinstall::{CheckInAsk, ReinstallAsk, ReinstallFacts, ReinstallReply, StartsAsk, StartsReply, Wish};
use crate::boot::{Ask, Decision, Effect, Here, Tale, role};
use crate::family::{self, Start};
use crate::model::*;
use crate::store::Edit;
use serde_json::Value;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What a system that checked in is told, and what it last said that it is made of.
pub struct CheckedIn {
    pub wish: Wish,
    pub inventory: Option<Value>,
}

/// What a system brings that would install itself anew.
pub struct Anew {
    pub life: Uuid,
    pub mac: Mac,
    pub profile: Option<Name>,
    pub carried: Option<Carried>,
}

/// All that starting an installer takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Kit {
    pub machine: Name,
    pub profile: Name,
    pub kernel: Part,
    pub initrd: Part,
    /// It carries the token of this boot.
    pub command_line: String,
    /// What its installer runs in.
    pub memory_mib: u64,
}

/// One file, below `/files/`.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub path: String,
    pub size_bytes: u64,
    pub sha256: Digest,
}

pub enum Granted {
    Kit(Box<Kit>),
    /// With what to do.
    Refused(String),
    /// Nobody has this credential.
    Nobody,
}

impl Engine {
    /// A system was heard; none if the credential is nobody's.
    pub async fn heard(
        &self,
        credential: &str,
        (life, up_secs): (Uuid, u32),
        from: Ipv4Addr,
    ) -> Result<Option<CheckedIn>, Error> {
        let (hash, ask) = (Secret::new(credential).hash(), CheckInAsk { from, life, up_secs });
        for _ in 0..TRIES {
            let Some((decision, inventory)) =
                self.decided(hash, |machine| (ask.decide(machine, self.now()), machine.inventory.clone()))
            else {
                return Ok(None);
            };
            if !self.lost_the_race(decision.effects).await? {
                return Ok(Some(CheckedIn { wish: decision.reply, inventory }));
            }
        }
        Err(restless())
    }

    /// The way that a system is about to take, or why it takes none; false: it must not. None: nobody has this credential.
    pub async fn starts(
        &self,
        credential: &str,
        life: Uuid,
        way: Result<Way, String>,
        from: Ipv4Addr,
    ) -> Result<Option<bool>, Error> {
        let (hash, ask) = (Secret::new(credential).hash(), StartsAsk { from, life, way });
        for _ in 0..TRIES {
            let decided = self.decided(hash, |machine| (ask.decide(machine, self.now()), ()));
            let Some((decision, ())) = decided else { return Ok(None) };
            if !self.lost_the_race(decision.effects).await? {
                return Ok(Some(decision.reply == StartsReply::Taken));
            }
        }
        Err(restless())
    }

    /// The database is asked nothing: whose credential it is, memory knows.
    pub(super) fn decided<R, T>(
        &self,
        credential: Hash,
        decide: impl Fn(&Machine) -> (Decision<R>, T),
    ) -> Option<(Decision<R>, T)> {
        let world = self.store.world();
        let (mut decision, beside) = decide(world.machine_with_credential(credential)?);
        world.stamp(&mut decision.effects);
        Some((decision, beside))
    }

    /// What a running system needs to start its installer, if it may.
    pub async fn reinstall(&self, credential: &str, anew: Anew, from: Ipv4Addr) -> Result<Granted, Error> {
        let hash = Secret::new(credential).hash();
        let Anew { life, mac, profile, carried } = anew;
        let ask = ReinstallAsk { from, life, mac, profile, carried };
        for _ in 0..TRIES {
            let token = fresh_secret()?;
            let Some((decision, dish)) = self.decide_reinstall(&ask, hash, &token) else { return Ok(Granted::Nobody) };
            let granted = match &decision.reply {
                ReinstallReply::Rename { machine, profile } => match self.rename(*machine, profile).await {
                    Ok(()) => continue,
                    Err(error) => return self.not_started(*machine, from, error),
                },
                ReinstallReply::Refused(text) => Granted::Refused(text.clone()),
                ReinstallReply::Start { machine, .. } => match self.cooked_kit(dish, &token).await {
                    Ok(kit) => Granted::Kit(Box::new(kit)),
                    Err(error) => return self.not_started(*machine, from, error),
                },
            };
            if !self.lost_the_race(decision.effects).await? {
                return Ok(granted);
            }
        }
        Err(restless())
    }

    fn decide_reinstall(
        &self,
        ask: &ReinstallAsk,
        credential: Hash,
        token: &Secret,
    ) -> Option<Planned<ReinstallReply>> {
        let world = self.store.world();
        let machine = world.machine_with_credential(credential)?;
        let own = machine.interface(ask.mac).and_then(|card| card.ip).filter(|_| ask.carried.is_none());
        let network = world.network_of(own.unwrap_or(ask.from));
        let facts = ReinstallFacts {
            machine,
            network,
            lease: network.and_then(|network| world.lease(&network.name, &ask.mac.into())),
            permitted_by: keys::may_reinstall(machine, &world.keys, ask.from, self.now()).map(|key| &key.name),
            profiles: &world.profiles,
            ranges: &world.ranges,
            hindrance: self.hindrance(),
            install: Uuid::now_v7(),
            ticket: self.ticket(token, ask.from),
        };
        let mut decision = ask.decide(facts, self.now());
        world.stamp(&mut decision.effects);
        let step = decision.effects.iter().find_map(|effect| match effect {
            Effect::Step(step) => Some(step.clone()),
            _ => None,
        });
        let dish = match (&decision.reply, step) {
            (ReinstallReply::Start { profile, at, .. }, Some(step)) => network.map(|network| {
                let here = self.here_inside(network)?;
                Dish::gather(&world, &stepped(machine, step), profile, *at, (network, here))
            }),
            _ => None,
        };
        Some((decision, dish))
    }

    async fn cooked_kit(&self, dish: Option<Result<Dish, Error>>, token: &Secret) -> Result<Kit, Error> {
        let gone = || Error::Conflict("its network or its profile is gone".into());
        self.kit(&dish.ok_or_else(gone)??, token).await
    }

    /// Nothing was changed, and the arming holds.
    fn not_started(&self, machine: MachineId, from: Ipv4Addr, error: Error) -> Result<Granted, Error> {
        let text = format!("its running system was given nothing to start, and nothing is spent: {error}");
        self.tell(Tale::new(self.now(), Kind::Alarm, text).of(machine).from(from));
        match error {
            Error::Store(_) | Error::Internal(_) => Err(error),
            error => Ok(Granted::Refused(error.to_string())),
        }
    }

    /// On the word of its own system: what would not install changes nothing.
    async fn rename(&self, id: MachineId, profile: &Name) -> Result<(), Error> {
        let _turn = self.changing().await;
        let known = self.store.world().machine(id).cloned();
        let machine = known.ok_or_else(|| Error::Missing("the machine was removed meanwhile".into()))?;
        let by = format!("the system of {}", machine.name);
        let renamed = Machine { profile: Some(profile.clone()), ..machine };
        self.inside_on_paper(&renamed).await?;
        self.store.edit(Edit::SetMachine(renamed), &by, self.now()).await?;
        Ok(())
    }

    /// Marks a machine for its running system: the agent takes it up at its next check-in. Everything is rendered first.
    pub async fn reinstall_machine(&self, name: &Name, profile: Option<Name>, by: &str) -> Result<(), Error> {
        let machine = self.named(name)?;
        if machine.credential.is_none() {
            return Err(Error::Conflict(format!(
                "machine {name} has no registered system that could start its installer: `kickstand machine arm {name}` installs it at its next network boot"
            )));
        }
        let wanted = Machine { profile: profile.or_else(|| machine.profile.clone()), ..machine.clone() };
        self.inside_on_paper(&stepped(&wanted, self.arming(&wanted, true)?)).await?;
        if wanted.profile != machine.profile {
            let _turn = self.changing().await;
            self.store.edit(Edit::SetMachine(wanted), by, self.now()).await?;
        }
        // The edit has turned its revision.
        let step = self.arming(&self.named(name)?, true)?;
        let text = format!("armed by {by} for its running system: the agent starts the installer at its next check-in");
        self.step(machine.id, step, text).await
    }

    /// Renders all that its running system would be given, where it was last heard or would boot.
    async fn inside_on_paper(&self, machine: &Machine) -> Result<(), Error> {
        self.may_install()?;
        self.look_at_templates().await;
        let dish = {
            let world = self.store.world();
            let card = machine.interfaces.first();
            let heard = card.and_then(|card| {
                let ip = card.ip.or_else(|| Some(world.check_in(machine.id)?.ip))?;
                Some((card.mac, ip, world.network_of(ip)?))
            });
            let (at, network, profile) = match heard {
                Some((mac, ip, network)) => {
                    let (profile, why) = role::profile(Some(machine), ip, &world.ranges, network);
                    ((mac, ip), network, profile.ok_or(Error::Invalid(why.text))?)
                }
                _ => {
                    let seat = self.seat(&world, machine)?;
                    ((seat.mac, seat.ip), seat.network, self.speaker(&world, machine, &seat)?)
                }
            };
            Dish::gather(&world, machine, profile, at, (network, self.here_inside(network)?))?
        };
        self.kit(&dish, &fresh_secret()?).await.map(drop)
    }

    /// Renders what the boot leads to, too: a broken template burns nothing.
    async fn kit(&self, dish: &Dish, token: &Secret) -> Result<Kit, Error> {
        // Else its disk would be wiped for a system that can not register.
        self.check_key(dish)?;
        let (distro, family) = (&dish.recipe.distro, dish.recipe.distro.family);
        if family::row(family).start != Start::Linux {
            let text = format!(
                "a running Linux can not start what the {family} family boots: arm it and boot it from the network"
            );
            return Err(Error::Invalid(text));
        }
        self.files_of(&dish.recipe)?;
        self.check_answers(dish, token).await?;
        Ok(Kit {
            machine: dish.machine.name.clone(),
            profile: dish.recipe.profile.clone(),
            kernel: self.part(&distro.kernel).await?,
            initrd: self.part(&distro.initrd).await?,
            command_line: self.command_line(dish, token)?,
            memory_mib: self.with_defaults(dish)?.get("installer_memory_mib").map_or(0, mib),
        })
    }

    /// Us, as a running system of this network reaches us: it need not be where we serve anything else.
    pub(super) fn here_inside(&self, network: &Network) -> Result<Here, Error> {
        let first = || self.addresses().first().map(|ip| self.here_as(*ip, network));
        self.here(network).or_else(first).ok_or_else(|| Error::Conflict("this server has no address now".into()))
    }

    async fn part(&self, path: &str) -> Result<Part, Error> {
        let read = self.digests.below(&self.files, path).await;
        let read = read.map_err(|source| Error::File { path: path.to_owned(), source })?;
        let (sha256, size_bytes) = read.ok_or_else(|| Error::Invalid(format!("there is no file {path} to boot")))?;
        Ok(Part { path: path.to_owned(), size_bytes, sha256 })
    }
}

/// A number, or a text that is one: its shape was checked.
fn mib(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}
