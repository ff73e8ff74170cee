//! Why an operator's or a machine's wish was not carried out.

use crate::{render, store};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Template(#[from] render::Error),
    #[error("{0}")]
    Store(#[from] store::Error),
    #[error("cannot read {path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{0}")]
    Internal(String),
}

/// What kind of answer an error is, for the protocols to map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Invalid,
    Missing,
    Conflict,
    Unavailable,
    Internal,
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Invalid(_) | Error::Template(_) => ErrorKind::Invalid,
            Error::Missing(_) => ErrorKind::Missing,
            Error::Conflict(_) => ErrorKind::Conflict,
            Error::Store(e) => store_kind(e),
            Error::File { .. } | Error::Internal(_) => ErrorKind::Internal,
        }
    }
}

fn store_kind(error: &store::Error) -> ErrorKind {
    use store::Error::*;
    match error {
        Duplicate { .. } | InUse { .. } | Conflict => ErrorKind::Conflict,
        Missing { .. } => ErrorKind::Missing,
        Contradiction { .. } => ErrorKind::Invalid,
        At { source, .. } => store_kind(source),
        ReadOnly { .. }
        | Full { .. }
        | Unreachable { .. }
        | Busy { .. }
        | SyncFailed { .. }
        | Overloaded
        | Closed
        | Vault(_) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}
