//! Statements and rows, and the only folder that knows that there are two databases.
//!
//! Both understand `$1`, TEXT and BIGINT, and `ON CONFLICT`; what else they share is in the texts of the
//! files outside. Here lies what differs: connecting, beginning, locking, notifying (this file), how many rows
//! reach one statement (`statement`), and what errors mean (`meaning`).

mod meaning;
mod row;
mod statement;

pub use row::Row;
pub use statement::{Rows, Statement, either, json, sql};

use super::{Error, file};
use meaning::{meaning, unreachable};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use std::ops::DerefMut;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

const READERS: u32 = 4;
/// How long a backup or a shell may hold the file before changes are refused.
const BUSY_LIMIT: Duration = Duration::from_secs(30);
pub const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// For PostgreSQL to give up on a node, and for a node to give up waiting for another.
const HANG_LIMIT: &str = "5s";
const CHANNEL: &str = "kickstand_change";
/// The advisory lock that a node holds from the beginning of a transaction to its commit: "kickedit" in ASCII.
const EDIT_LOCK: i64 = 0x6b69_636b_6564_6974;

/// Where the database is, and connections for those who only read.
pub struct Database {
    place: Arc<str>,
    site: Site,
}

enum Site {
    Sqlite { options: Box<SqliteConnectOptions>, readers: SqlitePool },
    Postgres { options: Box<PgConnectOptions>, readers: PgPool },
}

