//! The one task that writes: it takes what is waiting, commits it together, and only then lets memory know.

use super::load::{self, Update};
use super::sql::Conn;
use super::{Change, Edit, Error, Shared, change, edit, effects, events, file, sightings};
use crate::boot::{Effect, Tale};
use crate::model::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

/// How often the oldest history is forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How many jobs share a commit at most.
const BATCH: usize = 256;
/// How long a batch may take; after that the database counts as unreachable.
const BATCH_LIMIT: Duration = Duration::from_secs(10);
/// SQLite waits for a backup to end by itself, see its busy timeout.
const BATCH_LIMIT_LOCAL: Duration = Duration::from_secs(60);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);

pub struct Job {
    pub work: Work,
    pub done: oneshot::Sender<Result<(), Error>>,
}

pub enum Work {
    Effects(Vec<Effect>),
    Edit {
        edit: Box<Edit>,
        by: String,
        at: Time,
    },
    /// Finish what is queued, then end.
    Close,
}

/// What a job did to the database, for those who are told after the commit.
#[derive(Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    pub tales: Vec<Tale>,
    pub events: Vec<Event>,
}

impl Outcome {
    pub fn of(changes: Vec<Change>, tales: Vec<Tale>) -> Self {
        Outcome { changes, tales, events: Vec::new() }
    }
}

pub struct Writer {
    pub shared: Arc<Shared>,
    pub jobs: mpsc::Receiver<Job>,
    /// What other nodes say has changed.
    pub heard: mpsc::Receiver<Vec<Change>>,
    pub db: Option<Conn>,
    pub outage: Outage,
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
        loop {
            let down = self.db.is_none();
            tokio::select! {
                biased;
                Some(changes) = self.heard.recv() => self.read_again(changes).await,
                _ = prune.tick(), if !down => self.prune().await,
                () = sleep_until(self.outage.retry_at), if down => drop(self.connect().await),
                count = self.jobs.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.serve(batch.drain(..)).await;
                }
            }
        }
        drop(self.lock);
    }

    /// Splits a batch at the edits: each takes its lock first in a transaction of its own, so that two
    /// nodes can not wait for each other's rows and lock crosswise.
    async fn serve(&mut self, batch: impl Iterator<Item = Job>) {
        let mut together = Vec::new();
        for job in batch {
            match job.work {
                Work::Effects(_) => together.push(job),
                Work::Edit { .. } => {
                    self.commit(std::mem::take(&mut together)).await;
                    self.commit(vec![job]).await;
                }
                Work::Close => {
                    self.jobs.close();
                    let _ = job.done.send(Ok(()));
                }
            }
        }
        self.commit(together).await;
    }

    async fn prune(&mut self) {
        let Some(db) = &mut self.db else { return };
        if let Err(error) = events::prune(db, events::KEPT).await {
            tracing::warn!(%error, "the oldest events could not be forgotten");
        }
    }

    async fn commit(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        match self.transact(&jobs).await {
            Ok(results) => self.shared.committed(jobs, results),
            Err(error) => {
                tracing::error!(%error, changes = jobs.len(), "nothing of these changes was written");
                if matches!(error, Error::SyncFailed { .. }) {
                    // The disk may have lost what it said it holds: end, and start from what is there.
                    self.jobs.close();
                }
                jobs.into_iter().for_each(|job| drop(job.done.send(Err(error.clone()))));
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
            self.outage.stale |= committing;
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
        let limit = self.limit();
        let Some(db) = &mut self.db else { return Err(Error::Closed) };
        let begun = timeout(limit, db.begin()).await.unwrap_or_else(|_| Err(self.too_slow()));
        if begun.is_err() {
            self.db = None;
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
        if let Some(cause) = &self.outage.cause
            && (matches!(cause, Error::SyncFailed { .. }) || Instant::now() < self.outage.retry_at)
        {
            self.outage.retry_at = self.outage.retry_at.max(Instant::now() + RETRY_FIRST);
            return Err(cause.clone());
        }
        match self.try_connect().await {
            Ok(()) => {
                if self.outage.cause.is_some() {
                    tracing::info!("the database answers again");
                }
                self.outage = Outage::default();
                Ok(())
            }
            Err(error) => {
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
        if self.outage.stale {
            let update = load::read_again(&mut db, &Change::Everything).await?;
            self.shared.refreshed(vec![update], vec![Change::Everything]);
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
            Ok(updates) => self.shared.refreshed(updates, changes),
            Err(error) => {
                tracing::warn!(%error, "what another node changed can not be read now; all is read again later");
                self.db = None;
                self.outage.stale = true;
            }
        }
    }

    async fn updates(&mut self, changes: &[Change]) -> Result<Vec<Update>, Error> {
        self.connect().await?;
        let Some(db) = &mut self.db else { return Err(Error::Closed) };
        let read = async {
            let mut updates = Vec::new();
            for change in changes {
                updates.push(load::read_again(db, change).await?);
            }
            Ok(updates)
        };
        timeout(BATCH_LIMIT, read).await.unwrap_or_else(|_| Err(self.too_slow()))
    }
}

/// All jobs in the transaction that has begun. The outer error means that nothing was written.
async fn transaction(
    db: &mut Conn,
    jobs: &[Job],
    shared: &Shared,
    committing: &mut bool,
) -> Result<Vec<Result<Outcome, Error>>, Error> {
    let mut results = Vec::with_capacity(jobs.len());
    for job in jobs {
        results.push(attempt(db, job).await?);
    }
    if jobs.iter().any(|job| job.work.sees()) {
        sightings::trim(db).await?;
    }
    if shared.database.is_shared() {
        let changes: Vec<Change> = results.iter().flatten().flat_map(|outcome| outcome.changes.clone()).collect();
        for payload in change::payloads(&shared.node, &changes) {
            db.notify(&payload).await?;
        }
    }
    *committing = true;
    db.commit().await?;
    Ok(results)
}

/// One job behind a savepoint: refused, it leaves nothing behind and does not spoil the others.
async fn attempt(db: &mut Conn, job: &Job) -> Result<Result<Outcome, Error>, Error> {
    db.set_savepoint().await?;
    match perform(db, &job.work).await {
        Ok(outcome) => db.release_savepoint().await.map(|()| Ok(outcome)),
        Err(refusal) if refusal.is_a_refusal() => db.undo_to_savepoint().await.map(|()| Err(refusal)),
        Err(error) => Err(error),
    }
}

async fn perform(db: &mut Conn, work: &Work) -> Result<Outcome, Error> {
    let mut outcome = match work {
        Work::Effects(effects) => effects::write(db, effects).await?,
        Work::Edit { edit, by, at } => edit::write(db, edit, by, *at).await?,
        Work::Close => Outcome::default(),
    };
    outcome.events = outcome.tales.drain(..).map(|tale| tale.named(Uuid::now_v7())).collect();
    for event in outcome.events.iter().filter(|event| event.kind.is_durable()) {
        events::add(db, event).await?;
    }
    Ok(outcome)
}

impl Work {
    fn sees(&self) -> bool {
        matches!(self, Work::Effects(effects) if effects.iter().any(|effect| matches!(effect, Effect::See(_))))
    }
}
