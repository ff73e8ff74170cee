//! What machines ask for over TFTP and HTTP: decided in `boot/`, rendered, recorded, then given away.

use super::kitchen::{Answer, Dish};
use super::{Engine, Error};
use crate::boot::autoinstall::{AutoinstallAsk, AutoinstallFacts, AutoinstallReply};
use crate::boot::register::{RegisterAsk, RegisterFacts, RegisterReply};
use crate::boot::report::{ReportAsk, ReportFacts, ReportReply, Stage};
use crate::boot::role;
use crate::boot::{Ask, Decision, Effect, Tale};
use crate::model::*;
use crate::store;
use kickstand_agent::kit::shortened;
use kickstand_agent::wire::PackagesOutcome;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How often a decision is made anew when somebody else changed the machine meanwhile.
pub(super) const TRIES: usize = 5;

/// A decision, and what an install would be made from.
pub(super) type Planned<R> = (Decision<R>, Option<Result<Dish, Error>>);

/// What an identity is made from.
pub struct Welcome {
    pub machine: MachineId,
    pub name: Name,
    /// What is to be installed on it.
    pub packages: Vec<Package>,
}

/// Why a system is not registered.
pub enum Outside {
    /// For the operator alone.
    Silent(String),
    /// For the system as well: it showed the right keys.
    Told(String),
}

/// What a system registers with.
pub struct Newcomer<'a> {
    /// The one of its install, or those that let systems join, with commas.
    pub key: &'a str,
    /// Chosen by the system itself: 256 bits in hexadecimal.
    pub credential: &'a str,
    pub inventory: serde_json::Value,
    /// What it wishes to be called, if its record is new.
    pub name: Option<&'a str>,
}

impl Engine {
    /// Records the effects; true if somebody else changed a record meanwhile, so that all must be decided anew.
    pub(super) async fn lost_the_race(&self, effects: Vec<Effect>) -> Result<bool, Error> {
        match self.store.record(effects).await {
            Err(store::Error::Conflict) => Ok(true),
            recorded => Ok(recorded.map(|()| false)?),
        }
    }

    /// The answer file that a token opens, or one of those beside it.
    pub async fn answer(&self, token: &str, file: Option<&str>, from: Ipv4Addr) -> Result<Option<String>, Error> {
        let token = Secret::new(token);
        for _ in 0..TRIES {
            let (mut decision, dish) = self.decide_answer(&token, file, from);
            let AutoinstallReply::Answer { machine } = decision.reply else {
                match self.lost_the_race(decision.effects).await {
                    Ok(true) => continue,
                    Ok(false) => return Ok(None),
                    Err(error) => return self.still_not_found(&error, from),
                }
            };
            let (mut answer, released) = match self.cook(dish, (&token, file), from).await {
                Ok(cooked) => cooked,
                Err(e) => return self.cannot_answer(machine, from, e),
            };
            decision.effects.extend(released);
            if self.lost_the_race(decision.effects).await? {
                continue;
            }
            return Ok(Some(std::mem::take(&mut *answer.text)));
        }
        Err(restless())
    }

    /// A database that is away must not tell a foreign token from an unknown one.
    fn still_not_found(&self, error: &Error, from: Ipv4Addr) -> Result<Option<String>, Error> {
        tracing::error!(%error, %from, "an answer file was asked for in vain, and that could not be written down");
        Ok(None)
    }

