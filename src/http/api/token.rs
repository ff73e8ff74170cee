//! Tokens for the API over TCP: `/api/v1/tokens`. The text is shown once; its hash is all that is kept.

use super::body::{Body, Named};
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::{Kind, Problem};
use crate::model::{Name, Secret, Time};
use crate::store::Edit;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDraft {
    pub name: Name,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct TokenView {
    pub name: Name,
    pub created_at: Time,
}

/// The one answer that carries a token.
#[derive(Debug, Serialize, Deserialize)]
pub struct FreshToken {
    pub name: Name,
    pub token: String,
}

pub async fn list(State(engine): State<Arc<Engine>>) -> Json<Vec<TokenView>> {
    let world = engine.store.world();
    let view = |(name, at): &(Name, Time)| TokenView { name: name.clone(), created_at: *at };
    let mut tokens: Vec<_> = world.tokens.values().map(view).collect();
    tokens.sort_by(|a, b| a.name.cmp(&b.name));
    Json(tokens)
}

pub async fn add(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(TokenDraft { name }): Body<TokenDraft>,
) -> Result<(StatusCode, Json<FreshToken>), Problem> {
    let token = fresh()?;
    let at = engine.now();
    engine.store.edit(Edit::AddToken { name: name.clone(), hash: token.hash(), at }, &who.0, at).await?;
    Ok((StatusCode::CREATED, Json(FreshToken { name, token: token.expose().to_owned() })))
}

pub async fn remove(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
    who: Who,
) -> Result<StatusCode, Problem> {
    engine.store.edit(Edit::RemoveToken(name), &who.0, engine.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// 256 random bits.
fn fresh() -> Result<Secret, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::new(Kind::Internal, format!("the system gives no random numbers: {error}")))?;
    Ok(Secret::new(hex::encode(bytes)))
}
