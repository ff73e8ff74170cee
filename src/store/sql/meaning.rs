//! What an error of either database means to us.

use super::super::Error;
use std::sync::Arc;

pub fn unreachable(place: &str, text: &str) -> Error {
    Error::Unreachable { place: place.into(), text: text.into() }
}

pub fn meaning(place: &str, error: sqlx::Error) -> Error {
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
        "55P03" => Error::Busy { place },
        "25P03" => Error::Unreachable { place, text },
        "53300" | "57P01" | "57P02" | "57P03" => Error::Unreachable { place, text },
        "3D000" | "42501" => Error::CannotOpen { place, text },
        code if code.starts_with("28") => Error::CannotOpen { place, text },
        code if code.starts_with("08") => Error::Unreachable { place, text },
        _ => return None,
    })
}