impl Database {
    /// The database of `sqlite:///path/file.db` or `postgres://…`, and the lock that keeps a second
    /// process from a file: to be held as long as anything may write.
    pub async fn at(url: &str) -> Result<(Self, Option<file::Lock>), Error> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Ok((Self::postgres(url)?, None));
        }
        // sqlx would take any other text for the path of a new file.
        let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url).ok()).flatten();
        let options = options.ok_or_else(|| not_a_database(url))?;
        let lock = file::prepare(options.get_filename()).await?;
        Ok((Self::sqlite(options), Some(lock)))
    }

    fn sqlite(options: SqliteConnectOptions) -> Self {
        let place = options.get_filename().display().to_string();
        // FULL: a commit is on the disk before a client hears of it; in WAL mode, NORMAL would not promise that.
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_LIMIT)
            // Many commits write the same pages: each is brought home once in 32 MiB, not once in 4.
            .pragma("wal_autocheckpoint", "8192")
            .pragma("journal_size_limit", "67108864");
        let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT_LIMIT);
        let readers = pool.connect_lazy_with(options.clone().pragma("query_only", "1"));
        Database { place: place.into(), site: Site::Sqlite { options: Box::new(options), readers } }
    }

    /// One that is gone with its last connection. Nothing of it is ever on a disk.
    pub fn in_memory() -> Result<Self, Error> {
        let options = SqliteConnectOptions::from_str("sqlite::memory:").map_err(|e| meaning("memory", e))?;
        let options = options.synchronous(SqliteSynchronous::Off).foreign_keys(true).busy_timeout(BUSY_LIMIT);
        let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT_LIMIT);
        let readers = pool.connect_lazy_with(options.clone().pragma("query_only", "1"));
        Ok(Database { place: "memory".into(), site: Site::Sqlite { options: Box::new(options), readers } })
    }

    /// A database that another process may be writing, for who only looks: nothing is made, locked or written.
    pub fn to_look_at(url: &str) -> Result<Self, Error> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Self::postgres(url);
        }
        let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url).ok()).flatten();
        let options = options.ok_or_else(|| not_a_database(url))?;
        let path = options.get_filename().to_owned();
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        // Without a log nobody has it open: so even the index of the log need not be made to read it.
        let is_alone = !std::path::Path::new(&log).exists();
        let options = options.read_only(true).create_if_missing(false).immutable(is_alone).busy_timeout(BUSY_LIMIT);
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(CONNECT_LIMIT);
        let readers = pool.connect_lazy_with(options.clone());
        let place = path.display().to_string();
        Ok(Database { place: place.into(), site: Site::Sqlite { options: Box::new(options), readers } })
    }

    fn postgres(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|e| Error::CannotOpen { place: "postgres://…".into(), text: e.to_string() })?
            .application_name("kickstand")
            // A node that hangs in the middle of a transaction must not keep the others from writing.
            .options([("idle_in_transaction_session_timeout", HANG_LIMIT), ("lock_timeout", HANG_LIMIT)]);
        // The password stays out of every message.
        let (host, port) = (options.get_host(), options.get_port());
        let place = format!("postgres://{host}:{port}/{}", options.get_database().unwrap_or_default());
        let pool = PgPoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT_LIMIT);
        let readers = pool.connect_lazy_with(options.clone());
        Ok(Database { place: place.as_str().into(), site: Site::Postgres { options: Box::new(options), readers } })
    }

    /// A connection of one's own, for the writer.
    pub async fn connect(&self) -> Result<Conn, Error> {
        let link = async {
            Ok(match &self.site {
                Site::Sqlite { options, .. } => {
                    // All that is written often stays at hand: leases of a network are renewed in no order.
                    let options = (**options).clone().pragma("cache_size", "-16384");
                    Link::Sqlite(Box::new(Box::new(SqliteConnection::connect_with(&options).await?)))
                }
                Site::Postgres { options, .. } => {
                    Link::Postgres(Box::new(Box::new(PgConnection::connect_with(options).await?)))
                }
            })
        };
        self.within(link).await
    }

    /// A connection for reading what is committed.
    pub async fn reader(&self) -> Result<Conn, Error> {
        let link = async {
            Ok(match &self.site {
                Site::Sqlite { readers, .. } => Link::Sqlite(Box::new(readers.acquire().await?)),
                Site::Postgres { readers, .. } => Link::Postgres(Box::new(readers.acquire().await?)),
            })
        };
        self.within(link).await
    }

    async fn within(&self, link: impl Future<Output = Result<Link, sqlx::Error>>) -> Result<Conn, Error> {
        let place = self.place.clone();
        match tokio::time::timeout(CONNECT_LIMIT, link).await {
            Ok(Ok(link)) => Ok(Conn { place, link }),
            Ok(Err(error)) => Err(meaning(&place, error)),
            Err(_) => Err(unreachable(&place, "no answer in 3 seconds")),
        }
    }

    /// Whether other nodes may write to it as well.
    pub fn is_shared(&self) -> bool {
        matches!(self.site, Site::Postgres { .. })
    }

    /// Hears what other nodes commit; nothing where no other node can be.
    pub async fn listen(&self) -> Result<Option<Ear>, Error> {
        let Site::Postgres { options, .. } = &self.site else { return Ok(None) };
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_LIMIT).max_lifetime(None);
        let pool = pool.idle_timeout(None).connect_lazy_with((**options).clone());
        let ear = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match tokio::time::timeout(CONNECT_LIMIT, ear).await {
            Ok(ear) => ear.map(|listener| Some(Ear { listener })).map_err(|e| meaning(&self.place, e)),
            Err(_) => Err(unreachable(&self.place, "no answer in 3 seconds")),
        }
    }

    pub async fn close(&self) {
        match &self.site {
            Site::Sqlite { readers, .. } => readers.close().await,
            Site::Postgres { readers, .. } => readers.close().await,
        }
    }

    pub fn unreachable(&self, text: &str) -> Error {
        unreachable(&self.place, text)
    }
}

fn not_a_database(url: &str) -> Error {
    Error::CannotOpen {
        // Never the URL itself: it may hold a password.
        place: url.split_once(':').map_or("the database", |(scheme, _)| scheme).into(),
        text: "it is neither sqlite:///path/file.db nor postgres://user@host/database".into(),
    }
}

/// A subscription to the other nodes' commits.
pub struct Ear {
    listener: PgListener,
}

impl Ear {
    /// How long silence is believed before the connection is tried: with the limit of an answer, so soon is
    /// a loss noticed while nothing is written.
    const SILENCE: Duration = Duration::from_secs(1);

    /// The next payload; none when the connection is lost, and with it perhaps some payloads.
    pub async fn hear(&mut self) -> Option<String> {
        loop {
            match tokio::time::timeout(Self::SILENCE, self.listener.try_recv()).await {
                Ok(heard) => return heard.ok().flatten().map(|notification| notification.payload().to_owned()),
                Err(_) => {
                    let ping = sqlx::query("SELECT 1").execute(&mut self.listener);
                    tokio::time::timeout(CONNECT_LIMIT, ping).await.ok()?.ok()?;
                }
            }
        }
    }
}

/// A connection: the writer's own, or one lent by the readers' pool.
pub struct Conn {
    place: Arc<str>,
    link: Link,
}

