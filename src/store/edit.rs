//! An operator's changes: each is checked, written and told of in one transaction.

use super::holds::GivenUp;
use super::revisions::Plan;
use super::sql::Conn;
use super::writer::Outcome;
use super::{Change, Error, Shared};
use super::{
    authority, classes, distros, holds, keys, leases, machines, networks, options, profiles, ranges, reservations,
    revisions, servers, sightings, templates, tokens, tombstones,
};
use crate::boot::{Step, Tale};
use crate::model::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
// One lives at a time, from a request to its transaction: a box would only be in the way.
#[allow(clippy::large_enum_variant)]
pub enum Edit {
    AddNetwork(Network),
    SetNetwork(Network),
    /// Its leases go with it; ranges and machines on it forbid it.
    RemoveNetwork(Name),
    AddRange(Range),
    SetRange(Range),
    RemoveRange(Name),
    AddClass(Class),
    SetClass(Class),
    RemoveClass(Name),
    AddReservation(Reservation),
    /// Of the address `was`, which may move.
    SetReservation {
        was: Ipv4Addr,
        reservation: Reservation,
    },
    RemoveReservation(Ipv4Addr),
    /// Those for everybody.
    SetOptions(OptionPatch),
    /// A server that shares this database says where it is.
    Announce(Vec<Ipv4Addr>),
    /// The CA that machines are told of, unless one is known already.
    KeepCa(Hash),
    /// Another one than machines know, if that is still `from`; none: the one that the next start finds or makes.
    AcceptCa {
        from: Option<Hash>,
        ca: Option<Hash>,
    },
    AddDistro(Distro),
    SetDistro(Distro),
    RemoveDistro(Name),
    AddProfile(Profile),
    SetProfile(Profile),
    RemoveProfile(Name),
    AddKey(ActivationKey),
    /// Never touches `used`.
    SetKey(ActivationKey),
    RemoveKey(Name),
    /// By what a key lets systems join from outside; nothing: by nothing any more. In no revision.
    JoinBy {
        name: Name,
        secret: Option<Hash>,
    },
    /// All or none; an error carries the index of the first that was refused.
    AddMachines(Vec<Machine>),
    /// Compare-and-set on the revision. Never changes state, install, inventory or credential.
    SetMachine(Machine),
    RemoveMachine(Name),
    /// New metal for an old record: the card is exchanged and the address kept, the old MAC is retired, both
    /// cards' leases and the agent's credential are gone. Whether it arms is in `state` and `install`.
    Replace {
        machine: MachineId,
        /// The revision that this was decided on.
        from: i64,
        old: Mac,
        new: Mac,
        at: Time,
        state: State,
        install: Option<Install>,
    },
    AddToken {
        name: Name,
        hash: Hash,
        at: Time,
    },
    RemoveToken(Name),
    /// A template's next version; without a text it is taken away.
    SetTemplate {
        name: String,
        text: Option<String>,
        whence: Whence,
    },
    /// A replaced card may have a role again.
    ForgetCard(Mac),
    /// Ends the lease of an address before its time and lifts a hold on it: who it was must not use it any more.
    ReleaseLease {
        network: Name,
        ip: Ipv4Addr,
    },
    /// The configuration as it was at a revision, whole: as it was planned, if nothing was changed since.
    RollBack(Arc<Plan>),
    /// Several, in this order: all of them or none.
    Many(Vec<Edit>),
}

/// Writes it and what it turned, in a transaction that is open already: over this record, where one is named.
pub async fn write(
    db: &mut Conn,
    (edit, over): (&Edit, Option<&Record>),
    by: &str,
    at: Time,
    shared: &Shared,
) -> Result<Outcome, Error> {
    let mut outcome = match edit {
        Edit::Many(all) => write_many(db, all, by, at, shared).await?,
        edit => write_one(db, (edit, over), by, at, shared).await?,
    };
    outcome.revision = revisions::add(db, &outcome, by, at).await?;
    outcome.changes.extend(outcome.revision.map(Change::Revision));
    Ok(outcome)
}

