//! `kickstand token`: who may use the API over TCP.

use super::session::{Output, Session, understood};
use super::table::moment;
use crate::http::api::token::{FreshToken, TokenDraft, TokenView};
use crate::model::Name;
use anyhow::Result;
use clap::Subcommand;
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and print it, this once
    Add {
        /// Who or what it is for, for example ci
        name: Name,
    },
    /// List all tokens, by name
    List,
    /// Take a token back: it opens nothing from then on
    Remove {
        /// Its name
        name: Name,
    },
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add { name } => add(name, session).await,
        Command::List => {
            let row = |t: &TokenView| vec![t.name.to_string(), moment(t.created_at)];
            let empty = "No token: only this machine's local socket can be used. `kickstand token add NAME` makes one";
            session.list("tokens", &["name", "made"], row, empty).await
        }
        Command::Remove { name } => session.remove("token", &name).await,
    }
}

/// The token alone goes to stdout, so that it can be piped; the words around it to stderr.
async fn add(name: Name, session: &Session) -> Result<()> {
    let value = session.client.ask(Method::POST, "tokens", Some(&serde_json::to_value(TokenDraft { name })?)).await?;
    if session.output == Output::Json {
        return super::session::json(&value);
    }
    let fresh: FreshToken = understood(value)?;
    eprintln!("Token {}. It is shown this once; use it with --token or KICKSTAND_TOKEN:", fresh.name);
    super::session::line(&fresh.token)
}
