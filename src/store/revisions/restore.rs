//! A rollback in the database: what was is written over what is, in an order in which every row finds what it names,
//! and checked when all of it is there.

use super::super::sql::Conn;
use super::super::writer::Outcome;
use super::super::{
    Change, Error, check, check_dhcp, classes, distros, edit, keys, machines, networks, options, profiles, ranges,
    reservations, templates,
};
use super::{Plan, plan, since};
use crate::boot::{Tale, lifecycle};
use crate::model::*;
use crate::vault::Vault;
use std::collections::HashSet;
use uuid::Uuid;

/// What a rollback to a revision would do.
pub async fn planned(db: &mut Conn, to: i64, vault: &Vault) -> Result<Plan, Error> {
    let since = since(db, to).await?;
    let mut lived = HashSet::new();
    machines::each(db, |machine| lived.extend(has_lived(&machine).then_some(machine.id))).await?;
    let locked = vault.why_locked().is_some();
    let opens = |owner: &Owner, name: &str, sealed: &Sealed| locked || vault.open(owner, name, sealed).is_ok();
    let mut plan = plan(&since, |id| lived.contains(&id), opens);
    let mut kept = Vec::with_capacity(plan.turns.len());
    for mut turn in plan.turns {
        count_uses(db, &mut turn).await?;
        if !same_text(db, &turn).await? {
            kept.push(turn);
        }
    }
    plan.turns = kept;
    Ok(plan)
}

/// Registrations count a key's uses, and no revision: what the row says is neither lost nor taken back.
async fn count_uses(db: &mut Conn, turn: &mut Turn) -> Result<(), Error> {
    let Some(Record::Key(now)) = &mut turn.before else { return Ok(()) };
    let Some(row) = keys::one(db, &now.name).await? else { return Ok(()) };
    now.used = row.used;
    if let Some(Record::Key(then)) = &mut turn.after {
        then.used = then.used.max(row.used);
    }
    Ok(())
}

/// More than a record: somebody installed it, or is about to.
fn has_lived(machine: &Machine) -> bool {
    !matches!(machine.state, State::Ready | State::Discovered)
        || machine.credential.is_some()
        || machine.inventory.is_some()
}

/// Another version of the same words is no change.
async fn same_text(db: &mut Conn, turn: &Turn) -> Result<bool, Error> {
    let (Some(Record::Template(now)), Some(Record::Template(then))) = (&turn.before, &turn.after) else {
        return Ok(false);
    };
    Ok(templates::text(db, now).await? == templates::text(db, then).await?)
}

/// Restores what the revision was.
///
/// `from` is what the operator saw as the newest: what came later would be taken back unseen.
pub async fn restore(
    db: &mut Conn,
    (to, from): (i64, Option<i64>),
    by: &str,
    at: Time,
    vault: &Vault,
) -> Result<Outcome, Error> {
    let newest = super::newest(db).await?;
    if from.is_some_and(|from| from != newest) {
        return Err(Error::contradiction(format!(
            "the configuration was changed meanwhile, to revision {newest}: look at what a rollback would do now, and ask again"
        )));
    }
    let Plan { turns, left } = planned(db, to, vault).await?;
    if turns.is_empty() {
        let left = left.into_iter().map(|text| format!("; {text}")).collect::<String>();
        return Err(Error::contradiction(format!(
            "the configuration is as in revision {to}: there is nothing to restore{left}"
        )));
    }
    let mut outcome = Outcome { turns, ..Outcome::default() };
    outcome = make_way(db, outcome, at).await?;
    put_parents(db, &outcome.turns).await?;
    put_children(db, &mut outcome, at).await?;
    remove_parents(db, &outcome.turns).await?;
    put_templates(db, &mut outcome, by, at).await?;
    check_all(db, &outcome.turns).await?;
    outcome.changes = outcome.changes.into_iter().chain(changes(&outcome.turns)).collect();
    let what = format!("rolled back to revision {to}");
    let told = |text: String| Tale::new(at, Kind::Record, format!("{by} {text}"));
    outcome.tales = vec![told(format!("{what}: {} records", outcome.turns.len()))];
    outcome
        .tales
        .extend(outcome.turns.iter().filter_map(|turn| of_machine(turn, to)).map(|(id, text)| told(text).of(id)));
    outcome.what = Some(what);
    outcome.restored = outcome.turns.clone();
    Ok(outcome)
}