async fn write_one(
    db: &mut Conn,
    (edit, over): (&Edit, Option<&Record>),
    by: &str,
    at: Time,
    shared: &Shared,
) -> Result<Outcome, Error> {
    let before = revisions::before(db, edit).await?;
    if over.is_some_and(|read| !is_still(read, &before)) {
        return Err(Error::Conflict);
    }
    let mut outcome = write_records(db, edit, by, at, shared).await?;
    if outcome.turns.is_empty() {
        outcome.turns = revisions::turns(edit, before, &outcome);
    }
    Ok(outcome)
}

async fn write_many(db: &mut Conn, all: &[Edit], by: &str, at: Time, shared: &Shared) -> Result<Outcome, Error> {
    let mut whole = Outcome::default();
    for edit in all {
        let one = write_one(db, (edit, None), by, at, shared).await?;
        whole.changes.extend(one.changes);
        whole.tales.extend(one.tales);
        whole.events.extend(one.events);
        whole.holds.extend(one.holds);
        whole.templates.extend(one.templates);
        whole.turns.extend(one.turns);
    }
    whole.what = Some(format!("brought in {} records", whole.turns.len()));
    Ok(whole)
}

fn is_still(read: &Record, before: &[Option<Record>]) -> bool {
    match (read, before) {
        // Registrations count a key's uses beside all edits.
        (Record::Key(read), [Some(Record::Key(now))]) => read.clone().lived_as(now) == *now,
        (read, [Some(now)]) => read == now,
        _ => false,
    }
}

