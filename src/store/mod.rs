//! What survives a restart, and the World in memory that packets are answered from.
//!
//! A change goes one way: [`Store::record`] (a decision's effects) or [`Store::edit`] (an operator's word) →
//! the queue → `writer`, which commits what is waiting in one transaction → the [`World`] → those who wait
//! for the ticket → [`Store::changes`] and [`Store::feed`]. So whoever holds a completed ticket, or was told
//! of a change, finds it in the World.
//!
//! `sql` is the only folder that knows that there are two databases; each noun has a file of queries
//! (`machines`, `leases`, …) beside `migrations/`; `check` compares records with each other inside the
//! transaction; `revisions` keeps what each edit changed, and the way back; `apply` brings the World up to date; `load` and `hear` read what other nodes wrote.
//!
//! Deliberately absent: reads from the database while a packet waits, and a second writer of a SQLite file.

mod apply;
mod authority;
mod change;
mod check;
mod check_dhcp;
mod check_ins;
mod classes;
mod deeds;
mod distros;
mod edit;
mod effects;
mod error;
mod events;
mod file;
mod hear;
mod holds;
mod keys;
mod leases;
mod load;
mod machines;
mod networks;
mod options;
mod profiles;
mod prune;
mod ranges;
mod repeats;
mod reservations;
mod revisions;
mod seals;
mod servers;
mod shared;
mod sightings;
mod sql;
mod templates;
mod ticket;
mod tokens;
mod tombstones;
mod world;
mod writer;

pub use authority::KnownCa;
pub use change::Change;
pub use edit::Edit;
pub use error::Error;
pub use events::EventFilter;
pub use revisions::Plan;
pub use shared::Counters;
pub use ticket::{Ticket, Tickets};
pub use world::{Paper, Resident, World};

use crate::boot::Effect;
use crate::model::*;
use crate::vault::{Key, Place, Vault};
use shared::{Shared, locked};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;
use writer::{Job, Work, Writer};

/// How many jobs may wait for the writer.
const QUEUE: usize = 8192;
/// How far a listener may fall behind before it is told that it missed something.
const BEHIND: usize = 4096;

/// Every change of the schema, in order; the shipped ones never change.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "nouns", include_str!("migrations/0001_nouns.sql")),
    (2, "dhcp", include_str!("migrations/0002_dhcp.sql")),
    (3, "boot", include_str!("migrations/0003_boot.sql")),
    (4, "variables", include_str!("migrations/0004_variables.sql")),
    (5, "templates", include_str!("migrations/0005_templates.sql")),
    (6, "revisions", include_str!("migrations/0006_revisions.sql")),
    (7, "revision sizes", include_str!("migrations/0007_revision_sizes.sql")),
    (8, "keys", include_str!("migrations/0008_keys.sql")),
    (9, "check-ins", include_str!("migrations/0009_check_ins.sql")),
];