fn of_machine(turn: &Turn, to: i64) -> Option<(MachineId, String)> {
    let verb = match (&turn.before, &turn.after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    match turn.after.as_ref().or(turn.before.as_ref())? {
        Record::Machine(wish) => Some((wish.id, format!("{verb} machine {} again, as in revision {to}", wish.name))),
        _ => None,
    }
}

/// Takes away what nobody names, and lays machines open: names, cards and addresses may change hands.
async fn make_way(db: &mut Conn, mut outcome: Outcome, at: Time) -> Result<Outcome, Error> {
    let mut holds = Vec::new();
    for turn in &outcome.turns {
        match (&turn.before, &turn.after) {
            (Some(Record::Range(range)), _) => ranges::remove(db, &range.name).await?,
            (Some(Record::Class(class)), _) => classes::remove(db, &class.name).await?,
            (Some(Record::Reservation(kept)), then) => {
                reservations::remove(db, kept.ip).await?;
                let same = matches!(then, Some(Record::Reservation(then)) if then.by == kept.by);
                holds.extend(if same { None } else { edit::give_up_reservation(db, kept, at).await? });
            }
            (Some(Record::Machine(now)), then) => {
                let stays =
                    |card: &Interface| matches!(then, Some(Record::Machine(then)) if then.interfaces.contains(card));
                holds.extend(edit::give_up(db, now.interfaces.iter().filter(|card| !stays(card)), at).await?);
                machines::lay_open(db, now.id).await?;
            }
            _ => {}
        }
    }
    outcome = outcome.holding(holds);
    for turn in &outcome.turns {
        if let (Some(Record::Machine(now)), None) = (&turn.before, &turn.after) {
            machines::remove_one(db, now.id).await?;
        }
    }
    Ok(outcome)
}

/// Keys, distros, profiles and networks, in this order. Profiles that are new first without what they name: they may
/// name each other.
async fn put_parents(db: &mut Conn, turns: &[Turn]) -> Result<(), Error> {
    for turn in turns {
        match (&turn.before, &turn.after) {
            (None, Some(Record::Key(key))) => keys::add(db, key).await?,
            (Some(_), Some(Record::Key(key))) => {
                keys::set(db, key).await?;
                keys::raise_used(db, &key.name, key.used).await?;
            }
            (None, Some(Record::Distro(distro))) => distros::add(db, distro).await?,
            (Some(_), Some(Record::Distro(distro))) => distros::set(db, distro).await?,
            (None, Some(Record::Profile(profile))) => {
                let alone = Profile { parent: None, distro: None, key: None, ..profile.clone() };
                profiles::insert(db, &alone).await?;
            }
            _ => {}
        }
    }
    for turn in turns {
        if let Some(Record::Profile(profile)) = &turn.after {
            profiles::update(db, profile).await?;
        }
    }
    for turn in turns {
        match (&turn.before, &turn.after) {
            (None, Some(Record::Network(network))) => networks::insert(db, network).await?,
            (Some(_), Some(Record::Network(network))) => networks::update(db, network).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn put_children(db: &mut Conn, outcome: &mut Outcome, at: Time) -> Result<(), Error> {
    let mut machines = Vec::new();
    for turn in &outcome.turns {
        match (&turn.before, &turn.after) {
            (_, Some(Record::Range(range))) => ranges::insert(db, range).await?,
            (_, Some(Record::Class(class))) => classes::insert(db, class).await?,
            (_, Some(Record::Reservation(kept))) => reservations::insert(db, kept).await?,
            (_, Some(Record::Options(options))) => options::write(db, options).await?,
            (now, Some(Record::Machine(wish))) => machines.push((now.is_some(), restored(wish.clone(), at)?)),
            _ => {}
        }
    }
    for (is_there, machine) in &machines {
        if *is_there {
            if machines::write(db, machine, None).await? == 0 {
                return Err(Error::missing("machine", &machine.name));
            }
            machines::insert_interfaces(db, machine).await?;
        } else {
            machines::insert(db, machine).await?;
        }
        let lifted = machines::lift(db, machine).await?;
        outcome.changes.extend(lifted.into_iter().map(Change::Tombstone));
    }
    Ok(())
}

/// A machine of which only a wish is left: nothing of it is armed.
pub fn restored(wish: Wish, at: Time) -> Result<Machine, Error> {
    let none = || Error::contradiction(format!("machine {} has no interface to boot from", wish.name));
    let mac = wish.interfaces.first().ok_or_else(none)?.mac;
    let blank = lifecycle::newcomer(mac, State::Ready, [wish.id.0, Uuid::nil()], at);
    Ok(wish.onto(blank))
}

/// What is still named stays, and the rollback with it: the error says by whom.
async fn remove_parents(db: &mut Conn, turns: &[Turn]) -> Result<(), Error> {
    let gone = || turns.iter().filter(|turn| turn.after.is_none()).filter_map(|turn| turn.before.as_ref());
    for record in gone() {
        match record {
            Record::Network(network) => networks::remove(db, &network.name).await?,
            Record::Profile(profile) => {
                profiles::update(db, &Profile { parent: None, distro: None, key: None, ..profile.clone() }).await?
            }
            _ => {}
        }
    }
    for record in gone() {
        if let Record::Profile(profile) = record {
            profiles::remove(db, &profile.name).await?;
        }
    }
    for record in gone() {
        match record {
            Record::Distro(distro) => distros::remove(db, &distro.name).await?,
            Record::Key(key) => keys::remove(db, &key.name).await?,
            _ => {}
        }
    }
    Ok(())
}

/// Versions are never taken back: an old text is the next version.
async fn put_templates(db: &mut Conn, outcome: &mut Outcome, by: &str, at: Time) -> Result<(), Error> {
    for turn in &mut outcome.turns {
        let named = [&turn.after, &turn.before].into_iter().flatten().next();
        let Some(Record::Template(Text { name, .. })) = named else { continue };
        let text = match &turn.after {
            Some(Record::Template(then)) => templates::text(db, then).await?,
            _ => None,
        };
        let version = templates::add(db, (name, text.as_deref(), &Whence::Api), by, at).await?;
        turn.after = version.text.is_some().then(|| Record::Template(Text::of(&version)));
        outcome.templates.push(version);
    }
    Ok(())
}

/// Each record beside all others, as after any edit.
async fn check_all(db: &mut Conn, turns: &[Turn]) -> Result<(), Error> {
    let around = check::Around::read(db).await?;
    let mut housed = Vec::new();
    for record in turns.iter().filter_map(|turn| turn.after.as_ref()) {
        match record {
            Record::Network(network) => {
                check::network(db, network).await?;
                housed.push(network);
            }
            Record::Range(range) => check::range(db, range).await?,
            Record::Class(class) => check_dhcp::class(db, class).await?,
            Record::Reservation(kept) => check_dhcp::reservation(db, kept, Some(kept.ip)).await?,
            Record::Profile(profile) => check::profile(db, profile).await?,
            Record::Machine(wish) => around.check(&restored(wish.clone(), Time::from_secs(0))?)?,
            Record::Options(_) | Record::Distro(_) | Record::Key(_) | Record::Template(_) => {}
        }
    }
    for network in housed {
        check::residents(db, network).await?;
    }
    Ok(())
}

fn changes(turns: &[Turn]) -> Vec<Change> {
    let mut changes = Vec::new();
    for record in turns.iter().filter_map(|turn| turn.after.as_ref().or(turn.before.as_ref())) {
        let change = match record {
            Record::Network(_) => Change::Networks,
            Record::Range(_) => Change::Ranges,
            Record::Class(_) => Change::Classes,
            Record::Reservation(_) => Change::Reservations,
            Record::Options(_) => Change::Options,
            Record::Distro(_) => Change::Distros,
            Record::Profile(_) => Change::Profiles,
            Record::Key(_) => Change::Keys,
            Record::Template(_) => Change::Templates,
            Record::Machine(wish) => Change::Machine(wish.id),
        };
        if changes.last() != Some(&change) {
            changes.push(change);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::super::super::{load, sql::Database};
    use super::*;
    use crate::store::revisions;
    use crate::vault;

    /// Adds distros, one revision each.
    async fn furnish(db: &mut Conn) {
        for n in 1..=3 {
            let distro: Distro = serde_json::from_value(serde_json::json!({
                "name": format!("d-{n}"), "family": "image", "kernel": "k", "initrd": "i", "arguments": "", "variables": {},
                "loader": null,
            }))
            .unwrap();
            distros::add(db, &distro).await.unwrap();
            let turns = vec![Turn::new(None, Some(Record::Distro(distro)))];
            let outcome = Outcome { turns, ..Outcome::default() };
            revisions::add(db, &outcome, "root", Time::from_secs(n)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_rollback_that_is_cut_off_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (database, _lock) = Database::at(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let mut db = database.connect().await.unwrap();
        load::migrate(&mut db).await.unwrap();
        furnish(&mut db).await;
        let vault = vault::Vault::locked("no key");
        for end in ["cut off", "committed"] {
            db.begin().await.unwrap();
            let outcome = restore(&mut db, (1, None), "root", Time::from_secs(9), &vault).await.unwrap();
            revisions::add(&mut db, &outcome, "root", Time::from_secs(9)).await.unwrap();
            assert_eq!(distros::all(&mut db).await.unwrap().len(), 1);
            if end == "committed" {
                db.commit().await.unwrap();
            }
            // As a kill does, without a word.
            drop(db);
            db = database.connect().await.unwrap();
            let (distros, newest) = (distros::all(&mut db).await.unwrap(), revisions::newest(&mut db).await.unwrap());
            assert_eq!((distros.len(), newest), if end == "committed" { (1, 4) } else { (3, 3) }, "{end}");
        }
    }
}
