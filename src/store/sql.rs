//! Statements and rows, and the only file that knows that there are two databases.
//!
//! Both understand `$1`, TEXT and BIGINT, and `ON CONFLICT`; what else they share is in the texts of the
//! other files. Here lies what differs: connecting, beginning, locking, notifying, and what errors mean.

use super::{Error, file};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Connection, Postgres, Row as _, Sqlite};
use std::ops::DerefMut;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

const READERS: u32 = 4;
/// How long a backup or a shell may hold the file before changes are refused.
const BUSY_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const CHANNEL: &str = "kickstand_change";
/// The advisory lock that an operator's edit holds until its commit: "kickedit" in ASCII.
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
        let options = options.ok_or_else(|| Error::CannotOpen {
            // Never the URL itself: it may hold a password.
            place: url.split_once(':').map_or("the database", |(scheme, _)| scheme).into(),
            text: "it is neither sqlite:///path/file.db nor postgres://user@host/database".into(),
        })?;
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
            .pragma("journal_size_limit", "67108864");
        let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(CONNECT_LIMIT);
        let readers = pool.connect_lazy_with(options.clone().pragma("query_only", "1"));
        Database { place: place.into(), site: Site::Sqlite { options: Box::new(options), readers } }
    }

    fn postgres(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|e| Error::CannotOpen { place: "postgres://…".into(), text: e.to_string() })?
            .application_name("kickstand");
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
                    Link::Sqlite(Box::new(Box::new(SqliteConnection::connect_with(options).await?)))
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
        ear.await.map(|listener| Some(Ear { listener })).map_err(|e| meaning(&self.place, e))
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

fn unreachable(place: &str, text: &str) -> Error {
    Error::Unreachable { place: place.into(), text: text.into() }
}

/// A subscription to the other nodes' commits.
pub struct Ear {
    listener: PgListener,
}

impl Ear {
    /// How long silence is believed before the connection is tried.
    const SILENCE: Duration = Duration::from_secs(15);

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

    /// Begins to read several tables as of one moment.
    pub async fn begin_snapshot(&mut self) -> Result<(), Error> {
        let text = if self.is_sqlite() { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        sql(text).run(self).await.map(drop)
    }

    pub async fn commit(&mut self) -> Result<(), Error> {
        sql("COMMIT").run(self).await.map(drop)
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

    /// Keeps other nodes' edits out until the commit, so that records can be checked against each other.
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

    fn is_sqlite(&self) -> bool {
        matches!(self.link, Link::Sqlite(_))
    }

    fn spoiled(&self, text: String) -> Error {
        Error::Spoiled { place: self.place.to_string(), text }
    }
}

/// A statement with its values. The text is part of the program: nothing from outside can become SQL.
pub struct Statement {
    text: &'static str,
    args: Vec<Arg>,
}

enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
}

pub fn sql(text: &'static str) -> Statement {
    Statement { text, args: Vec::new() }
}

macro_rules! bound {
    ($database:ty, $statement:expr) => {{
        let Statement { text, args } = $statement;
        args.into_iter().fold(sqlx::query::<$database>(text), |query, arg| match arg {
            Arg::Text(text) => query.bind(text),
            Arg::Int(int) => query.bind(int),
        })
    }};
}

impl Statement {
    pub fn text(self, value: impl ToString) -> Self {
        self.text_or_null(Some(value))
    }

    pub fn text_or_null(mut self, value: Option<impl ToString>) -> Self {
        // PostgreSQL's TEXT holds no NUL, and clients may send one.
        let text = value.map(|v| v.to_string()).map(|t| if t.contains('\0') { t.replace('\0', "\u{fffd}") } else { t });
        self.args.push(Arg::Text(text));
        self
    }

    pub fn int(self, value: impl Into<i64>) -> Self {
        self.int_or_null(Some(value))
    }

    pub fn int_or_null(mut self, value: Option<impl Into<i64>>) -> Self {
        self.args.push(Arg::Int(value.map(Into::into)));
        self
    }

    pub fn json(self, value: &impl Serialize) -> Self {
        self.text(serde_json::to_string(value).expect("our nouns have text for keys"))
    }

    pub fn json_or_null(self, value: Option<&impl Serialize>) -> Self {
        self.text_or_null(value.map(|v| serde_json::to_string(v).expect("our nouns have text for keys")))
    }

    /// Runs it and tells how many rows it touched.
    pub async fn run(self, db: &mut Conn) -> Result<u64, Error> {
        let done = match &mut db.link {
            Link::Sqlite(c) => bound!(Sqlite, self).execute(&mut ***c).await.map(|done| done.rows_affected()),
            Link::Postgres(c) => bound!(Postgres, self).execute(&mut ***c).await.map(|done| done.rows_affected()),
        };
        done.map_err(|error| meaning(&db.place, error))
    }

    pub async fn rows(self, db: &mut Conn) -> Result<Vec<Row>, Error> {
        let cells: Result<Vec<Cells>, _> = match &mut db.link {
            Link::Sqlite(c) => {
                bound!(Sqlite, self).fetch_all(&mut ***c).await.map(|r| r.into_iter().map(Cells::Sqlite).collect())
            }
            Link::Postgres(c) => {
                bound!(Postgres, self).fetch_all(&mut ***c).await.map(|r| r.into_iter().map(Cells::Postgres).collect())
            }
        };
        let cells = cells.map_err(|error| meaning(&db.place, error))?;
        Ok(cells.into_iter().map(|cells| Row { place: db.place.clone(), cells }).collect())
    }

