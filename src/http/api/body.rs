//! Reads requests: JSON bodies, path names and query strings, each refusal in the one shape of `problem.rs`.

use crate::http::problem::{Kind, Problem};
use crate::model::{Malformed, Names};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A JSON body as `T`, whatever its content type says: `curl -d` sends a form's.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
                413 => Problem::new(Kind::TooLarge, "the request is too large: send fewer records at once"),
                _ => Problem::new(Kind::Malformed, "the request broke off before its end"),
            })?;
        read(json(&bytes)?).map(Body)
    }
}

/// An empty body stands for `{}`.
fn json(bytes: &[u8]) -> Result<Value, Problem> {
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let problem = Problem::new(Kind::Malformed, format!("the request is not JSON: {error}"));
        Problem { line: Some(error.line()), ..problem }
    })
}

/// Reads one value; a refusal names the field.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_json::from_value(value.clone()).map_err(|error| {
        let first = complaints::<T>(&value).into_iter().next();
        first.unwrap_or_else(|| Problem::new(Kind::Invalid, error.to_string()))
    })
}

/// Every field that can not be read. serde tells what is wrong, but not where: alone in its object, a good
/// field is only short of company.
pub fn complaints<T: DeserializeOwned>(value: &Value) -> Vec<Problem> {
    let fields = value.as_object().into_iter().flatten();
    let complaint = |(field, value): (&String, &Value)| {
        let (field, text) = amiss::<T>(&|value| alone(field, value), field.clone(), value)?;
        Some(Problem::invalid(&field, format!("{field}: {text}")))
    };
    fields.filter_map(complaint).collect()
}

fn alone(field: &str, value: Value) -> Value {
    Value::Object(serde_json::Map::from_iter([(field.to_owned(), value)]))
}

/// Where and what is wrong with a value in its place: inside an object, the field that is at fault.
fn amiss<T: DeserializeOwned>(place: &dyn Fn(Value) -> Value, path: String, value: &Value) -> Option<(String, String)> {
    let text = serde_json::from_value::<T>(place(value.clone())).err()?.to_string();
    let inside = |(field, value): (&String, &Value)| {
        amiss::<T>(&|value| place(alone(field, value)), format!("{path}.{field}"), value)
    };
    let inner = value.as_object().into_iter().flatten().find_map(inside);
    (!text.starts_with("missing field")).then(|| inner.unwrap_or((path, text)))
}

/// An address that may be absent, with words that show what was written.
pub fn address<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Ipv4Addr>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    let wanted = "an IPv4 address (write it like 10.0.0.12)";
    let read = |text: String| text.parse().map_err(|_| D::Error::custom(Malformed::new(text, wanted)));
    text.map(read).transpose()
}

/// The same in a PATCH.
pub fn address_or_none<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<Ipv4Addr>>, D::Error> {
    address(d).map(Some)
}

/// The last part of a path, as the name of a `T`.
pub struct Named<T>(pub T);

impl<T: FromStr<Err = Malformed>, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::new(Kind::Malformed, "the path is not UTF-8"))?;
        text.parse().map(Named).map_err(|error: Malformed| Problem::new(Kind::Missing, error.to_string()))
    }
}

/// The query string as `T`.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let refused = |error: axum::extract::rejection::QueryRejection| Problem::new(Kind::Invalid, error.body_text());
        query.map(|Query(asked)| Asked(asked)).map_err(refused)
    }
}

/// A field that a PATCH may leave out (keep it), set to null (clear it) or give a value.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

/// The same of a list of names, which null empties.
pub fn given_names<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Names>, D::Error> {
    Names::deserialize(d).map(Some)
}

/// Puts a given value in its place; one that was left out changes nothing.
pub fn put<T>(place: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *place = value;
    }
}
