//! What a one-line command needs that puts the agent onto a system: `/api/v1/bootstrap`.

use super::body::Asked;
use crate::engine::Engine;
use crate::http::bootstrap::made;
use crate::http::problem::{Kind, Problem};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// How systems reach this server; by default its first address that its certificate is good for.
    pub host: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct BootstrapView {
    pub server: String,
    pub plain: String,
    /// Of the file that `/ca.pem` gives.
    pub ca_file_sha256: String,
    /// Of the file that `/bootstrap` gives who asks by this host.
    pub script_sha256: String,
    /// The architectures that there is an agent for, and its digest.
    pub agents: Vec<AgentView>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct AgentView {
    pub architecture: String,
    pub sha256: String,
}

pub async fn show(
    State(engine): State<Arc<Engine>>,
    Asked(Query { host }): Asked<Query>,
) -> Result<Json<BootstrapView>, Problem> {
    let first = || engine.trust().and_then(|trust| trust.addresses.first().map(ToString::to_string));
    let none =
        || Problem::new(Kind::Missing, "HTTPS is not served with a CA that systems could be told of: docs/https.md");
    let host = host.or_else(first).ok_or_else(none)?;
    engine.must_be_good_at(&host)?;
    let made = made(engine, host).await?;
    let sha256 = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
    let agents = made.agents.iter();
    let agents =
        agents.map(|agent| AgentView { architecture: agent.architecture.into(), sha256: agent.sha256.clone() });
    Ok(Json(BootstrapView {
        ca_file_sha256: sha256(&made.ca),
        script_sha256: sha256(&made.script),
        agents: agents.collect(),
        server: made.server,
        plain: made.plain,
    }))
}
