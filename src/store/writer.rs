//! The one task that writes: it takes what is waiting, commits it together, and only then lets memory know.

use super::deeds::{self, Deed};
use super::load::{self, Update};
use super::sql::{CONNECT_LIMIT, Conn};
use super::ticket::Ended;
use super::{Change, Edit, Error, Shared, change, check_ins, edit, events, file, prune, sightings};
use crate::boot::Tale;
use crate::model::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, sleep_until, timeout};
use uuid::Uuid;

/// How often the oldest history is forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How often it is written down who was seen.
const SIGHTINGS_EVERY: Duration = Duration::from_secs(3);
/// How often it is written down who checked in: what a crash costs of that is found again within a round.
const CHECK_INS_EVERY: Duration = Duration::from_secs(60);
/// How many sightings are written at a time, whatever knocks.
const SIGHTINGS: usize = 256;
/// How many jobs are taken at a time.
const BATCH: usize = 256;
/// From so many decisions on, a transaction takes no further job: a few milliseconds' worth.
const DEEDS: usize = 1024;
/// How long a batch may take; after that the database counts as unreachable.
const BATCH_LIMIT: Duration = Duration::from_secs(10);
/// SQLite waits for a backup to end by itself, see its busy timeout.
const BATCH_LIMIT_LOCAL: Duration = Duration::from_secs(60);
/// How long the end waits for somebody who reads the file.
const LAST_LIMIT: Duration = Duration::from_secs(2);
/// A transaction begins no sooner than so after one that was for many: each sync is then paid by more of them.
const PACE: Duration = Duration::from_millis(5);
/// How many decisions in a transaction are many.
const MANY: usize = 4;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);

pub struct Job {
    pub work: Work,
    pub done: oneshot::Sender<Ended>,
}

pub enum Work {
    Deeds(Vec<Deed>),
    Edit {
        edit: Box<Edit>,
        /// What it was made of, where that must still be there.
        over: Option<Box<Record>>,
        by: String,
        at: Time,
        /// Written and taken back: only whether it could be counts.
        is_trial: bool,
    },
    /// Who was seen of late.
    Sightings(Vec<Sighting>),
    /// Who checked in of late.
    CheckIns(Vec<CheckIn>),
    /// Read again what other nodes may have changed.
    Look(Vec<Change>),
    /// Finish what is queued, then end.
    Close,
}

impl Work {
    fn deeds(&self) -> &[Deed] {
        if let Work::Deeds(deeds) = self { deeds } else { &[] }
    }
}

/// What a decision or an edit did to the database, for those who are told after the commit.
#[derive(Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    pub tales: Vec<Tale>,
    pub events: Vec<Event>,
    /// What an edit's own data does not say.
    pub holds: Vec<Hold>,
    /// With the numbers that they were given.
    pub templates: Vec<TemplateVersion>,
    /// What it turned of the configuration.
    pub turns: Vec<Turn>,
    /// Whether memory learns of it by these turns: an edit's own data does not say it.
    pub restores: bool,
    /// The revision that it made, where it turned something.
    pub revision: Option<i64>,
    /// The whole in one sentence, where the tales are of its parts.
    pub what: Option<String>,
}

impl Outcome {
    pub fn of(changes: Vec<Change>, tales: Vec<Tale>) -> Self {
        Outcome { changes, tales, ..Outcome::default() }
    }

    /// The whole in one sentence, without who did it.
    pub fn headline(&self, by: &str) -> String {
        let first =
            || self.tales.first().map(|tale| tale.text.strip_prefix(by).unwrap_or(&tale.text).trim_start().to_owned());
        self.what.clone().or_else(first).unwrap_or_default()
    }

    /// Addresses that are given to nobody else for a while, since this took them away.
    pub fn holding(mut self, holds: Vec<Hold>) -> Self {
        self.changes.extend(holds.iter().map(|hold| Change::Hold { network: hold.network.clone(), ip: hold.ip }));
        self.holds = holds;
        self
    }
}

pub struct Writer {
    pub shared: Arc<Shared>,
    pub jobs: mpsc::Receiver<Job>,
    /// What other nodes say has changed.
    pub heard: mpsc::Receiver<Vec<Change>>,
    pub db: Option<Conn>,
    pub outage: Outage,
    /// The next transaction does not begin before.
    pub begin_at: Instant,
    pub lock: Option<file::Lock>,
}

