//! What went wrong, as the outside sees it: one JSON shape, and the only map from errors to HTTP statuses.

use crate::engine::{self, ErrorKind};
use crate::store;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// Every refusal of the API: `{"error": {"kind", "message", "field"?, "line"?, …}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    pub kind: Kind,
    /// What, where and what to do next.
    pub message: String,
    /// The field of the request that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The line at fault: of a JSON text that can not be read, or of a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The element of a batch that is at fault, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Everything that is wrong with a batch, so that it is put right in one go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
}

/// The envelope on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    pub error: Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request can not be read.
    Malformed,
    /// No valid token, and not a user of the local socket.
    Unauthorized,
    /// No such record, or no such address of the API.
    Missing,
    /// The address exists, the method does not.
    Method,
    /// It contradicts what is there: a duplicate, a record in use, a lost race.
    Conflict,
    TooLarge,
    /// Readable, but no sense can be made of it.
    Invalid,
    Internal,
    /// The database is full, read-only or away.
    Unavailable,
}

impl Kind {
    pub fn status(self) -> StatusCode {
        match self {
            Kind::Malformed => StatusCode::BAD_REQUEST,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Missing => StatusCode::NOT_FOUND,
            Kind::Method => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Problem {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Problem { kind, message: message.into(), field: None, line: None, index: None, errors: Vec::new() }
    }

    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Problem { field: Some(field.to_owned()), ..Problem::new(Kind::Invalid, message) }
    }

    pub fn missing(noun: &str, name: impl std::fmt::Display) -> Self {
        let message = format!("there is no {noun} {name}: `kickstand {noun} list` shows those that there are");
        Problem::new(Kind::Missing, message)
    }

    pub fn at(self, index: usize) -> Self {
        Problem { index: Some(index), ..self }
    }

    /// One problem that carries all those of a batch.
    pub fn batch(errors: Vec<Problem>) -> Self {
        let kind = errors.first().map_or(Kind::Invalid, |first| first.kind);
        let message = match errors.len() {
            1 => "something is wrong with the batch, so nothing was added".to_owned(),
            count => format!("{count} things are wrong with the batch, so nothing was added"),
        };
        Problem { errors, ..Problem::new(kind, message) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let mut response = (status, axum::Json(Told { error: self })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let wanted = axum::http::HeaderValue::from_static("Bearer realm=\"kickstand\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, wanted);
        }
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error::*;
        let message = error.to_string();
        let kind = match error {
            Missing { .. } => Kind::Missing,
            Duplicate { .. } | InUse { .. } | Conflict => Kind::Conflict,
            Contradiction { .. } => Kind::Invalid,
            // One of many: which one stands beside the text.
            At { index, source } => return Problem::batch(vec![Problem::from(*source).at(index)]),
            ReadOnly { .. }
            | Full { .. }
            | Unreachable { .. }
            | Busy { .. }
            | SyncFailed { .. }
            | Overloaded
            | Vault(_)
            | Closed => Kind::Unavailable,
            Tried
            | TooNew { .. }
            | TooOld { .. }
            | CannotOpen { .. }
            | NotADatabase { .. }
            | Spoiled { .. }
            | Database(_) => Kind::Internal,
        };
        Problem::new(kind, message)
    }
}

impl From<engine::Error> for Problem {
    fn from(error: engine::Error) -> Self {
        let kind = match (&error, error.kind()) {
            (engine::Error::Store(_), _) => None,
            (_, ErrorKind::Invalid) => Some(Kind::Invalid),
            (_, ErrorKind::Missing) => Some(Kind::Missing),
            (_, ErrorKind::Conflict) => Some(Kind::Conflict),
            (_, ErrorKind::Unavailable) => Some(Kind::Unavailable),
            (_, ErrorKind::Internal) => Some(Kind::Internal),
        };
        match (error, kind) {
            (engine::Error::Store(error), _) => error.into(),
            (error, kind) => Problem::new(kind.unwrap_or(Kind::Internal), error.to_string()),
        }
    }
}