type Held<C> = Box<dyn DerefMut<Target = C> + Send>;

enum Link {
    Sqlite(Held<SqliteConnection>),
    Postgres(Held<PgConnection>),
}

impl Conn {
    pub async fn migrate(&mut self, migrator: &sqlx::migrate::Migrator) -> Result<(), Error> {
        let done = match &mut self.link {
            Link::Sqlite(c) => migrator.run_direct(None, &mut ***c, false).await,
            Link::Postgres(c) => migrator.run_direct(None, &mut ***c, false).await,
        };
        use sqlx::migrate::MigrateError::*;
        done.map_err(|error| match error {
            VersionMissing(version) => Error::TooNew { place: self.place.to_string(), version },
            Execute(error) | ExecuteMigration(error, _) => meaning(&self.place, error),
            other => self.spoiled(other.to_string()),
        })
    }

    /// Begins to write. SQLite takes its one write lock here and not later, where it could only fail.
    pub async fn begin(&mut self) -> Result<(), Error> {
        let text = if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        sql(text).run(self).await.map(drop)
    }

    /// Brings home what lies in SQLite's log, which is then written from its beginning: on a full disk that may
    /// be the room that is missing.
    pub async fn make_room(&mut self) -> Result<(), Error> {
        if self.is_sqlite() { sql("PRAGMA wal_checkpoint").run(self).await.map(drop) } else { Ok(()) }
    }

    /// Leaves nothing in SQLite's log, unless somebody reads it: a copy of the file alone is then a whole copy.
    pub async fn bring_home(&mut self) -> Result<(), Error> {
        if self.is_sqlite() { sql("PRAGMA wal_checkpoint(TRUNCATE)").run(self).await.map(drop) } else { Ok(()) }
    }

    /// Writes the tables of records anew, so that their files hold nothing of what was changed. PostgreSQL's own log and
    /// backups keep it.
    pub async fn rewrite(&mut self) -> Result<(), Error> {
        if self.is_sqlite() {
            sql("VACUUM").run(self).await?;
            return self.bring_home().await;
        }
        for table in ["VACUUM FULL distros", "VACUUM FULL profiles", "VACUUM FULL networks", "VACUUM FULL ranges"] {
            sql(table).run(self).await?;
        }
        sql("VACUUM FULL machines").run(self).await.map(drop)
    }

    /// Begins to read several tables as of one moment.
    pub async fn begin_snapshot(&mut self) -> Result<(), Error> {
        let text = if self.is_sqlite() { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        sql(text).run(self).await.map(drop)
    }

    pub async fn commit(&mut self) -> Result<(), Error> {
        sql("COMMIT").run(self).await.map(drop)
    }

    /// Undoes all and begins anew.
    pub async fn begin_again(&mut self) -> Result<(), Error> {
        sql("ROLLBACK").run(self).await?;
        self.begin().await
    }

    pub async fn set_savepoint(&mut self) -> Result<(), Error> {
        sql("SAVEPOINT job").run(self).await.map(drop)
    }

    pub async fn release_savepoint(&mut self) -> Result<(), Error> {
        sql("RELEASE SAVEPOINT job").run(self).await.map(drop)
    }

    pub async fn undo_to_savepoint(&mut self) -> Result<(), Error> {
        sql("ROLLBACK TO SAVEPOINT job").run(self).await?;
        self.release_savepoint().await
    }

    /// Keeps other nodes from writing until the commit, so that records can be checked against each other.
    pub async fn lock_edits(&mut self) -> Result<(), Error> {
        if self.is_sqlite() {
            return Ok(()); // BEGIN IMMEDIATE did it.
        }
        sql("SELECT pg_advisory_xact_lock($1)").int(EDIT_LOCK).run(self).await.map(drop)
    }

    /// Tells the other nodes, at the commit, what to read again.
    pub async fn notify(&mut self, payload: &str) -> Result<(), Error> {
        sql("SELECT pg_notify($1, $2)").text(CHANNEL).text(payload).run(self).await.map(drop)
    }

    pub fn other_schema(&self, version: i64, own: i64) -> Error {
        let place = self.place.to_string();
        match version > own {
            true => Error::TooNew { place, version },
            false => Error::TooOld { place, version },
        }
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.link, Link::Sqlite(_))
    }

    fn spoiled(&self, text: String) -> Error {
        Error::Spoiled { place: self.place.to_string(), text }
    }
}