fn migrations() -> Migrator {
    let migration = |(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// The door to everything that lasts. A clone is cheap and is the same store.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Store {
    /// Opens `sqlite:///path/file.db` or `postgres://…`: creates what is missing, brings the schema up to
    /// date, reads the World and starts the writer. The key of secrets lies beside a database that is a file.
    pub async fn open(url: &str) -> Result<Store, Error> {
        Store::open_with(url, &Place::beside(url)).await
    }

    /// The same, with the key of secrets in a place of its own.
    pub async fn open_with(url: &str, key: &Place) -> Result<Store, Error> {
        let (database, lock) = sql::Database::at(url).await?;
        let mut db = database.connect().await?;
        load::migrate(&mut db).await?;
        let vault = seals::settle(&mut db, key, database.is_shared()).await?;
        seals::hide_old(&mut db, &vault).await?;
        Store::begin((database, lock), db, vault).await
    }

    /// An empty store that lasts as long as this process, with a key of its own for secrets.
    pub async fn in_memory() -> Result<Store, Error> {
        let database = sql::Database::in_memory()?;
        let mut db = database.connect().await?;
        load::migrate(&mut db).await?;
        let key = Key::fresh().map_err(Error::Vault)?;
        Store::begin((database, None), db, Vault::with(key)).await
    }

    /// What a database holds now, for who only looks: nothing is written or locked, and no secret is opened.
    pub async fn look_at(url: &str) -> Result<World, Error> {
        let database = sql::Database::to_look_at(url)?;
        let world = async {
            let mut db = database.reader().await?;
            load::same_schema(&mut db).await?;
            load::world(&mut db).await
        };
        let world = world.await;
        database.close().await;
        world
    }

    /// What a database knows of the CA, for who only looks.
    pub async fn ca_of(url: &str) -> Result<KnownCa, Error> {
        let database = sql::Database::to_look_at(url)?;
        let found = async { authority::read(&mut database.reader().await?).await }.await;
        database.close().await;
        found
    }

    async fn begin(
        (database, lock): (sql::Database, Option<file::Lock>),
        mut db: sql::Conn,
        vault: Vault,
    ) -> Result<Store, Error> {
        let secret = load::server_secret(&mut db).await?;
        // Listen first, read second: what is committed in between is read twice, never missed.
        let ear = database.listen().await?;
        let world = RwLock::new(load::world(&mut db).await?);
        let (changes, feed) = (broadcast::channel(BEHIND).0, broadcast::channel(BEHIND).0);
        let (node, ring, repeats) = (Uuid::now_v7().to_string(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared {
            database,
            node,
            secret,
            vault: Arc::new(vault),
            world,
            ring,
            repeats,
            changes,
            feed,
            counters: Counters::default(),
            outage: shared::Loss::default(),
            waiting: Default::default(),
        });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (to, heard) = mpsc::channel(QUEUE);
        let outage = writer::Outage::default();
        let writer = Writer {
            shared: shared.clone(),
            jobs: queue,
            heard,
            db: Some(db),
            outage,
            begin_at: tokio::time::Instant::now(),
            lock,
        };
        let mut tasks = vec![tokio::spawn(writer.run())];
        tasks.extend(ear.map(|ear| tokio::spawn(hear::run(shared.clone(), ear, to))));
        Ok(Store { jobs, shared, tasks: Arc::new(Mutex::new(tasks)) })
    }

    /// What is known as of the last commit. Never hold it over an await: the writer waits for it.
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.shared.world()
    }

    /// Hands a decision's effects over and returns at once. All of them are applied or none; to drop the
    /// ticket does not cancel. What is memory's alone is done before this returns, whatever the database does.
    pub fn record(&self, effects: Vec<Effect>) -> Ticket {
        Ticket(self.record_all(vec![effects]))
    }

    /// Many decisions at once, each all or none by itself; the tickets tell how each ended. They are written
    /// in their order, in one transaction, and with whatever else waits.
    pub fn record_all(&self, decisions: Vec<Vec<Effect>>) -> Tickets {
        let (mut tickets, mut deeds) = (Tickets::default(), Vec::with_capacity(decisions.len()));
        for (place, effects) in decisions.into_iter().enumerate() {
            let deed = self.shared.deed(effects);
            tickets.ended.push(Ok(()));
            if deed.lasts() {
                tickets.late.push(place);
                deeds.push(deed);
            } else {
                self.shared.remember(deed);
            }
        }
        if !deeds.is_empty() {
            match self.send_deeds(deeds) {
                Ok(answer) => tickets.answer = Some(answer),
                Err(error) => tickets.refuse(&error),
            }
        }
        tickets
    }

    fn send_deeds(&self, deeds: Vec<deeds::Deed>) -> Result<oneshot::Receiver<ticket::Ended>, Error> {
        let (count, (done, answer)) = (deeds.len(), oneshot::channel());
        self.shared.admit(count)?;
        let sent = self.jobs.try_send(Job { work: Work::Deeds(deeds), done });
        sent.map(|()| answer).map_err(|refused| {
            self.shared.dismiss(count);
            match refused {
                mpsc::error::TrySendError::Full(_) => Error::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            }
        })
    }

    /// Since when the database does not answer; none while it does.
    pub fn lost_since(&self) -> Option<Time> {
        self.shared.outage.since()
    }

    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Makes an operator's change, checked against all other records, and writes who made it. Secrets are sealed first.
    pub async fn edit(&self, mut edit: Edit, by: &str, at: Time) -> Result<(), Error> {
        seals::seal(&mut edit, &self.shared.vault)?;
        self.send(Work::Edit { edit: Box::new(edit), over: None, by: by.to_owned(), at, is_trial: false }).await
    }

    /// Whether an operator's change could be made now: checked against all other records as it would be, and nothing is kept.
    pub async fn try_edit(&self, mut edit: Edit, by: &str, at: Time) -> Result<(), Error> {
        seals::seal(&mut edit, &self.shared.vault)?;
        let tried = Work::Edit { edit: Box::new(edit), over: None, by: by.to_owned(), at, is_trial: true };
        match self.send(tried).await {
            Err(Error::Tried) => Ok(()),
            ended => ended,
        }
    }

    /// The same for who read a record, changed it and gives it whole: where the database holds another by now, whoever wrote it,
    /// [`Error::Conflict`], and nothing is written.
    pub async fn edit_over(&self, read: &Record, mut edit: Edit, by: &str, at: Time) -> Result<(), Error> {
        seals::seal(&mut edit, &self.shared.vault)?;
        let over = Some(Box::new(read.clone()));
        self.send(Work::Edit { edit: Box::new(edit), over, by: by.to_owned(), at, is_trial: false }).await
    }

    /// Whether other nodes may write to the same database.
    pub fn is_shared(&self) -> bool {
        self.shared.database.is_shared()
    }

    /// A number of this node's own, for what two nodes should not both begin with; 0 for one that is alone.
    pub fn seed(&self) -> u32 {
        let digits = self.shared.node.as_bytes();
        let seed = digits.iter().fold(0u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        if self.is_shared() { seed } else { 0 }
    }

    /// Reads again what other nodes may have changed, for those who are about to say no.
    pub async fn look(&self, changes: Vec<Change>) -> Result<(), Error> {
        self.send(Work::Look(changes)).await
    }

    async fn send(&self, work: Work) -> Result<(), Error> {
        let (done, ticket) = oneshot::channel();
        self.jobs.send(Job { work, done }).await.map_err(|_| Error::Closed)?;
        ticket.await.ok().and_then(|mut ended| ended.pop()).unwrap_or(Err(Error::Closed))
    }

    /// Returns when nothing can be written any more: after `close`, when the disk failed to sync, or when
    /// the writer broke down.
    pub async fn ended(&self) {
        self.jobs.closed().await;
    }

    /// What changed, here or on another node; leases that this node's own decisions wrote are not among it.
    /// Who falls behind gets `Lagged` and must read everything again.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// Every event of this node as it is committed, durable or not.
    pub fn feed(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared.feed.subscribe()
    }

    /// History: the database's events (all nodes, the durable kinds) and the ring's (this node, all kinds),
    /// each once, oldest first.
    ///
    /// After an event of this node: what it published since, in that order, behind what other nodes wrote.
    /// Of those, one may come twice: its id tells.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, Error> {
        let here = {
            let ring = locked(&self.shared.ring);
            filter.after.and_then(|after| ring.since(after, filter))
        };
        let Some(here) = here else { return self.all_events(filter).await };
        let mut events = match self.shared.database.is_shared() {
            true => self.all_events(filter).await?,
            false => Vec::new(),
        };
        events.retain(|event| here.iter().all(|own| own.id != event.id));
        events.extend(here);
        Ok(events)
    }

    async fn all_events(&self, filter: &EventFilter) -> Result<Vec<Event>, Error> {
        let mut found = BTreeMap::new();
        if filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind.is_durable()) {
            let mut db = self.shared.database.reader().await?;
            found.extend(events::newest(&mut db, filter).await?.into_iter().map(|event| (event.id, event)));
        }
        let recent = locked(&self.shared.ring).newest(filter);
        found.extend(recent.into_iter().map(|event| (event.id, event)));
        let beyond = found.len().saturating_sub(filter.limit);
        Ok(found.into_values().skip(beyond).collect())
    }

    /// The single-use key with this hash, spent or not.
    pub async fn install_key(&self, hash: Hash) -> Result<Option<InstallKey>, Error> {
        let mut db = self.shared.database.reader().await?;
        keys::install_key(&mut db, hash).await
    }

    /// The key with this hash that leads a system back to its record, spent or not.
    pub async fn reactivation(&self, hash: Hash) -> Result<Option<Reactivation>, Error> {
        let mut db = self.shared.database.reader().await?;
        keys::reactivation(&mut db, hash).await
    }

    /// Every version of a template, the oldest first.
    pub async fn template_history(&self, name: &str) -> Result<Vec<TemplateVersion>, Error> {
        let mut db = self.shared.database.reader().await?;
        templates::history(&mut db, name).await
    }

    /// The newest revisions of the configuration, the newest first.
    pub async fn revisions(&self, limit: usize) -> Result<Vec<RevisionLine>, Error> {
        let mut db = self.shared.database.reader().await?;
        revisions::list(&mut db, limit).await
    }

    /// One of them, with the records as they were before and after.
    pub async fn revision(&self, number: i64) -> Result<Revision, Error> {
        let mut db = self.shared.database.reader().await?;
        revisions::one(&mut db, number).await?.ok_or_else(|| Error::missing("revision", number))
    }

    /// The configuration as it is, and as a change would make it: on paper alone.
    pub fn on_paper(&self, mut edit: Edit, at: Time) -> Result<(Paper, Paper), Error> {
        seals::seal(&mut edit, &self.shared.vault)?;
        let (now, mut then, gone) = {
            let world = self.world();
            let named = |name: &Name| world.machine_named(name).map(|machine| machine.id);
            let gone = if let Edit::RemoveMachine(name) = &edit { named(name) } else { None };
            (world.paper(), world.paper(), gone)
        };
        match gone {
            Some(machine) => then.strike(machine),
            None => then.write(edit, at),
        }
        Ok((now, then))
    }

    /// What a rollback to a revision would do now. `from` is what the operator saw as the newest: what came later would be
    /// taken back unseen.
    pub async fn plan(&self, to: i64, from: Option<i64>) -> Result<Plan, Error> {
        let mut db = self.shared.database.reader().await?;
        revisions::planned(&mut db, (to, from), &self.shared.vault).await
    }

    /// What tokens and keys are derived from: made once, the same on every node, as long as the database lives.
    pub async fn server_secret(&self) -> Result<[u8; 32], Error> {
        Ok(self.shared.secret)
    }

    /// What this server and the others of this database know of the CA.
    pub async fn known_ca(&self) -> Result<KnownCa, Error> {
        authority::read(&mut self.shared.database.reader().await?).await
    }

    /// Opens what is sealed in records.
    pub fn vault(&self) -> Arc<Vault> {
        self.shared.vault.clone()
    }

    /// Writes what is queued and ends the writer. Other clones find the store closed.
    pub async fn close(self) {
        let _ = self.send(Work::Close).await;
        let tasks = std::mem::take(&mut *locked(&self.tasks));
        for task in tasks {
            let _ = task.await;
        }
        self.shared.database.close().await;
    }
}
