//! What the store, its writer and its listener have in common: memory, and who is told of what was committed.

use super::deeds::Deed;
use super::leases::Given;
use super::world::World;
use super::writer::{Job, Outcome, Work};
use super::{Change, Error, events, load, repeats, sql};
use crate::boot::{Effect, Tale};
use crate::model::*;
use crate::vault::Vault;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;
use tokio::sync::broadcast;
use uuid::Uuid;

/// How many decisions may wait for the database; beyond that they are refused at once.
const WAITING: usize = 16_384;

pub struct Shared {
    pub database: sql::Database,
    /// Tells this node's notifications from the others'.
    pub node: String,
    pub secret: [u8; 32],
    pub vault: Arc<Vault>,
    pub world: RwLock<World>,
    pub ring: Mutex<events::Ring>,
    pub repeats: Mutex<repeats::Repeats>,
    pub changes: broadcast::Sender<Change>,
    pub feed: broadcast::Sender<Arc<Event>>,
    pub counters: Counters,
    pub outage: Loss,
    /// How many decisions wait for the database.
    pub waiting: AtomicUsize,
}

/// What was done since the start, for whoever measures.
#[derive(Debug, Default)]
pub struct Counters {
    /// Transactions that were committed.
    pub commits: AtomicU64,
    /// Decisions and edits that they held.
    pub jobs: AtomicU64,
    /// Leases that were written.
    pub leases: AtomicU64,
    /// Decisions and edits that were refused by themselves, or with a database that was lost.
    pub refused: AtomicU64,
}

/// Since when the database does not answer.
#[derive(Default)]
pub struct Loss {
    /// Microseconds since 1970; 0 while it answers.
    since: AtomicI64,
    /// The line to the other nodes is cut: what they write is not heard.
    deaf: Mutex<bool>,
}