/// What is known of a database that does not answer.
pub struct Outage {
    pub retry_at: Instant,
    pub pause: Duration,
    /// Why it was lost: what jobs are told until the next attempt.
    pub cause: Option<Error>,
    /// Set when a commit's result is unknown: the World is read again before the next job.
    pub stale: bool,
}

impl Default for Outage {
    fn default() -> Self {
        Outage { retry_at: Instant::now(), pause: RETRY_FIRST, cause: None, stale: false }
    }
}

impl Writer {
    /// Runs until the store is closed or dropped, and everything that was queued is answered.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut prune = tokio::time::interval(PRUNE_EVERY);
        let mut look = tokio::time::interval(SIGHTINGS_EVERY);
        let mut listen = tokio::time::interval(CHECK_INS_EVERY);
        for often in [&mut look, &mut listen] {
            often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            let down = self.db.is_none();
            tokio::select! {
                biased;
                Some(changes) = self.heard.recv() => self.read_again(changes).await,
                _ = prune.tick(), if !down => self.prune().await,
                _ = look.tick(), if !down => self.write_sightings(SIGHTINGS).await,
                _ = listen.tick(), if !down => self.write_check_ins().await,
                () = sleep_until(self.outage.retry_at), if down => drop(self.connect().await),
                count = self.jobs.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.gather(&mut batch).await;
                    self.serve(batch.drain(..)).await;
                }
            }
        }
        if self.db.is_some() {
            self.write_sightings(sightings::LIMIT).await;
        }
        if self.db.is_some() {
            self.write_check_ins().await;
        }
        if let Some(db) = &mut self.db {
            // A backup may hold it: then the log stays beside the database, and is read at the next start.
            let _ = timeout(LAST_LIMIT, db.bring_home()).await;
        }
        drop(self.lock);
    }

    /// Lets others get in where the last transaction was for many and began a moment ago.
    async fn gather(&mut self, batch: &mut Vec<Job>) {
        if self.begin_at > Instant::now() {
            sleep_until(self.begin_at).await;
        }
        while batch.len() < BATCH
            && let Ok(job) = self.jobs.try_recv()
        {
            batch.push(job);
        }
        let count: usize = batch.iter().map(|job| job.work.deeds().len()).sum();
        let now = Instant::now();
        self.begin_at = if count < MANY { now } else { now + PACE };
    }

    /// Splits a batch at the edits: each takes its lock first in a transaction of its own, so that two
    /// nodes can not wait for each other's rows and lock crosswise.
    async fn serve(&mut self, batch: impl Iterator<Item = Job>) {
        let (mut together, mut count) = (Vec::new(), 0);
        for job in batch {
            match &job.work {
                Work::Deeds(deeds) => {
                    count += deeds.len();
                    self.shared.dismiss(deeds.len());
                    together.push(job);
                    if count >= DEEDS {
                        count = 0;
                        self.commit(std::mem::take(&mut together)).await;
                    }
                }
                Work::Edit { .. } | Work::Sightings(_) | Work::CheckIns(_) => {
                    count = 0;
                    self.commit(std::mem::take(&mut together)).await;
                    self.commit(vec![job]).await;
                }
                Work::Look(changes) => {
                    count = 0;
                    self.commit(std::mem::take(&mut together)).await;
                    let (changes, done) = (changes.clone(), job.done);
                    self.read_again(changes).await;
                    let _ = done.send(vec![Ok(())]);
                }
                Work::Close => {
                    self.jobs.close();
                    let _ = job.done.send(vec![Ok(())]);
                }
            }
        }
        self.commit(together).await;
    }

    async fn prune(&mut self) {
        let (limit, now) = (self.limit(), Time::from(SystemTime::now()));
        let Some(db) = &mut self.db else { return };
        match timeout(limit, prune::all(db, now)).await.unwrap_or_else(|_| Err(self.too_slow())) {
            Ok(oldest) => self.shared.prune(now, oldest),
            Err(error) => {
                tracing::warn!(%error, "what is over could not be forgotten");
                self.db = None;
            }
        }
    }

    /// A flood of strangers costs a few rows in a few seconds.
    async fn write_sightings(&mut self, limit: usize) {
        let news = self.shared.world().unkept_sightings(limit);
        if !news.is_empty() {
            self.commit(vec![Job { work: Work::Sightings(news), done: oneshot::channel().0 }]).await;
        }
    }

    /// In parts: leases wait for no more than one of them.
    async fn write_check_ins(&mut self) {
        let news = self.shared.world().unwritten_check_ins();
        for part in news.chunks(check_ins::BATCH) {
            self.commit(vec![Job { work: Work::CheckIns(part.to_vec()), done: oneshot::channel().0 }]).await;
        }
    }

    async fn commit(&mut self, mut jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        name_events(&mut jobs);
        self.shared.look_ahead(&mut jobs);
        match self.transact(&jobs).await {
            Ok(results) => self.shared.committed(jobs, results),
            Err(error) => {
                self.shared.lost(&jobs, &error);
                if matches!(error, Error::SyncFailed { .. }) {
                    // The disk may have lost what it said it holds: end, and start from what is there.
                    self.jobs.close();
                }
                for Job { work, done } in jobs {
                    let _ = done.send(vec![Err(error.clone()); work.deeds().len().max(1)]);
                }
            }
        }
    }

    async fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Result<Outcome, Error>>, Error> {
        self.begin().await?;
        let limit = self.limit();
        let Some(db) = &mut self.db else { return Err(Error::Closed) };
        let mut committing = false;
        let done = timeout(limit, transaction(db, jobs, &self.shared, &mut committing)).await;
        let done = done.unwrap_or_else(|_| Err(self.too_slow()));
        if let Err(error) = &done {
            // Whatever state the connection is in, dropping it rolls back.
            self.db = None;
            // A full disk says so, and nothing is written: of other failures it is not known. What other nodes
            // wrote while the connection was gone may not have been heard.
            let unknown = committing && !matches!(error, Error::Full { .. });
            self.outage.stale |= unknown || self.shared.database.is_shared();
            self.outage.cause = matches!(error, Error::SyncFailed { .. }).then(|| error.clone());
        }
        done
    }

    /// Begins a transaction; where the idle connection turns out to be dead, on a new one.
    async fn begin(&mut self) -> Result<(), Error> {
        let idle = self.db.is_some();
        self.connect().await?;
        match self.try_begin().await {
            Err(Error::Unreachable { .. }) if idle => {
                self.connect().await?;
                self.try_begin().await
            }
            other => other,
        }
    }

    async fn try_begin(&mut self) -> Result<(), Error> {
        // To begin is no work for a server of its own; a file may be held by a backup.
        let limit = if self.shared.database.is_shared() { CONNECT_LIMIT } else { BATCH_LIMIT_LOCAL };
        let Some(db) = &mut self.db else { return Err(Error::Closed) };
        let begun = timeout(limit, db.begin()).await.unwrap_or_else(|_| Err(self.too_slow()));
        if begun.is_err() {
            self.db = None;
            self.outage.stale |= self.shared.database.is_shared();
        }
        begun
    }

    fn limit(&self) -> Duration {
        if self.shared.database.is_shared() { BATCH_LIMIT } else { BATCH_LIMIT_LOCAL }
    }

    fn too_slow(&self) -> Error {
        self.shared.database.unreachable("no answer in time")
    }

    /// Makes sure of a connection, unless the last attempt was a moment ago.
    async fn connect(&mut self) -> Result<(), Error> {
        if self.db.is_some() {
            return Ok(());
        }
        if let Some(cause) = &self.outage.cause {
            if matches!(cause, Error::SyncFailed { .. }) {
                // Nobody connects again: what is left only waits for the end.
                self.outage.retry_at = Instant::now() + RETRY_LAST;
                return Err(cause.clone());
            }
            if Instant::now() < self.outage.retry_at {
                return Err(cause.clone());
            }
        }
        match self.try_connect().await {
            Ok(()) => {
                if self.outage.cause.is_some() {
                    tracing::info!("the database answers again");
                }
                self.outage = Outage::default();
                self.shared.outage.find();
                Ok(())
            }
            Err(error) => {
                self.shared.outage.lose();
                if self.outage.cause.is_none() {
                    tracing::error!(%error, "the database is lost; trying again until it answers");
                }
                self.outage.retry_at = Instant::now() + self.outage.pause;
                self.outage.pause = (self.outage.pause * 2).min(RETRY_LAST);
                self.outage.cause = Some(error.clone());
                Err(error)
            }
        }
    }

    async fn try_connect(&mut self) -> Result<(), Error> {
        let mut db = self.shared.database.connect().await?;
        if self.shared.outage.since().is_some() {
            // That it can be opened says nothing of a full disk, or of a server that only reads.
            timeout(CONNECT_LIMIT, load::probe(&mut db)).await.unwrap_or_else(|_| Err(self.too_slow()))?;
        }
        if self.outage.stale {
            let all = timeout(self.limit(), load::read_again(&mut db, &[Change::Everything]));
            let update = all.await.unwrap_or_else(|_| Err(self.too_slow()))?;
            self.shared.refreshed(update, vec![Change::Everything]);
        }
        self.db = Some(db);
        Ok(())
    }

    /// Brings the World up to date with what other nodes committed. It happens in this task, between two
    /// batches, so that an older row can never overwrite a newer one.
    async fn read_again(&mut self, mut changes: Vec<Change>) {
        while let Ok(more) = self.heard.try_recv() {
            changes.extend(more);
        }
        if changes.contains(&Change::Everything) {
            changes = vec![Change::Everything];
        }
        let mut known = HashSet::new();
        changes.retain(|change| known.insert(change.clone()));
        match self.updates(&changes).await {
            Ok(updates) => {
                let all = changes == [Change::Everything];
                self.shared.refreshed(updates, changes);
                if all {
                    self.shared.outage.find();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "what another node changed can not be read now; all is read again later");
                self.db = None;
                self.outage.stale = true;
                self.shared.outage.lose();
            }
        }
    }

    async fn updates(&mut self, changes: &[Change]) -> Result<Vec<Update>, Error> {
        self.connect().await?;
        let Some(db) = &mut self.db else { return Err(Error::Closed) };
        timeout(BATCH_LIMIT, load::read_again(db, changes)).await.unwrap_or_else(|_| Err(self.too_slow()))
    }
}