    fn decide_answer(&self, token: &Secret, file: Option<&str>, from: Ipv4Addr) -> Planned<AutoinstallReply> {
        let world = self.store.world();
        let machine = world.machine_with_token(token.hash());
        let dish = machine.and_then(|m| {
            let boot = m.install.as_ref()?.boot.as_ref()?;
            let network = world.network_of(boot.ip)?;
            // What its script was made from, whatever the records say by now.
            let now = || role::profile(Some(m), boot.ip, &world.ranges, network).0;
            let profile = boot.profile.as_ref().or_else(now)?;
            // Who came from inside was given no address by us, perhaps, and said which card it is.
            let (mac, here) = match &boot.inside {
                Some(inside) => (inside.mac, self.here_inside(network).ok()?),
                None => (world.lease_at(&network.name, boot.ip)?.holder.mac()?, self.here(network)?),
            };
            Some(Dish::gather(&world, m, profile, (mac, boot.ip), (network, here)))
        });
        let key = match (&dish, machine.and_then(|m| m.install.as_ref())) {
            (Some(Ok(dish)), Some(install)) => self.install_key(dish, install, token, file),
            _ => None,
        };
        let boot = machine.and_then(|m| m.install.as_ref()?.boot.as_ref());
        let lease = boot.and_then(|boot| world.lease_at(&world.network_of(boot.ip)?.name, boot.ip));
        // What cannot be gathered is told as the answer file's fault.
        let is_there = |dish: &Dish| dish.template_of(file).is_some();
        let is_there = dish.as_ref().and_then(|dish| dish.as_ref().ok()).is_none_or(is_there);
        let file = is_there.then(|| file.unwrap_or("answer file"));
        let facts = AutoinstallFacts { machine, lease, file, key, lives_secs: self.lifetimes.used_secs };
        let mut decision = AutoinstallAsk { token: token.hash(), from }.decide(facts, self.now());
        world.stamp(&mut decision.effects);
        (decision, dish)
    }

    /// The key that this file carries, if it registers.
    pub(super) fn install_key(
        &self,
        dish: &Dish,
        install: &Install,
        token: &Secret,
        file: Option<&str>,
    ) -> Option<InstallKey> {
        dish.carries_key(file).then(|| InstallKey {
            hash: self.derived("key", token).hash(),
            keys: dish.recipe.keys.clone(),
            machine: dish.machine.id,
            install: install.id,
            expires_at: self.now().plus_secs(InstallKey::LIFETIME_SECS),
            spent_at: None,
        })
    }

    /// The answer file, and what is to be told of the secrets that it carries.
    pub(super) async fn cook(
        &self,
        dish: Option<Result<Dish, Error>>,
        (token, file): (&Secret, Option<&str>),
        from: Ipv4Addr,
    ) -> Result<(Answer, Option<Effect>), Error> {
        let gone = || Error::Conflict("its network or its profile is gone".into());
        let dish = dish.ok_or_else(gone)??;
        let answer = self.answer_part(&dish, token, file).await?;
        let ask = AutoinstallAsk { token: token.hash(), from };
        let secrets: Vec<String> = answer.opened.names().cloned().collect();
        let released = ask.released(&dish.machine, &secrets, self.now());
        Ok((answer, released))
    }

    pub(super) fn cannot_answer(
        &self,
        machine: MachineId,
        from: Ipv4Addr,
        error: Error,
    ) -> Result<Option<String>, Error> {
        let text = format!("no answer file, and nothing is spent: {error}");
        self.tell(Tale::new(self.now(), Kind::Alarm, text).of(machine).from(from));
        Err(error)
    }

    /// An installer's report; false looks like a URL that does not exist.
    pub async fn report(&self, report: &str, from: Ipv4Addr, stage: Stage) -> Result<bool, Error> {
        let ask = ReportAsk { report: Secret::new(report).hash(), from, stage };
        for _ in 0..TRIES {
            let decision = {
                let world = self.store.world();
                let facts = ReportFacts { machine: world.machine_with_report(ask.report) };
                let mut decision = ask.decide(facts, self.now());
                world.stamp(&mut decision.effects);
                decision
            };
            if self.lost_the_race(decision.effects).await? {
                continue;
            }
            return Ok(decision.reply == ReportReply::Taken);
        }
        Err(restless())
    }

