//! Answer files by name, and what installers report by name: decided, rendered, recorded, then given away.

use crate::boot::named::{NamedAsk, NamedFacts, NamedReply, Papers, Turn, card_at};
use crate::boot::report::{self, NamedReportAsk, ReportReply, Stage};
use crate::boot::{Ask, Decision, Effect, Tale, role};
use crate::compat::cobbler::Subject;
use crate::engine::kitchen::Dish;
use crate::engine::serve::{Planned, TRIES, restless};
use crate::engine::{Engine, Error};
use crate::model::*;
use std::net::Ipv4Addr;
use uuid::Uuid;

impl Engine {
    /// The machine that is meant, if it is there; a profile is that of the machine that asks.
    pub(super) fn meant(&self, subject: &Subject, from: Ipv4Addr) -> Option<Name> {
        let world = self.store.world();
        match subject {
            Subject::System(name) => world.machine_named(name).map(|machine| machine.name.clone()),
            Subject::Profile(profile) => self.dish_by_profile(&world, profile, from).map(|dish| dish.machine.name),
        }
    }

    /// The answer file of the machine that is meant, or one of those beside it.
    pub async fn answer_by_name(
        &self,
        subject: &Subject,
        file: Option<&str>,
        from: Ipv4Addr,
    ) -> Result<Option<String>, Error> {
        let Some(name) = self.meant(subject, from) else { return Ok(None) };
        for _ in 0..TRIES {
            let Some((install, (mut decision, dish))) = self.decide_by_name(&name, file, from) else {
                self.tell_in_vain(&name, from, "asked for its answer file from no network of this server");
                return Ok(None);
            };
            let NamedReply::Answer { machine, turn, again } = decision.reply else {
                match self.lost_the_race(self.within_pace(from, decision.effects)).await {
                    Ok(true) => continue,
                    Ok(false) => return Ok(None),
                    Err(error) => {
                        tracing::error!(%error, %from, "an answer file was asked for by name in vain, and that could not be written down");
                        return Ok(None);
                    }
                }
            };
            let token = self.token_by_name(install, turn);
            let cooked = match self.is_whole(&dish, &token, again).await {
                Ok(()) => self.cook(dish, (&token, file), from).await,
                Err(error) => Err(error),
            };
            let (mut answer, released) = match cooked {
                Ok(cooked) => cooked,
                Err(error) => return self.cannot_answer(machine, from, error),
            };
            decision.effects.extend(released);
            if self.lost_the_race(decision.effects).await? {
                continue;
            }
            return Ok(Some(std::mem::take(&mut *answer.text)));
        }
        Err(restless())
    }

    /// As before a boot script: what is broken burns nothing.
    async fn is_whole(&self, dish: &Option<Result<Dish, Error>>, token: &Secret, again: bool) -> Result<(), Error> {
        let Some(Ok(dish)) = dish.as_ref().filter(|_| !again) else { return Ok(()) };
        self.files_of(&dish.recipe)?;
        self.check_answers(dish, token).await
    }

    /// The same for the same boot, and not to be had without the server's own secret.
    fn token_by_name(&self, install: Uuid, Turn { boots, repeats }: Turn) -> Secret {
        self.derived(&format!("boot by name {boots}.{repeats}"), &Secret::new(install.to_string()))
    }

