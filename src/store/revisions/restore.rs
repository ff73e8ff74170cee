//! A rollback in the database: what was is written over what is, in an order in which every row finds what it names,
//! and checked when all of it is there.

use super::super::sql::Conn;
use super::super::writer::Outcome;
use super::super::{
    Change, Error, check, check_dhcp, classes, distros, edit, holds, keys, networks, options, profiles, ranges,
    reservations, templates,
};
use super::fleet::{self, Fleet};
use super::plan::{Given, newcomer};
use super::{Plan, plan, since};
use crate::boot::{Tale, lifecycle};
use crate::model::*;
use crate::vault::Vault;
use uuid::Uuid;

/// What a rollback to a revision would do, from the one that the operator saw as the newest.
pub async fn planned(db: &mut Conn, (to, from): (i64, Option<i64>), vault: &Vault) -> Result<Plan, Error> {
    let (newest, fold) = since(db, to).await?;
    if from.is_some_and(|from| from != newest) {
        return Err(changed_meanwhile(newest));
    }
    let lived = fleet::lived(db, &fold.newcomers()).await?;
    let locked = vault.why_locked().is_some();
    let opens = |owner: &Owner, name: &str, sealed: &Sealed| locked || vault.open(owner, name, sealed).is_ok();
    let Plan { turns, left, .. } = plan(fold, |id| lived.contains(&id), opens);
    let mut plan = Plan { to, from: newest, turns: Vec::with_capacity(turns.len()), left };
    let mut turns = turns;
    keep_registrations(db, &mut turns).await?;
    for turn in turns.into_iter().filter(Turn::is_change) {
        if !same_text(db, &turn).await? {
            plan.turns.push(turn);
        }
    }
    Ok(plan)
}

fn changed_meanwhile(newest: i64) -> Error {
    Error::contradiction(format!(
        "the configuration was changed meanwhile, to revision {newest}: look at what a rollback would do now, and ask again"
    ))
}

/// What registrations did is in no revision, and not taken back: a key's uses are what the rows say, and groups and a
/// profile that a key gave a machine stay.
async fn keep_registrations(db: &mut Conn, turns: &mut [Turn]) -> Result<(), Error> {
    let rows = fleet::given(db, turns.iter().filter_map(changed_machine)).await?;
    for turn in turns {
        match (&mut turn.before, &mut turn.after) {
            (before, Some(Record::Key(then))) => {
                let row = if before.is_some() { keys::one(db, &then.name).await? } else { None };
                then.used = row.map_or(0, |row| row.used);
                if let Some(Record::Key(now)) = before {
                    now.used = then.used;
                }
            }
            (Some(Record::Machine(now)), Some(Record::Machine(then))) => {
                rows.get(&then.id).into_iter().for_each(|row| Given::since(row, now, then));
            }
            _ => {}
        }
    }
    Ok(())
}

fn changed_machine(turn: &Turn) -> Option<MachineId> {
    match (&turn.before, &turn.after) {
        (Some(Record::Machine(_)), Some(Record::Machine(then))) => Some(then.id),
        _ => None,
    }
}

/// Another version of the same words is no change.
async fn same_text(db: &mut Conn, turn: &Turn) -> Result<bool, Error> {
    let (Some(Record::Template(now)), Some(Record::Template(then))) = (&turn.before, &turn.after) else {
        return Ok(false);
    };
    Ok(templates::text(db, now).await? == templates::text(db, then).await?)
}

/// Restores what the revision was, as it was planned a moment ago.
pub async fn restore(db: &mut Conn, plan: &Plan, by: &str, at: Time) -> Result<Outcome, Error> {
    let Plan { to, turns, left, .. } = plan;
    still_holds(db, plan).await?;
    if turns.is_empty() {
        let left = left.iter().map(|text| format!("; {text}")).collect::<String>();
        return Err(Error::contradiction(format!(
            "the configuration is as in revision {to}: there is nothing to restore{left}"
        )));
    }
    let mut outcome = Outcome { turns: turns.clone(), restores: true, ..Outcome::default() };
    keep_registrations(db, &mut outcome.turns).await?;
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
        .extend(outcome.turns.iter().filter_map(|turn| of_machine(turn, *to)).map(|(id, text)| told(text).of(id)));
    outcome.what = Some(what);
    Ok(outcome)
}