async fn write_records(db: &mut Conn, edit: &Edit, by: &str, at: Time, shared: &Shared) -> Result<Outcome, Error> {
    let told = |what: String| Tale::new(at, Kind::Record, format!("{by} {what}"));
    match edit {
        Edit::AddNetwork(network) => networks::add(db, network).await?,
        Edit::SetNetwork(network) => networks::set(db, network).await?,
        Edit::RemoveNetwork(name) => networks::remove(db, name).await?,
        Edit::AddRange(range) => ranges::add(db, range).await?,
        Edit::SetRange(range) => ranges::set(db, range).await?,
        Edit::RemoveRange(name) => ranges::remove(db, name).await?,
        Edit::AddClass(class) => classes::add(db, class).await?,
        Edit::SetClass(class) => classes::set(db, class).await?,
        Edit::RemoveClass(name) => classes::remove(db, name).await?,
        Edit::AddReservation(_) | Edit::SetReservation { .. } | Edit::RemoveReservation(_) => {
            return reserve(db, edit, at, told).await;
        }
        Edit::Announce(addresses) => {
            servers::announce(db, addresses, at).await?;
            return Ok(Outcome::of(vec![Change::Servers], Vec::new()));
        }
        Edit::KeepCa(ca) => {
            authority::keep(db, *ca).await?;
            return Ok(Outcome::default());
        }
        Edit::AcceptCa { from, ca } => {
            authority::accept(db, *from, *ca).await?;
            let which = ca.map_or("the next that is found or made".to_owned(), |ca| format!("SHA-256 {ca}"));
            let text = told(format!("accepted another CA than machines know: {which}"));
            return Ok(Outcome::of(Vec::new(), vec![Tale { kind: Kind::Appliance, ..text }]));
        }
        Edit::SetOptions(patch) => {
            options::change(db, patch).await?;
            return Ok(Outcome::of(vec![Change::Options], vec![told("changed the options for everybody".into())]));
        }
        Edit::AddDistro(distro) => distros::add(db, distro).await?,
        Edit::SetDistro(distro) => distros::set(db, distro).await?,
        Edit::RemoveDistro(name) => distros::remove(db, name).await?,
        Edit::AddProfile(profile) => profiles::add(db, profile).await?,
        Edit::SetProfile(profile) => profiles::set(db, profile).await?,
        Edit::RemoveProfile(name) => profiles::remove(db, name).await?,
        Edit::AddKey(key) => keys::add(db, key).await?,
        Edit::SetKey(key) => keys::set(db, key).await?,
        Edit::RemoveKey(name) => keys::remove(db, name).await?,
        Edit::JoinBy { name, secret } => {
            keys::join_by(db, name, *secret).await?;
            let what = match secret {
                Some(_) => format!(
                    "made a secret by which systems can join with key {name}; an earlier one opens nothing any more"
                ),
                None => format!("took the secret of key {name} away: no system can join with it from outside"),
            };
            return Ok(Outcome::of(vec![Change::Keys], vec![told(what)]));
        }
        Edit::AddToken { name, hash, at } => tokens::add(db, name, *hash, *at).await?,
        Edit::RemoveToken(name) => tokens::remove(db, name).await?,
        // Asked here and not of memory: another server may have changed it a moment ago.
        Edit::SetTemplate { name, text: Some(text), whence } if templates::is_last(db, name, whence, text).await? => {
            return Ok(Outcome::of(vec![Change::Templates], Vec::new()));
        }
        Edit::SetTemplate { name, text, whence } => {
            let kept = templates::add(db, (name, text.as_deref(), whence), by, at).await?;
            let what = match (&kept.text, whence) {
                (Some(_), Whence::Api) => format!("changed template {name}: version {}", kept.version),
                (Some(_), Whence::File(_)) => format!("changed template {name} by its file: version {}", kept.version),
                (None, Whence::Api) => format!("removed template {name}"),
                (None, Whence::File(_)) => format!("removed the file of template {name}"),
            };
            let outcome = Outcome::of(vec![Change::Templates], vec![told(what)]);
            return Ok(Outcome { templates: vec![kept], ..outcome });
        }
        Edit::AddMachines(list) => return add_machines(db, list, told).await,
        Edit::SetMachine(machine) => return set_machine(db, machine, at, told).await,
        Edit::RemoveMachine(name) => {
            let interfaces = machines::named(db, name).await?.map(|machine| machine.interfaces).unwrap_or_default();
            let (id, used) = machines::remove(db, name).await?;
            keys::free(db, &used).await?;
            let tale = told(format!("removed machine {name}")).of(id);
            let changes = [Change::Machine(id)].into_iter().chain((!used.is_empty()).then_some(Change::Keys));
            let outcome = Outcome::of(changes.collect(), vec![tale]);
            return Ok(outcome.holding(holds::moved(db, given_up(interfaces.iter()), at).await?));
        }
        Edit::ReleaseLease { network, ip } => {
            let runs =
                { shared.world().lease_at(network, *ip).filter(|lease| lease.ends_at > at).map(|l| l.holder.clone()) };
            return release(db, network, *ip, at, runs, told).await;
        }
        Edit::Replace { .. } => return replace(db, edit, told).await,
        Edit::RollBack(plan) => return revisions::restore(db, plan, by, at).await,
        Edit::Many(_) => unreachable!("write takes it apart, and none is made of others"),
        Edit::ForgetCard(mac) => {
            if !tombstones::lift(db, *mac).await? {
                return Err(Error::contradiction(format!("{mac} is no replaced card: there is nothing to forget")));
            }
            let mut tale = told(format!("forgot that card {mac} was replaced"));
            tale.mac = Some(*mac);
            return Ok(Outcome::of(vec![Change::Tombstone(*mac)], vec![tale]));
        }
    }
    let (change, what) = title(edit);
    Ok(Outcome::of(vec![change], vec![told(what)]))
}