    fn decide_by_name(&self, name: &Name, file: Option<&str>, from: Ipv4Addr) -> Option<(Uuid, Planned<NamedReply>)> {
        let world = self.store.world();
        let machine = world.machine_named(name)?;
        let network = world.network_of(from)?;
        let lease = world.lease_at(&network.name, from);
        let (now_speaks, _) = role::profile(Some(machine), from, &world.ranges, network);
        let under_way = machine.install.as_ref().and_then(|install| install.boot.as_ref());
        let profile = under_way.and_then(|boot| boot.profile.as_ref()).or(now_speaks);
        let kept = world.reserved(from);
        let mac = card_at(from, lease, kept, self.now()).filter(|mac| machine.has(*mac));
        let dish = mac
            .zip(profile)
            .zip(self.here(network))
            .map(|((mac, profile), here)| Dish::gather(&world, machine, profile, (mac, from), (network, here)));
        let install = machine.install.as_ref().map_or(Uuid::nil(), |install| install.id);
        let papers = |turn: Turn| {
            let token = self.token_by_name(install, turn);
            let dish = dish.as_ref().and_then(|dish| dish.as_ref().ok());
            let key = dish.zip(machine.install.as_ref());
            let key = key.and_then(|(dish, install)| self.install_key(dish, install, &token, file));
            Papers { ticket: self.ticket(&token, from), key }
        };
        let is_there = |dish: &Dish| dish.template_of(file).is_some();
        let is_there = dish.as_ref().and_then(|dish| dish.as_ref().ok()).is_none_or(is_there);
        let facts = NamedFacts {
            machine,
            lease,
            kept,
            profile,
            hindrance: self.hindrance(),
            file: is_there.then(|| file.unwrap_or("answer file")),
            papers: &papers,
            lives_secs: self.lifetimes.used_secs,
        };
        let mut decision: Decision<NamedReply> = NamedAsk { from }.decide(facts, self.now());
        world.stamp(&mut decision.effects);
        Some((install, (decision, dish)))
    }

    /// What an installer reports that knows nothing but its machine's name: believed of one whose answer file was
    /// fetched, from the address that it was given to.
    pub async fn report_by_name(&self, subject: &Subject, from: Ipv4Addr, stage: Stage) -> Result<bool, Error> {
        let Some(name) = self.meant(subject, from) else { return Ok(false) };
        let ask = NamedReportAsk { from, stage };
        for _ in 0..TRIES {
            let Some(decision) = self.decide_report_by_name(&name, &ask) else { return Ok(false) };
            if decision.reply == ReportReply::NotFound {
                // Whether it could be written down is nothing that a stranger is told.
                drop(self.store.record(self.within_pace(from, decision.effects)));
                return Ok(false);
            }
            if !self.lost_the_race(decision.effects).await? {
                return Ok(true);
            }
        }
        Err(restless())
    }

    fn decide_report_by_name(&self, name: &Name, ask: &NamedReportAsk) -> Option<Decision<ReportReply>> {
        let world = self.store.world();
        let mut decision = ask.decide(world.machine_named(name)?, self.now());
        world.stamp(&mut decision.effects);
        Some(decision)
    }

    fn tell_in_vain(&self, name: &Name, from: Ipv4Addr, what: &str) {
        let Some(machine) = self.store.world().machine_named(name).map(|machine| machine.id) else { return };
        let text = format!("{name}: {from} {what}");
        self.tell_of(from, Tale::new(self.now(), Kind::Refused, text).of(machine));
    }

    /// The machine of this name, if its installer runs at this address.
    pub(super) fn installs_at(&self, name: &Name, from: Ipv4Addr) -> Option<MachineId> {
        let world = self.store.world();
        world.machine_named(name).filter(|machine| report::installs_at(machine, from)).map(|machine| machine.id)
    }

    /// The system of this address was told of a kernel. One that is not armed will be refused its answer file, which is
    /// too late to say then.
    pub fn warn_if_not_armed(&self, file: &str, from: Ipv4Addr) {
        let unarmed = {
            let world = self.store.world();
            let machine = self.machine_at(&world, from).filter(|machine| !machine.state.installs());
            machine.map(|machine| (machine.id, machine.name.clone(), machine.state))
        };
        let Some((id, name, state)) = unarmed else { return };
        let text = format!(
            "{file} was fetched to start an installer on {name}, which is {state}: it will be refused its answer file; `kickstand machine arm {name}` first"
        );
        self.tell_of(from, Tale::new(self.now(), Kind::Refused, text).of(id));
    }

    /// A line of an installer's that changes nothing.
    pub fn tell_of_install(&self, subject: &Subject, from: Ipv4Addr, text: &str) -> bool {
        let Some(id) = self.meant(subject, from).and_then(|name| self.installs_at(&name, from)) else { return false };
        drop(self.store.record(vec![Effect::Tell(Tale::new(self.now(), Kind::State, text).of(id).from(from))]));
        true
    }
}