/// Nothing was said since, and no machine that would go was armed or installed.
async fn still_holds(db: &mut Conn, plan: &Plan) -> Result<(), Error> {
    let newest = super::newest(db).await?;
    if newest != plan.from {
        return Err(changed_meanwhile(newest));
    }
    let gone: Vec<MachineId> = plan.turns.iter().filter_map(newcomer).collect();
    let lived = fleet::lived(db, &gone).await?;
    match plan.turns.iter().find(|turn| newcomer(turn).is_some_and(|id| lived.contains(&id))) {
        Some(turn) => Err(Error::contradiction(format!(
            "machine {} was armed or installed meanwhile, and would stay: look at what a rollback would do now, and ask again",
            turn.name()
        ))),
        None => Ok(()),
    }
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
async fn make_way(db: &mut Conn, outcome: Outcome, at: Time) -> Result<Outcome, Error> {
    let (mut given_up, mut unreserved) = (Vec::new(), Vec::new());
    for turn in &outcome.turns {
        match (&turn.before, &turn.after) {
            (Some(Record::Range(range)), _) => ranges::remove(db, &range.name).await?,
            (Some(Record::Class(class)), _) => classes::remove(db, &class.name).await?,
            (Some(Record::Reservation(kept)), then) => {
                unreserved.push(kept.ip);
                let same = matches!(then, Some(Record::Reservation(then)) if then.by == kept.by);
                given_up.extend((!same).then(|| edit::given_up_reservation(kept)));
            }
            (Some(Record::Machine(now)), then) => {
                let stays =
                    |card: &&Interface| !matches!(then, Some(Record::Machine(then)) if then.interfaces.contains(card));
                given_up.extend(edit::given_up(now.interfaces.iter().filter(stays)));
            }
            _ => {}
        }
    }
    let outcome = outcome.holding(holds::moved(db, given_up, at).await?);
    reservations::remove_all(db, &unreserved).await?;
    fleet::lay_open(db, &opened(&outcome.turns).collect::<Vec<_>>()).await?;
    let gone: Vec<MachineId> = outcome.turns.iter().filter_map(newcomer).collect();
    fleet::remove(db, &gone).await?;
    Ok(outcome)
}

/// The machines of which others may get the name, a card or an address.
fn opened(turns: &[Turn]) -> impl Iterator<Item = MachineId> {
    turns.iter().filter_map(|turn| match (&turn.before, &turn.after) {
        (Some(Record::Machine(now)), Some(Record::Machine(then))) => {
            (now.name != then.name || now.interfaces != then.interfaces).then_some(now.id)
        }
        _ => None,
    })
}

/// Keys, distros, profiles and networks, in this order. Profiles that are new first without what they name: they may
/// name each other.
async fn put_parents(db: &mut Conn, turns: &[Turn]) -> Result<(), Error> {
    for turn in turns {
        match (&turn.before, &turn.after) {
            (None, Some(Record::Key(key))) => keys::insert(db, key).await?,
            (Some(_), Some(Record::Key(key))) => keys::update(db, key).await?,
            (None, Some(Record::Distro(distro))) => distros::add(db, distro).await?,
            (Some(_), Some(Record::Distro(distro))) => distros::set(db, distro).await?,
            (None, Some(Record::Profile(profile))) => {
                let alone = Profile { parent: None, distro: None, keys: Names::default(), ..profile.clone() };
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
    let mut fleet = Fleet { open: opened(&outcome.turns).collect(), ..Fleet::default() };
    let mut kept = Vec::new();
    for turn in &outcome.turns {
        match (&turn.before, &turn.after) {
            (_, Some(Record::Range(range))) => ranges::insert(db, range).await?,
            (_, Some(Record::Class(class))) => classes::insert(db, class).await?,
            (_, Some(Record::Reservation(then))) => kept.push(then),
            (_, Some(Record::Options(options))) => options::write(db, options).await?,
            (None, Some(Record::Machine(wish))) => fleet.added.push(restored(wish.clone(), at)?),
            (Some(_), Some(Record::Machine(wish))) => fleet.changed.push(restored(wish.clone(), at)?),
            _ => {}
        }
    }
    reservations::insert_all(db, &kept).await?;
    let lifted = fleet.put(db).await?;
    outcome.changes.extend(lifted.into_iter().map(Change::Tombstone));
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
                let alone = Profile { parent: None, distro: None, keys: Names::default(), ..profile.clone() };
                profiles::update(db, &alone).await?
            }
            Record::Key(key) => keys::update(db, &ActivationKey { profile: None, ..key.clone() }).await?,
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

/// Each record beside all others, as after any edit. What they are checked against is read once for all of a noun.
async fn check_all(db: &mut Conn, turns: &[Turn]) -> Result<(), Error> {
    let around = check::Around::read(db).await?;
    let (mut networks, mut ranges, mut profiles, mut reservations) = (vec![], vec![], vec![], vec![]);
    let mut keys = vec![];
    for record in turns.iter().filter_map(|turn| turn.after.as_ref()) {
        match record {
            Record::Network(network) => networks.push(network),
            Record::Range(range) => ranges.push(range),
            Record::Class(class) => check_dhcp::class(db, class).await?,
            Record::Reservation(kept) => reservations.push((kept, Some(kept.ip))),
            Record::Profile(profile) => profiles.push(profile),
            Record::Machine(wish) => around.check(&restored(wish.clone(), Time::from_secs(0))?)?,
            Record::Key(key) => keys.push(key),
            Record::Options(_) | Record::Distro(_) | Record::Template(_) => {}
        }
    }
    check::keys(db, &keys).await?;
    check::networks(db, &networks).await?;
    check::ranges(db, &ranges).await?;
    check::profiles(db, &profiles).await?;
    check_dhcp::reservations(db, &reservations).await?;
    check::residents(db, &networks).await
}

fn changes(turns: &[Turn]) -> Vec<Change> {
    let mut changes = Vec::new();
    for record in turns.iter().filter_map(|turn| turn.after.as_ref().or(turn.before.as_ref())) {
        let change = Change::of(record);
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
            let plan = planned(&mut db, (1, None), &vault).await.unwrap();
            let outcome = restore(&mut db, &plan, "root", Time::from_secs(9)).await.unwrap();
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