    pub async fn row(self, db: &mut Conn) -> Result<Option<Row>, Error> {
        Ok(self.rows(db).await?.into_iter().next())
    }
}

/// A row that was read, and the readings of its columns.
pub struct Row {
    place: Arc<str>,
    cells: Cells,
}

enum Cells {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub fn text_or_null(&self, column: &str) -> Result<Option<String>, Error> {
        let cell = match &self.cells {
            Cells::Sqlite(row) => row.try_get(column),
            Cells::Postgres(row) => row.try_get(column),
        };
        cell.map_err(|error| meaning(&self.place, error))
    }

    pub fn int_or_null(&self, column: &str) -> Result<Option<i64>, Error> {
        let cell = match &self.cells {
            Cells::Sqlite(row) => row.try_get(column),
            Cells::Postgres(row) => row.try_get(column),
        };
        cell.map_err(|error| meaning(&self.place, error))
    }

    pub fn text(&self, column: &str) -> Result<String, Error> {
        self.text_or_null(column)?.ok_or_else(|| self.spoiled(column, "NULL"))
    }

    pub fn int(&self, column: &str) -> Result<i64, Error> {
        self.int_or_null(column)?.ok_or_else(|| self.spoiled(column, "NULL"))
    }

    /// A number that fits the noun's own type.
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, Error> {
        let int = self.int(column)?;
        T::try_from(int).map_err(|_| self.spoiled(column, &int.to_string()))
    }

    pub fn number_or_null<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, Error> {
        self.int_or_null(column)?.map(|_| self.number(column)).transpose()
    }

    /// A text that one of our types reads.
    pub fn get<T: FromStr>(&self, column: &str) -> Result<T, Error> {
        let text = self.text(column)?;
        text.parse().map_err(|_| self.spoiled(column, &text))
    }

    pub fn get_or_null<T: FromStr>(&self, column: &str) -> Result<Option<T>, Error> {
        self.text_or_null(column)?.map(|_| self.get(column)).transpose()
    }

    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let text = self.text(column)?;
        serde_json::from_str(&text).map_err(|_| self.spoiled(column, &text))
    }

    pub fn json_or_null<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, Error> {
        self.text_or_null(column)?.map(|_| self.json(column)).transpose()
    }

    fn spoiled(&self, column: &str, value: &str) -> Error {
        Error::Spoiled { place: self.place.to_string(), text: format!("{value:?} in a column {column}") }
    }
}

/// What an error of either database means to us.
fn meaning(place: &str, error: sqlx::Error) -> Error {
    let text = match &error {
        sqlx::Error::Database(cause) => cause.message().to_owned(),
        sqlx::Error::Io(cause) => cause.to_string(),
        other => other.to_string(),
    };
    match &error {
        sqlx::Error::Database(cause) => match cause.kind() {
            sqlx::error::ErrorKind::UniqueViolation | sqlx::error::ErrorKind::ForeignKeyViolation => Error::Conflict,
            _ => {
                let code = cause.code().unwrap_or_default();
                let known = if cause.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                    sqlite_meaning(place, code.parse().unwrap_or_default(), text)
                } else {
                    postgres_meaning(place, &code, text)
                };
                known.unwrap_or_else(|| Error::Database(Arc::new(error)))
            }
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => unreachable(place, &text),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => unreachable(place, &text),
        sqlx::Error::Configuration(_) => Error::CannotOpen { place: place.into(), text },
        _ => Error::Database(Arc::new(error)),
    }
}

/// By SQLite's extended result code: <https://www.sqlite.org/rescode.html>.
fn sqlite_meaning(place: &str, code: u32, text: String) -> Option<Error> {
    let place = place.to_owned();
    Some(match (code, code & 0xff) {
        // IOERR_FSYNC and IOERR_DIR_FSYNC. A second fsync would lie: https://lwn.net/Articles/752063/.
        (1034 | 1290, _) => Error::SyncFailed { place },
        // IOERR_SHMSIZE: there is no room for the index of the write-ahead log.
        (4874, _) => Error::Full { place },
        (_, 5 | 6) => Error::Busy { place },
        (_, 8) => Error::ReadOnly { place },
        (_, 10) => Error::Unreachable { place, text },
        (_, 13) => Error::Full { place },
        (_, 14) => Error::CannotOpen { place, text },
        (_, 26) => Error::NotADatabase { place },
        _ => return None,
    })
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_meaning(place: &str, code: &str, text: String) -> Option<Error> {
    let place = place.to_owned();
    Some(match code {
        "40001" | "40P01" => Error::Conflict,
        "25006" => Error::ReadOnly { place },
        "53100" => Error::Full { place },
        "53300" | "57P01" | "57P02" | "57P03" => Error::Unreachable { place, text },
        "3D000" | "42501" => Error::CannotOpen { place, text },
        code if code.starts_with("28") => Error::CannotOpen { place, text },
        code if code.starts_with("08") => Error::Unreachable { place, text },
        _ => return None,
    })
}
