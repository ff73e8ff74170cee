//! What a rollback comes to: of each record that changed since, what it is now and what it shall be. Pure.

use crate::model::*;
use std::collections::BTreeMap;

/// What is to be done, and what is left alone and why.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The revision that it leads back to.
    pub to: i64,
    /// The newest one when it was made: it is written only while that is so.
    pub from: i64,
    pub turns: Vec<Turn>,
    /// In words, for the operator.
    pub left: Vec<String>,
}

/// Revisions folded into one, so that history is never in memory as a whole: of each record what it is now and what it was.
#[derive(Default)]
pub struct Fold {
    turned: BTreeMap<RecordKey, Turn>,
    /// What registrations gave machines between their turns.
    given: BTreeMap<RecordKey, Given>,
    cards: Vec<(RecordKey, (Mac, Mac))>,
}

impl Fold {
    /// The turns of a revision, the newest revision first.
    pub fn take(&mut self, turns: Vec<Turn>) {
        for turn in turns.into_iter().rev() {
            let Some(key) = turn.key() else { continue };
            self.cards.extend(turn.card.map(|card| (key.clone(), card)));
            match self.turned.get_mut(&key) {
                Some(known) => {
                    if let (Some(Record::Machine(then)), Some(Record::Machine(later))) = (&turn.after, &known.after) {
                        self.given.entry(key).or_default().add(Given::between(then, later));
                    }
                    known.after = turn.before;
                }
                None => drop(self.turned.insert(key, Turn::new(turn.after, turn.before))),
            }
        }
    }

    /// The machines that would go.
    pub fn newcomers(&self) -> Vec<MachineId> {
        self.turned.values().filter_map(newcomer).collect()
    }
}

/// What a key gave a machine when it registered, which is in no revision: what an edit found is not what the one
/// before it left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    pub groups: Names,
    pub profile: Option<Name>,
}

impl Given {
    fn between(then: &Wish, later: &Wish) -> Given {
        let profile = later.profile.clone().filter(|_| then.profile.is_none());
        Given { groups: later.groups.without(&then.groups), profile }
    }

    /// What was given earlier: of two profiles the newer one counts.
    fn add(&mut self, earlier: Given) {
        self.groups.add(&earlier.groups);
        self.profile = self.profile.take().or(earlier.profile);
    }

    /// It stays, as the registration does: no operator said it. What one said since is taken back, and uncovers it.
    fn keep(self, then: &mut Wish) {
        then.groups.add(&self.groups);
        then.profile = then.profile.take().or(self.profile);
    }

    /// What the row of a machine has beyond the newest edit, on both sides of its turn.
    pub fn since(row: &Given, now: &mut Wish, then: &mut Wish) {
        let read = Wish { groups: row.groups.clone(), profile: row.profile.clone(), ..now.clone() };
        let given = Given::between(now, &read);
        (now.groups, now.profile) = (now.groups.and(&given.groups), now.profile.take().or(given.profile.clone()));
        given.keep(then);
    }
}

/// A machine that would go.
pub fn newcomer(turn: &Turn) -> Option<MachineId> {
    match (&turn.before, &turn.after) {
        (Some(Record::Machine(wish)), None) => Some(wish.id),
        _ => None,
    }
}

/// From all revisions since then. Which machines have lived is asked of those that would go; what opens is asked of each
/// secret that would come back.
pub fn plan(
    Fold { mut turned, mut given, cards }: Fold,
    has_lived: impl Fn(MachineId) -> bool,
    opens: impl Fn(&Owner, &str, &Sealed) -> bool,
) -> Plan {
    // The oldest exchange first: a card that was replaced twice is the last one now.
    for (key, (old, new)) in cards.into_iter().rev() {
        let Some(Turn { before, after: Some(Record::Machine(wish)), .. }) = turned.get_mut(&key) else { continue };
        // A card that an operator has put back into service is the one to restore.
        let serves = |record: &Record| matches!(record, Record::Machine(now) if now.interfaces.iter().any(|card| card.mac == old));
        if !before.as_ref().is_some_and(serves) {
            wish.interfaces.iter_mut().filter(|card| card.mac == old).for_each(|card| card.mac = new);
        }
    }
    let mut plan = Plan::default();
    for (key, mut turn) in turned {
        if let (Some(Record::Machine(_)), Some(Record::Machine(then))) = (&turn.before, &mut turn.after) {
            given.remove(&key).unwrap_or_default().keep(then);
        }
        if let Some(why) = stays(&turn, &has_lived) {
            plan.left.push(why);
            continue;
        }
        plan.left.extend(turn.after.as_mut().into_iter().flat_map(|record| lost(record, &opens)));
        plan.turns.extend(Some(turn).filter(Turn::is_change));
    }
    plan
}

/// Why a record is not touched.
fn stays(turn: &Turn, has_lived: &impl Fn(MachineId) -> bool) -> Option<String> {
    match (&turn.before, &turn.after) {
        (Some(Record::Machine(wish)), None) if has_lived(wish.id) => Some(format!(
            "machine {0} was added since, and stays: it was installed, is armed or has registered; `kickstand machine remove {0}` if it shall go",
            wish.name
        )),
        (now, then) => {
            let (name, place) = file(now).or_else(|| file(then)).filter(|_| turn.is_change())?;
            let was = match then {
                Some(Record::Template(Text { version, .. })) => {
                    format!(
                        "it was version {version}: `kickstand template show {name} --version {version}` writes that"
                    )
                }
                _ => "there was none".to_owned(),
            };
            Some(format!("template {name} is a file in {} of {}, and stays: {was}", place.folder, place.host))
        }
    }
}

fn file(record: &Option<Record>) -> Option<(&str, &Place)> {
    match record {
        Some(Record::Template(Text { name, whence: Whence::File(place), .. })) => Some((name, place)),
        _ => None,
    }
}

/// Secrets that nobody can open any more come back as little as they were there.
fn lost(record: &mut Record, opens: &impl Fn(&Owner, &str, &Sealed) -> bool) -> Vec<String> {
    let (owner, called) = (record.owner(), format!("{} {}", record.key().0, record.name()));
    let (Some(owner), Some((_, secrets))) = (owner, record.varied_mut()) else { return Vec::new() };
    let shut = secrets.sealed().iter().filter(|(name, sealed)| !opens(&owner, name, sealed));
    let shut: Vec<String> = shut.map(|(name, _)| name.clone()).collect();
    shut.iter().for_each(|name| secrets.remove(name));
    let told = |name| format!("secret {name} of {called} was sealed with a key that is gone: set it anew");
    shut.into_iter().map(told).collect()
}