/// What changed, and how history tells it. Machines have their own words above.
fn title(edit: &Edit) -> (Change, String) {
    let (change, verb, noun, name) = match edit {
        Edit::AddNetwork(network) => (Change::Networks, "added", "network", &network.name),
        Edit::SetNetwork(network) => (Change::Networks, "changed", "network", &network.name),
        Edit::RemoveNetwork(name) => (Change::Networks, "removed", "network", name),
        Edit::AddRange(range) => (Change::Ranges, "added", "range", &range.name),
        Edit::SetRange(range) => (Change::Ranges, "changed", "range", &range.name),
        Edit::RemoveRange(name) => (Change::Ranges, "removed", "range", name),
        Edit::AddClass(class) => (Change::Classes, "added", "class", &class.name),
        Edit::SetClass(class) => (Change::Classes, "changed", "class", &class.name),
        Edit::RemoveClass(name) => (Change::Classes, "removed", "class", name),
        Edit::AddDistro(distro) => (Change::Distros, "added", "distro", &distro.name),
        Edit::SetDistro(distro) => (Change::Distros, "changed", "distro", &distro.name),
        Edit::RemoveDistro(name) => (Change::Distros, "removed", "distro", name),
        Edit::AddProfile(profile) => (Change::Profiles, "added", "profile", &profile.name),
        Edit::SetProfile(profile) => (Change::Profiles, "changed", "profile", &profile.name),
        Edit::RemoveProfile(name) => (Change::Profiles, "removed", "profile", name),
        Edit::AddKey(key) => (Change::Keys, "added", "key", &key.name),
        Edit::SetKey(key) => (Change::Keys, "changed", "key", &key.name),
        Edit::RemoveKey(name) => (Change::Keys, "removed", "key", name),
        Edit::AddToken { name, .. } => (Change::Tokens, "added", "token", name),
        Edit::RemoveToken(name) => (Change::Tokens, "removed", "token", name),
        Edit::AddReservation(_)
        | Edit::SetReservation { .. }
        | Edit::RemoveReservation(_)
        | Edit::SetOptions(_)
        | Edit::SetTemplate { .. }
        | Edit::Announce(_)
        | Edit::KeepCa(_)
        | Edit::AcceptCa { .. } => {
            unreachable!("write tells of what has no name itself")
        }
        Edit::AddMachines(_)
        | Edit::SetMachine(_)
        | Edit::RemoveMachine(_)
        | Edit::Replace { .. }
        | Edit::ForgetCard(_)
        | Edit::JoinBy { .. }
        | Edit::RollBack(_)
        | Edit::Many(_)
        | Edit::ReleaseLease { .. } => {
            unreachable!("write tells of machines and leases itself")
        }
    };
    (change, format!("{verb} {noun} {name}"))
}

async fn reserve(db: &mut Conn, edit: &Edit, at: Time, told: impl Fn(String) -> Tale) -> Result<Outcome, Error> {
    let (text, given_up) = match edit {
        Edit::AddReservation(kept) => {
            reservations::add(db, kept).await?;
            (format!("reserved {} for {} on network {}", kept.ip, kept.by, kept.network), None)
        }
        Edit::SetReservation { was, reservation: kept } => {
            let old = reservations::set(db, *was, kept).await?;
            match old.ip == kept.ip && old.by == kept.by {
                true => (format!("changed the reservation of {} for {}", kept.ip, kept.by), None),
                false => {
                    let text = format!("reserved {} for {} instead of {} for {}", kept.ip, kept.by, old.ip, old.by);
                    (text, Some(old))
                }
            }
        }
        Edit::RemoveReservation(ip) => {
            let old = reservations::remove(db, *ip).await?;
            (format!("removed the reservation of {ip} for {}", old.by), Some(old))
        }
        _ => unreachable!("only write calls this, with a reservation"),
    };
    let outcome = Outcome::of(vec![Change::Reservations], vec![told(text)]);
    let Some(kept) = given_up else { return Ok(outcome) };
    Ok(outcome.holding(holds::moved(db, vec![given_up_reservation(&kept)], at).await?))
}

pub fn given_up_reservation(kept: &Reservation) -> GivenUp {
    // Whoever showed that identifier or sat at that port: the lease says who.
    (kept.ip, if let Mark::Mac(mac) = kept.by { Some(mac.into()) } else { None })
}

