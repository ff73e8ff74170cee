//! A snapshot of the real records in a store of its own: on loopback addresses, armed, with secrets that open nothing.

use super::atlas::Atlas;
use crate::boot::Effect;
use crate::boot::lifecycle::{self, Moment, Next};
use crate::model::*;
use crate::store::{Edit, Error, Store, World};
use ipnetwork::Ipv4Network;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Who writes, in history.
const BY: &str = "rehearsal";
/// How many records one transaction takes.
const BATCH: usize = 500;

/// What is copied, and how.
pub struct Copy<'a> {
    pub world: &'a World,
    pub atlas: &'a Atlas,
    pub now: Time,
}

impl Copy<'_> {
    /// The machines of `armed` are armed, the others stay as they are.
    pub async fn fill(&self, store: &Store, armed: &BTreeSet<MachineId>) -> Result<(), Error> {
        for edit in self.records() {
            store.edit(edit, BY, self.now).await?;
        }
        let machines: Vec<_> = self.world.machines().map(|machine| self.machine(machine, armed)).collect();
        for batch in machines.chunks(BATCH) {
            store.edit(Edit::AddMachines(batch.to_vec()), BY, self.now).await?;
        }
        self.leases(store).await
    }

    /// All but machines, each behind those that it speaks of.
    fn records(&self) -> Vec<Edit> {
        let world = self.world;
        // Profiles name keys, and keys may name profiles.
        let keys = || world.keys.values().map(|key| self.key(key));
        let mut edits: Vec<_> = keys().map(|key| Edit::AddKey(ActivationKey { profile: None, ..key })).collect();
        edits.extend(world.distros.values().cloned().map(faked).map(Edit::AddDistro));
        edits.extend(parents_first(world).into_iter().cloned().map(faked).map(Edit::AddProfile));
        edits.extend(keys().filter(|key| key.profile.is_some()).map(Edit::SetKey));
        edits.extend(world.networks.values().map(|network| Edit::AddNetwork(self.network(network))));
        edits.extend(world.ranges.iter().map(|range| Edit::AddRange(self.range(range))));
        edits.extend(world.classes.values().cloned().map(Edit::AddClass));
        edits.extend(
            world
                .reservations()
                .map(|kept| Edit::AddReservation(Reservation { ip: self.atlas.stage(kept.ip), ..kept.clone() })),
        );
        edits.extend(options(&world.options).map(Edit::SetOptions));
        edits.extend(world.templates().cloned().map(|version| {
            let TemplateVersion { name, text, whence, .. } = version;
            Edit::SetTemplate { name, text, whence }
        }));
        edits
    }

    fn span(&self, span: Span) -> Span {
        Span { first: self.atlas.stage(span.first), last: self.atlas.stage(span.last) }
    }

    /// What a relay forwards comes from the network itself here.
    fn network(&self, real: &Network) -> Network {
        let mut network = faked(real.clone());
        network.cidr = self.atlas.stage_network(real.cidr);
        network.gateway = real.gateway.map(|ip| self.atlas.stage(ip));
        network.pools.iter_mut().for_each(|pool| pool.span = self.span(pool.span));
        network.dhcp.excluded.iter_mut().for_each(|span| *span = self.span(*span));
        network.dhcp.relays = if real.dhcp.relays.is_empty() { Vec::new() } else { vec![network.cidr] };
        network
    }

    fn key(&self, real: &ActivationKey) -> ActivationKey {
        let mut key = faked(real.clone());
        // Of what a key allows, the part that lies in our networks is elsewhere here.
        let ours = || self.world.networks.values().map(|network| network.cidr);
        let inner = |a: Ipv4Network, b: Ipv4Network| match a.prefix() < b.prefix() {
            true => Some(b).filter(|b| a.contains(b.network())),
            false => Some(a).filter(|a| b.contains(a.network())),
        };
        let staged = real.addresses.iter().flat_map(|allowed| ours().filter_map(|network| inner(*allowed, network)));
        key.addresses.extend(staged.map(|network| self.atlas.stage_network(network)));
        key
    }

    fn range(&self, real: &Range) -> Range {
        Range { span: self.span(real.span), ..faked(real.clone()) }
    }

    fn machine(&self, real: &Machine, armed: &BTreeSet<MachineId>) -> Machine {
        let mut machine = faked(real.clone());
        machine.interfaces.iter_mut().for_each(|card| card.ip = card.ip.map(|ip| self.atlas.stage(ip)));
        machine.credential = None;
        if armed.contains(&machine.id)
            && let Next::Step(step) =
                lifecycle::next(&machine, Moment::Arm { install: Uuid::now_v7(), inside_only: false }, self.now)
        {
            (machine.state, machine.install) = (step.state, step.install);
        }
        machine
    }

    /// Who has an address gets it again: it names a profile.
    async fn leases(&self, store: &Store) -> Result<(), Error> {
        let known = |lease: &&Lease| self.world.networks.contains_key(&lease.network);
        let given = self.world.leases().filter(known).map(|lease| {
            let lease = Lease { ip: self.atlas.stage(lease.ip), ..lease.clone() };
            vec![Effect::Bind { lease, was: None }]
        });
        let held = self
            .world
            .holds()
            .filter(|hold| self.world.networks.contains_key(&hold.network))
            .map(|hold| vec![Effect::Avoid(Hold { ip: self.atlas.stage(hold.ip), ..hold.clone() })]);
        let all: Vec<_> = given.chain(held).collect();
        for batch in all.chunks(BATCH) {
            for ended in store.record_all(batch.to_vec()).settled().await {
                // Of two that had one address in turn, the later one has it.
                ended.or_else(|error| if matches!(error, Error::Conflict) { Ok(()) } else { Err(error) })?;
            }
        }
        Ok(())
    }
}

