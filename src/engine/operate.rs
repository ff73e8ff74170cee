//! What operators ask for that moves a machine along: arm, disarm, adopt, replace.

use super::{Engine, Error};
use crate::boot::lifecycle::{self, Moment, Next};
use crate::boot::{Effect, Step, Tale};
use crate::model::*;
use crate::store::{self, Edit};
use uuid::Uuid;

impl Engine {
    /// The next network boot installs. Everything is rendered first: what does not render arms nothing.
    pub async fn arm(&self, name: &Name, by: &str) -> Result<(), Error> {
        let machine = self.named(name)?;
        let step = self.arming(&machine, false)?;
        self.install_on_paper(&stepped(&machine, step.clone())).await?;
        let text = format!("armed by {by}: the next network boot installs");
        self.step(machine.id, step, text).await
    }

    /// The next network boot leads to the disk again.
    pub async fn disarm(&self, name: &Name, by: &str) -> Result<(), Error> {
        let machine = self.named(name)?;
        match lifecycle::next(&machine, Moment::Disarm, self.now()) {
            Next::Step(step) => self.step(machine.id, step, format!("disarmed by {by}")).await,
            Next::Already => Ok(()),
            Next::Refused(why) => Err(Error::Conflict(why.text)),
        }
    }

    /// Makes a record of a MAC that was heard, or takes in a discovered machine.
    pub async fn adopt(&self, mac: Mac, name: Option<Name>, by: &str) -> Result<Name, Error> {
        let (known, seen) = {
            let world = self.store.world();
            if let Some(retired) = world.tombstone(mac) {
                return Err(Error::Conflict(format!(
                    "{mac} was replaced by {} at {} and gets no role again: if it is meant, `kickstand machine forget {mac}` first",
                    retired.replaced_by, retired.at
                )));
            }
            (world.machine_with_mac(mac).cloned(), world.sighting(mac).is_some())
        };
        match known {
            Some(machine) if machine.state == State::Discovered => self.take_in(machine, name, by).await,
            Some(machine) => Err(Error::Conflict(format!("{mac} is held by machine {} already", machine.name))),
            None if !seen => Err(Error::Missing(format!(
                "{mac} was never heard on a served network: power it on, or `kickstand machine add NAME --mac {mac}`"
            ))),
            None => {
                let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::now_v7(), Uuid::now_v7()], self.now());
                machine.name = name.unwrap_or(machine.name);
                let adopted = machine.name.clone();
                let added = self.store.edit(Edit::AddMachines(vec![machine]), by, self.now()).await;
                added.map_err(store::Error::alone)?;
                Ok(adopted)
            }
        }
    }

    async fn take_in(&self, machine: Machine, name: Option<Name>, by: &str) -> Result<Name, Error> {
        if let Some(name) = name.filter(|name| *name != machine.name) {
            let renamed = Machine { name, ..machine.clone() };
            self.store.edit(Edit::SetMachine(renamed), by, self.now()).await?;
        }
        let machine = self.by_id(machine.id)?;
        if let Next::Step(step) = lifecycle::next(&machine, Moment::Adopt, self.now()) {
            self.step(machine.id, step, format!("adopted by {by}")).await?;
        }
        Ok(machine.name)
    }

    /// Puts a new card on the record of a failed machine: id, name, address, profile and history stay.
    pub async fn replace(&self, name: &Name, old: Option<Mac>, new: Mac, arm: bool, by: &str) -> Result<(), Error> {
        let machine = self.named(name)?;
        let old = which(&machine, old)?;
        if machine.has(new) {
            return Err(Error::Conflict(format!("machine {name} has {new} already")));
        }
        let Next::Step(step) = lifecycle::next(&machine, Moment::Replace, self.now()) else {
            return Err(Error::Conflict(format!("machine {name} can not be replaced in state {}", machine.state)));
        };
        let mut renewed = stepped(&machine, step);
        renewed.interfaces.iter_mut().filter(|i| i.mac == old).for_each(|i| i.mac = new);
        if arm {
            renewed = stepped(&renewed, self.arming(&renewed, false)?);
            self.install_on_paper(&renewed).await?;
        }
        let edit = Edit::Replace {
            machine: machine.id,
            from: machine.revision,
            old,
            new,
            at: self.now(),
            state: renewed.state,
            install: renewed.install,
        };
        self.store.edit(edit, by, self.now()).await.map_err(|e| raced(e, name))
    }

    /// For its next network boot, or for its running system alone; who is armed already is armed anew.
    pub(super) fn arming(&self, machine: &Machine, inside_only: bool) -> Result<Step, Error> {
        match lifecycle::next(machine, Moment::Arm { install: Uuid::now_v7(), inside_only }, self.now()) {
            Next::Step(step) => Ok(step),
            Next::Already => Err(Error::Conflict(format!("machine {} is armed already", machine.name))),
            Next::Refused(why) => Err(Error::Conflict(why.text)),
        }
    }

    /// The machine as arming it would leave it.
    pub(super) fn as_if_armed(&self, machine: Machine) -> Result<Machine, Error> {
        Ok(stepped(&machine, self.arming(&machine, false)?))
    }

    pub(super) async fn step(&self, machine: MachineId, step: Step, text: String) -> Result<(), Error> {
        let name = self.by_id(machine)?.name;
        let tale = Tale::new(self.now(), Kind::State, text).of(machine);
        let ticket = self.store.record(vec![Effect::Step(step), Effect::Tell(tale)]);
        ticket.await.map_err(|e| raced(e, &name))
    }

    pub fn named(&self, name: &Name) -> Result<Machine, Error> {
        let found = self.store.world().machine_named(name).cloned();
        found.ok_or_else(|| {
            Error::Missing(format!("there is no machine {name}: `kickstand machine list` shows those that are"))
        })
    }

    fn by_id(&self, id: MachineId) -> Result<Machine, Error> {
        let found = self.store.world().machine(id).cloned();
        found.ok_or_else(|| Error::Missing("the machine was removed meanwhile".into()))
    }
}

/// The machine as it will be after a step.
pub(super) fn stepped(machine: &Machine, step: Step) -> Machine {
    Machine { state: step.state, install: step.install, ..machine.clone() }
}

fn which(machine: &Machine, old: Option<Mac>) -> Result<Mac, Error> {
    match (old, machine.interfaces.as_slice()) {
        (Some(old), _) if machine.has(old) => Ok(old),
        (Some(old), _) => Err(Error::Missing(format!("machine {} has no interface {old}", machine.name))),
        (None, [only]) => Ok(only.mac),
        (None, several) => {
            let macs: Vec<_> = several.iter().map(|i| i.mac.to_string()).collect();
            let text =
                format!("machine {} has {}: say with --old which one was replaced", machine.name, macs.join(", "));
            Err(Error::Invalid(text))
        }
    }
}

fn raced(error: store::Error, name: &Name) -> Error {
    match error {
        store::Error::Conflict => {
            Error::Conflict(format!("machine {name} was changed by somebody else meanwhile: look at it and try again"))
        }
        other => Error::Store(other),
    }
}