/// Every event has its id before it is written, and ids sort as the transactions came.
fn name_events(jobs: &mut [Job]) {
    let deeds =
        jobs.iter_mut().flat_map(|job| if let Work::Deeds(deeds) = &mut job.work { deeds } else { &mut [][..] });
    deeds.flat_map(|deed| &mut deed.events).for_each(|event| event.id = Uuid::now_v7());
}

/// All jobs in the transaction that has begun. The outer error means that nothing was written.
async fn transaction(
    db: &mut Conn,
    jobs: &[Job],
    shared: &Shared,
    committing: &mut bool,
) -> Result<Vec<Result<Outcome, Error>>, Error> {
    // One node writes at a time: rows that are locked in two orders would wait for each other.
    db.lock_edits().await?;
    let results = match jobs {
        [Job { work: Work::Edit { edit, over, by, at, is_trial }, .. }] => {
            vec![attempt(db, (edit, over.as_deref()), (by, *is_trial), *at, shared).await?]
        }
        [Job { work: Work::Sightings(news), .. }] => {
            sightings::keep(db, news).await?;
            vec![Ok(Outcome::default())]
        }
        [Job { work: Work::CheckIns(news), .. }] => {
            check_ins::keep(db, news).await?;
            vec![Ok(Outcome::of(vec![Change::CheckIns], Vec::new()))]
        }
        jobs => {
            let deeds: Vec<&Deed> = jobs.iter().flat_map(|job| job.work.deeds()).collect();
            let ended = deeds::write(db, &deeds, shared.database.is_shared()).await?;
            ended.into_iter().map(|ended| ended.map(|changes| Outcome::of(changes, Vec::new()))).collect()
        }
    };
    if shared.database.is_shared() {
        let changes: Vec<&Change> = results.iter().flatten().flat_map(|outcome| &outcome.changes).collect();
        for payload in change::payloads(&shared.node, &changes) {
            db.notify(&payload).await?;
        }
    }
    *committing = true;
    db.commit().await?;
    Ok(results)
}

/// An edit behind a savepoint: refused, it leaves nothing behind.
async fn attempt(
    db: &mut Conn,
    edit: (&Edit, Option<&Record>),
    (by, is_trial): (&str, bool),
    at: Time,
    shared: &Shared,
) -> Result<Result<Outcome, Error>, Error> {
    db.set_savepoint().await?;
    let written = async {
        let mut outcome = edit::write(db, edit, by, at, shared).await?;
        let revision = outcome.revision.or_else(|| Some(shared.world().revision()));
        let tales = outcome.tales.drain(..).map(|tale| Tale { revision, ..tale });
        outcome.events = tales.map(|tale| tale.named(Uuid::now_v7())).collect();
        events::add(db, &outcome.events.iter().collect::<Vec<_>>()).await?;
        if is_trial { Err(Error::Tried) } else { Ok(outcome) }
    };
    match written.await {
        Ok(outcome) => db.release_savepoint().await.map(|()| Ok(outcome)),
        Err::<_, Error>(refusal) if refusal.is_a_refusal() => db.undo_to_savepoint().await.map(|()| Err(refusal)),
        Err(error) => Err(error),
    }
}
