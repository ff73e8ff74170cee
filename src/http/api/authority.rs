//! The CA that machines are told of, and the word that it may be another: `/api/v1/ca`.

use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::{Kind, Problem};
use crate::model::Time;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
pub struct CaView {
    /// Of its certificate, in hexadecimal.
    pub sha256: String,
    pub ends_at: Option<Time>,
    /// Where it vouches for this server; machines elsewhere are told http:// URLs.
    pub addresses: Vec<Ipv4Addr>,
    /// Its certificate, as PEM.
    pub certificate: String,
}

pub async fn show(State(engine): State<Arc<Engine>>) -> Result<Json<CaView>, Problem> {
    let none = || {
        let text =
            "there is no CA that machines are told of: HTTPS is not served, or [https] names a certificate and no ca";
        Problem::new(Kind::Missing, engine.lost_ca().map_or(text.to_owned(), |lost| lost.why.clone()))
    };
    let trust = engine.trust().ok_or_else(none)?;
    Ok(Json(CaView {
        sha256: hex::encode(trust.sha256),
        ends_at: trust.ends_at,
        addresses: trust.addresses.clone(),
        certificate: trust.pem.clone(),
    }))
}

#[derive(Debug, Serialize, Deserialize)]
pub struct AcceptedView {
    /// The CA from the next start on; null: one that is made then.
    pub sha256: Option<String>,
}

/// The CA that was found at the start, or a new one, where machines know one that is lost.
pub async fn accept(State(engine): State<Arc<Engine>>, who: Who) -> Result<Json<AcceptedView>, Problem> {
    let accepted = engine.accept_ca(&who.0).await?;
    Ok(Json(AcceptedView { sha256: accepted.map(|ca| ca.to_string()) }))
}