/// The same record with secrets of the same names, and values that say what they are.
fn faked<T: Varied>(mut record: T) -> T {
    record.hide();
    let secrets = record.varied().1;
    let names: Vec<String> = secrets.names().cloned().collect();
    for name in names {
        let value = fake(&name);
        secrets.put(&name, value.into());
    }
    record
}

/// Of the shape that its name promises: a hash is what crypt(3) would take for one.
pub fn fake(name: &str) -> String {
    match name.ends_with("_hash") {
        true => "$6$rehearsal$rehearsal".into(),
        false => format!("rehearsal-{}", name.replace('_', "-")),
    }
}

/// A profile that is in a circle, or whose parent is gone, comes last: the store refuses it and says so.
fn parents_first(world: &World) -> Vec<&Profile> {
    let (mut sorted, mut rest): (Vec<&Profile>, Vec<&Profile>) = (Vec::new(), world.profiles.values().collect());
    while !rest.is_empty() {
        let known = |name: &Name| sorted.iter().any(|profile| profile.name == *name);
        let (ready, waiting): (Vec<_>, Vec<_>) = rest.iter().partition(|p| p.parent.as_ref().is_none_or(known));
        if ready.is_empty() {
            sorted.extend(waiting);
            return sorted;
        }
        sorted.extend(ready);
        rest = waiting;
    }
    sorted
}

fn options(set: &OptionSet) -> Option<OptionPatch> {
    let mut patch = OptionPatch::default();
    for (option, value) in set.written() {
        patch.put(&option, Some(&value)).ok()?;
    }
    (!patch.is_empty()).then_some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fakes_say_what_they_are_and_fit_where_the_real_ones_did() {
        assert_eq!(fake("db_password"), "rehearsal-db-password");
        let hash = Variables::from([("root_password_hash".to_owned(), fake("root_password_hash").into())]);
        assert_eq!(crate::family::shapes::check(&hash), Ok(()));
        let names = ["rhsm_key", "scc_code", "pro_token"].map(|name| (name.to_owned(), fake(name).into()));
        assert_eq!(crate::family::shapes::check(&Variables::from(names)), Ok(()));
    }
}