impl Loss {
    pub fn since(&self) -> Option<Time> {
        match self.since.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Time(micros)),
        }
    }

    pub fn lose(&self) {
        self.set(&locked(&self.deaf));
    }

    pub fn deafen(&self) {
        let mut deaf = locked(&self.deaf);
        *deaf = true;
        self.set(&deaf);
    }

    /// Others are heard from now on. What was said before must be read: until then it stays lost.
    pub fn listens(&self) {
        *locked(&self.deaf) = false;
    }

    fn set(&self, _locked: &MutexGuard<'_, bool>) {
        if self.since().is_none() {
            self.since.store(Time::from(SystemTime::now()).0, Ordering::Relaxed);
        }
    }

    /// It answers, and what others may have written meanwhile was read.
    pub fn find(&self) {
        let deaf = locked(&self.deaf);
        if !*deaf {
            self.since.store(0, Ordering::Relaxed);
        }
    }
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a decision apart: what was seen is known at once, whatever becomes of the rest.
    pub fn deed(&self, effects: Vec<Effect>) -> Deed {
        let mut deed = Deed { effects: Vec::with_capacity(effects.len()), events: Vec::new(), takes_over: true };
        let mut revision = None;
        for effect in locked(&self.repeats).sift(effects) {
            match effect {
                Effect::Tell(tale) => {
                    let now = || *revision.get_or_insert_with(|| self.world().revision());
                    let revision = Some(tale.revision.unwrap_or_else(now));
                    deed.events.push(Tale { revision, ..tale }.named(Uuid::nil()));
                }
                Effect::See(sighting) => self.world_mut().put_sighting(sighting, None),
                Effect::Hear(check_in) => self.world_mut().put_check_in(check_in, false),
                effect => deed.effects.push(effect),
            }
        }
        deed
    }

    /// Which leases may take over a row of somebody else's: where other nodes write, any.
    pub fn look_ahead(&self, jobs: &mut [Job]) {
        if self.database.is_shared() {
            return;
        }
        let world = self.world();
        let deeds =
            jobs.iter_mut().flat_map(|job| if let Work::Deeds(deeds) = &mut job.work { deeds } else { &mut [][..] });
        for deed in deeds {
            let others = |given: Given<'_>| {
                let row = world.lease_at(&given.lease.network, given.lease.ip);
                row.is_some_and(|row| row.holder != given.lease.holder)
            };
            deed.takes_over = deed.lease().is_none_or(others);
        }
    }

    /// Makes room for decisions on their way to the writer.
    pub fn admit(&self, deeds: usize) -> Result<(), Error> {
        if self.waiting.fetch_add(deeds, Ordering::Relaxed) + deeds > WAITING {
            self.dismiss(deeds);
            return Err(Error::Overloaded);
        }
        Ok(())
    }

    pub fn dismiss(&self, deeds: usize) {
        self.waiting.fetch_sub(deeds, Ordering::Relaxed);
    }

    /// A decision that is memory's alone.
    pub fn remember(&self, deed: Deed) {
        if deed.effects.iter().any(|effect| matches!(effect, Effect::Know(_))) {
            let mut world = self.world_mut();
            deed.effects.into_iter().for_each(|effect| world.apply(effect));
        }
        let named = deed.events.into_iter().map(|event| Event { id: Uuid::now_v7(), ..event });
        self.tell(named.map(Arc::new).collect());
    }

    /// After a commit: memory first, then those who listen, then those who wait for their tickets.
    pub fn committed(&self, jobs: Vec<Job>, results: Vec<Result<Outcome, Error>>) {
        self.count(&jobs, &results);
        let (mut results, mut news) = (results.into_iter(), News::default());
        let mut answers = Vec::with_capacity(jobs.len());
        {
            let mut world = self.world_mut();
            for Job { work, done } in jobs {
                let mut next = || results.next().unwrap_or(Err(Error::Closed));
                let ended = match work {
                    Work::Deeds(deeds) => deeds
                        .into_iter()
                        .map(|deed| next().map(|outcome| news.of_deed(&mut world, deed, outcome)))
                        .collect(),
                    Work::Edit { edit, at, .. } => vec![next().map(|outcome| {
                        world.apply_edit(*edit, at);
                        news.of_edit(&mut world, outcome, at);
                    })],
                    Work::Sightings(written) => vec![next().map(|_| world.kept(&written))],
                    Work::CheckIns(written) => vec![next().map(|_| world.wrote_check_ins(&written))],
                    Work::Look(_) | Work::Close => Vec::new(),
                };
                answers.push((done, ended));
            }
        }
        news.changes.into_iter().for_each(|change| drop(self.changes.send(change)));
        self.tell(news.events);
        answers.into_iter().for_each(|(done, ended)| drop(done.send(ended)));
    }

    fn count(&self, jobs: &[Job], results: &[Result<Outcome, Error>]) {
        let Counters { commits, jobs: all, leases, refused } = &self.counters;
        let deeds = jobs.iter().flat_map(|job| if let Work::Deeds(deeds) = &job.work { deeds.as_slice() } else { &[] });
        let bound = |deed: &Deed| deed.effects.iter().any(|effect| matches!(effect, Effect::Bind { .. }));
        // Edits and sightings come alone, deeds only among themselves.
        let written = deeds.zip(results).filter(|(deed, result)| result.is_ok() && bound(deed)).count();
        commits.fetch_add(1, Ordering::Relaxed);
        all.fetch_add(results.len() as u64, Ordering::Relaxed);
        leases.fetch_add(written as u64, Ordering::Relaxed);
        refused.fetch_add(results.iter().filter(|result| result.is_err()).count() as u64, Ordering::Relaxed);
    }

    /// Jobs of which nothing was written. A loss is said once, by whoever tries to connect again.
    pub fn lost(&self, jobs: &[Job], error: &Error) {
        let count: usize =
            jobs.iter().map(|job| if let Work::Deeds(deeds) = &job.work { deeds.len() } else { 1 }).sum();
        self.counters.refused.fetch_add(count as u64, Ordering::Relaxed);
        match self.outage.since() {
            None => tracing::error!(%error, changes = count, "nothing of these changes was written"),
            Some(_) => tracing::debug!(%error, changes = count, "nothing of these changes was written"),
        }
        self.outage.lose();
    }

    fn tell(&self, events: Vec<Arc<Event>>) {
        if events.is_empty() {
            return;
        }
        {
            let mut ring = locked(&self.ring);
            events.iter().for_each(|event| ring.push(event.clone()));
        }
        events.into_iter().for_each(|event| drop(self.feed.send(event)));
    }

    /// What other nodes changed.
    pub fn refreshed(&self, updates: Vec<load::Update>, changes: Vec<Change>) {
        {
            let mut world = self.world_mut();
            updates.into_iter().for_each(|update| update(&mut world));
        }
        changes.into_iter().for_each(|change| drop(self.changes.send(change)));
    }

    /// Memory forgets what the database forgot, which keeps revisions from this one on.
    pub fn prune(&self, now: Time, oldest: i64) {
        let mut world = self.world_mut();
        world.prune(now);
        world.put_oldest_revision(oldest);
    }
}

/// What is told after the World knows.
#[derive(Default)]
struct News {
    changes: Vec<Change>,
    events: Vec<Arc<Event>>,
}

impl News {
    /// The owner of a pool made the lease itself: only others' are news to it.
    fn of_deed(&mut self, world: &mut World, deed: Deed, outcome: Outcome) {
        deed.effects.into_iter().for_each(|effect| world.apply(effect));
        self.changes.extend(outcome.changes.into_iter().filter(|change| !matches!(change, Change::Lease { .. })));
        self.events.extend(deed.events.into_iter().map(Arc::new));
    }

    fn of_edit(&mut self, world: &mut World, outcome: Outcome, at: Time) {
        outcome.holds.into_iter().for_each(|hold| world.put_hold(hold));
        outcome.templates.into_iter().for_each(|version| world.put_template(version));
        let turned: Vec<RecordKey> =
            outcome.turns.iter().filter(|turn| turn.is_change()).filter_map(Turn::key).collect();
        if outcome.restores {
            outcome.turns.into_iter().for_each(|turn| world.restore(turn, at));
        }
        outcome.revision.into_iter().for_each(|number| world.put_revision(number, turned.iter().cloned()));
        self.changes.extend(outcome.changes);
        self.events.extend(outcome.events.into_iter().map(Arc::new));
    }
}