    /// A system comes in with its install's key, or by those that let systems join; the inner error is a refusal.
    pub async fn register(&self, newcomer: Newcomer<'_>, from: Ipv4Addr) -> Result<Result<Welcome, Outside>, Error> {
        let credential = newcomer.credential;
        if credential.len() != 64 || !credential.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(Err(Outside::Silent("the credential is not 256 bits in hexadecimal".into())));
        }
        // An install's key is one word.
        if newcomer.key.contains('.') {
            return self.join(newcomer, from).await;
        }
        let Newcomer { key, inventory, .. } = newcomer;
        let hash = Secret::new(key).hash();
        let ask = RegisterAsk { key: hash, from, inventory, credential: Secret::new(credential).hash() };
        for _ in 0..TRIES {
            let install_key = self.store.install_key(hash).await?;
            let decision = {
                let world = self.store.world();
                let key = install_key.as_ref();
                let facts = RegisterFacts {
                    install_key: key,
                    keys: &world.keys,
                    machine: key.and_then(|k| world.machine(k.machine)),
                };
                let mut decision = ask.decide(facts, self.now());
                world.stamp(&mut decision.effects);
                decision
            };
            if self.lost_the_race(decision.effects).await? {
                continue;
            }
            return Ok(outcome(decision.reply));
        }
        Err(restless())
    }

    /// A registered system tells what it is made of; false if the credential opens nothing.
    /// Whose agent tried to install no packages this time says nothing of them: what came of the last ones stays.
    pub async fn check_in(
        &self,
        credential: &str,
        mut inventory: serde_json::Value,
        from: Ipv4Addr,
    ) -> Result<bool, Error> {
        let hash = Secret::new(credential).hash();
        let known = self.store.world().machine_with_credential(hash).map(|m| (m.id, m.inventory.clone()));
        let Some((machine, before)) = known else { return Ok(false) };
        let packages = before.as_ref().and_then(|before| before.get("packages"));
        let tale = missing(inventory.get("packages").filter(|now| Some(*now) != packages));
        let tale = tale.map(|text| Effect::Tell(Tale::new(self.now(), Kind::Alarm, text).of(machine).from(from)));
        if let (Some(told), Some(packages)) = (inventory.as_object_mut(), packages) {
            told.entry("packages").or_insert_with(|| packages.clone());
        }
        let effects = std::iter::once(Effect::Inventory { machine, inventory }).chain(tale);
        self.store.record(effects.collect()).await?;
        Ok(true)
    }

    /// A boot file went out: a line of the timeline, under the machine that leased the address. Who has no lease is only
    /// counted, and who asks for more than a machine does gets no more lines than it needs.
    pub fn sent(&self, name: &str, from: Ipv4Addr, bytes: u64, took: Duration, by: &str) {
        let path = name.strip_prefix("files/").unwrap_or(name);
        let (kind, machine, mac) = {
            let world = self.store.world();
            let lease = world.network_of(from).and_then(|n| world.lease_at(&n.name, from));
            let Some(lease) = lease.filter(|_| self.pace.allows(from)) else { return };
            let mac = lease.holder.mac();
            let kernel = world.distros.values().any(|distro| distro.kernel == path);
            let loader = crate::boot::file::loader(name, &self.shelf()).is_some();
            let kind = if loader {
                Kind::Loader
            } else if kernel {
                Kind::Kernel
            } else {
                Kind::File
            };
            (kind, mac.and_then(|mac| world.machine_with_mac(mac)).map(|m| m.id), mac)
        };
        let text = format!("{path} by {by}, {} in {:.1} s", size(bytes), took.as_secs_f64());
        let mut tale = Tale::new(self.now(), kind, text).from(from);
        (tale.machine, tale.mac) = (machine, mac);
        self.tell(tale);
    }
}

/// What of its keys' packages could not be installed: the system is registered all the same.
fn missing(packages: Option<&serde_json::Value>) -> Option<String> {
    let told: PackagesOutcome = serde_json::from_value(packages?.clone()).ok()?;
    let text = format!("packages of its keys were not installed: {}: {}", told.wanted.join(", "), told.error);
    (!told.error.is_empty()).then(|| shortened(text))
}

pub(super) fn outcome(reply: RegisterReply) -> Result<Welcome, Outside> {
    match reply {
        RegisterReply::Welcome { machine, name, packages } => Ok(Welcome { machine, name, packages }),
        RegisterReply::Refused(text) => Err(Outside::Silent(text)),
        RegisterReply::Told(text) => Err(Outside::Told(text)),
    }
}

pub(super) fn restless() -> Error {
    Error::Conflict("the machine's record keeps changing: try again".into())
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