async fn add_machines(db: &mut Conn, list: &[Machine], told: impl Fn(String) -> Tale) -> Result<Outcome, Error> {
    let lifted = machines::add(db, list).await?;
    let changes = list.iter().map(|machine| Change::Machine(machine.id));
    let tales = list.iter().map(|machine| about(machine, told(format!("added machine {}", machine.name))));
    let outcome = Outcome::of(changes.chain(lifted.into_iter().map(Change::Tombstone)).collect(), tales.collect());
    let what = (list.len() > 1).then(|| format!("added {} machines", list.len()));
    Ok(Outcome { what, ..outcome })
}

async fn set_machine(
    db: &mut Conn,
    machine: &Machine,
    at: Time,
    told: impl Fn(String) -> Tale,
) -> Result<Outcome, Error> {
    let old = machines::one(db, machine.id).await?.map(|old| old.interfaces).unwrap_or_default();
    let lifted = machines::set(db, machine).await?;
    let changes = std::iter::once(Change::Machine(machine.id)).chain(lifted.into_iter().map(Change::Tombstone));
    let tale = about(machine, told(format!("changed machine {}", machine.name)));
    let outcome = Outcome::of(changes.collect(), vec![tale]);
    let gone = old.iter().filter(|old| !machine.interfaces.contains(old));
    Ok(outcome.holding(holds::moved(db, given_up(gone), at).await?))
}

/// Addresses that these cards have no longer.
pub fn given_up<'a>(of: impl Iterator<Item = &'a Interface>) -> Vec<GivenUp> {
    of.filter_map(|card| card.ip.map(|ip| (ip, Some(card.mac.into())))).collect()
}

/// Memory may know of a lease that runs although its row is over: a reserved address is renewed without writes.
async fn release(
    db: &mut Conn,
    network: &Name,
    ip: Ipv4Addr,
    at: Time,
    runs: Option<Holder>,
    told: impl Fn(String) -> Tale,
) -> Result<Outcome, Error> {
    let (lease, lifted) = (leases::release(db, network, ip, at).await?, holds::lift(db, network, ip).await?);
    let ended = lease.filter(|(_, ran)| *ran).map(|(holder, _)| holder).or(runs);
    if ended.is_none() && !lifted {
        let text =
            format!("{ip} on network {network} has neither a lease that runs nor a hold: see `kickstand lease list`");
        return Err(Error::contradiction(text));
    }
    let what = match (&ended, lifted) {
        (Some(holder), false) => format!("ended the lease of {holder} on {ip}"),
        (Some(holder), true) => format!("ended the lease of {holder} on {ip}, and the hold on it"),
        (None, _) => format!("lifted the hold on {ip}"),
    };
    let mut tale = told(what);
    (tale.mac, tale.ip) = (ended.as_ref().and_then(Holder::mac), Some(ip));
    let network = network.clone();
    let mut changes = vec![Change::Hold { network: network.clone(), ip }];
    changes.extend(ended.map(|holder| Change::Lease { network, holder }));
    Ok(Outcome::of(changes, vec![tale]))
}

fn about(machine: &Machine, mut tale: Tale) -> Tale {
    tale.mac = machine.interfaces.first().map(|interface| interface.mac);
    tale.of(machine.id)
}

async fn replace(db: &mut Conn, edit: &Edit, told: impl Fn(String) -> Tale) -> Result<Outcome, Error> {
    let Edit::Replace { machine, from, old, new, at, state, install } = edit.clone() else {
        unreachable!("only write calls this, with a Replace");
    };
    machines::step(db, &Step { machine, from, state, state_at: at, install }).await?;
    machines::exchange(db, machine, old, new).await?;
    machines::set_credential(db, machine, None).await?;
    machines::lift_card(db, new, machine).await?;
    tombstones::set(db, &Tombstone { mac: old, machine, replaced_by: new, at }).await?;
    sightings::forget(db, new).await?;
    let mut changes = vec![Change::Machine(machine), Change::Tombstone(old), Change::Tombstone(new)];
    for mac in [old, new] {
        let networks = leases::forget(db, mac).await?;
        changes.extend(networks.into_iter().map(|network| Change::Lease { network, holder: mac.into() }));
    }
    Ok(Outcome::of(changes, vec![told(format!("replaced card {old} by {new}")).of(machine).by(new)]))
}
