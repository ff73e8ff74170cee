//! What the store could not do, in the operator's words: what, where, and what to do next.

use crate::vault;
use std::sync::Arc;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("{what} {value} is held by {holder}: choose another, or change that record first")]
    Duplicate { what: &'static str, value: String, holder: String },
    #[error("there is no {noun} {name}: `kickstand {noun} list` shows what there is")]
    Missing { noun: &'static str, name: String },
    #[error("{noun} {name} is used by {by}: change or remove that first")]
    InUse { noun: &'static str, name: String, by: String },
    /// Each record is fine by itself, and together they are not. The text says which, and what to do.
    #[error("{text}")]
    Contradiction { text: String },
    /// One record of many was refused, so none was taken; `index` counts from 0.
    #[error("machine {} of the list: {source}", .index + 1)]
    At { index: usize, source: Box<Error> },
    /// Somebody else was faster. Nothing was written.
    #[error("the record changed in the meantime: read it again and repeat what is still wanted")]
    Conflict,
    #[error("{place} can not be written: give the service's user the right to write the file and its folder")]
    ReadOnly { place: String },
    #[error("{place} has no room left: free space on its disk; nothing was written, and work goes on by itself")]
    Full { place: String },
    #[error("{place} can not be reached ({text}): see that it runs; Kickstand connects again by itself")]
    Unreachable { place: String, text: String },
    #[error("{place} was written by a later Kickstand (schema {version}): start that version, or restore a backup")]
    TooNew { place: String, version: i64 },
    #[error(
        "{place} was written by an earlier Kickstand (schema {version}): start `kickstand serve` of this version once"
    )]
    TooOld { place: String, version: i64 },
    #[error("{place} can not be opened ({text}): check the `database` setting and the rights along the path")]
    CannotOpen { place: String, text: String },
    #[error("{place} is not a SQLite database: point the `database` setting elsewhere, or restore a backup")]
    NotADatabase { place: String },
    #[error("{place} is in use by another program: stop the other `kickstand serve`, or wait for the backup to end")]
    Busy { place: String },
    /// After a failed fsync the disk may have lost what it said it holds, so nothing is promised until a restart.
    #[error("{place}: the disk failed to sync: nothing is written any more; check the disk, then restart Kickstand")]
    SyncFailed { place: String },
    #[error("{place} holds {text}: was it edited by hand? Correct it there, or restore a backup")]
    Spoiled { place: String, text: String },
    #[error("the database is slower than its work: the queue of changes is full; nothing of this change was written")]
    Overloaded,
    #[error("{0}")]
    Vault(vault::Error),
    /// It could have been written: how a trial ends.
    #[error("it was only tried: nothing was written")]
    Tried,
    #[error("the store is closed: the appliance is stopping")]
    Closed,
    #[error("the database refused: {0}")]
    Database(#[source] Arc<sqlx::Error>),
}

impl Error {
    pub(super) fn duplicate(what: &'static str, value: impl ToString, holder: impl Into<String>) -> Self {
        Error::Duplicate { what, value: value.to_string(), holder: holder.into() }
    }

    /// For who wrote a single record: a list of one is no list to them.
    pub fn alone(self) -> Self {
        match self {
            Error::At { source, .. } => *source,
            other => other,
        }
    }

    pub(super) fn missing(noun: &'static str, name: impl ToString) -> Self {
        Error::Missing { noun, name: name.to_string() }
    }

    pub(super) fn contradiction(text: impl Into<String>) -> Self {
        Error::Contradiction { text: text.into() }
    }

    /// Whether only the one change is at fault, so that the others of its batch can go on.
    pub(super) fn is_a_refusal(&self) -> bool {
        use Error::*;
        match self {
            Duplicate { .. } | Missing { .. } | InUse { .. } | Contradiction { .. } | At { .. } | Conflict | Tried => {
                true
            }
            // A statement that the database did not like, or a row it can not read: the connection is fine.
            Spoiled { .. } => true,
            Database(error) => matches!(**error, sqlx::Error::Database(_)),
            _ => false,
        }
    }
}

/// Turns "no row was touched" into an error.
pub(super) fn touched(rows: u64, otherwise: impl FnOnce() -> Error) -> Result<(), Error> {
    if rows == 0 { Err(otherwise()) } else { Ok(()) }
}
