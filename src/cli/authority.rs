//! `kickstand ca`: the CA that machines are told of.

use super::session::{Output, Session, json, line, print, understood};
use super::table::{card, moment};
use crate::http::api::authority::{AcceptedView, CaView};
use anyhow::Result;
use clap::Subcommand;
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the CA: its fingerprint, when it ends, and its certificate
    Show {
        /// The certificate alone, for a file
        #[arg(long)]
        pem: bool,
    },
    /// Take the CA that the server found when it started, or a new one if it found none, from the next start on, though machines may know another
    Accept,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Show { pem } => show(pem, session).await,
        Command::Accept => accept(session).await,
    }
}

async fn accept(session: &Session) -> Result<()> {
    let value = session.client.ask(Method::POST, "ca/accept", None).await?;
    if session.output == Output::Json {
        return json(&value);
    }
    let accepted: AcceptedView = understood(value)?;
    let which = accepted.sha256.map_or("a new CA is made".to_owned(), |sha256| format!("the CA {sha256} is used"));
    line(&format!("at the next start {which}: restart the server, then tell registered systems of it (docs/https.md)"))
}

async fn show(pem: bool, session: &Session) -> Result<()> {
    let value = session.client.ask(Method::GET, "ca", None).await?;
    if session.output == Output::Json {
        return json(&value);
    }
    let ca: CaView = understood(value)?;
    if !pem {
        let at = ca.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let ends_at = ca.ends_at.map(moment).unwrap_or_default();
        print(&card(&[("SHA-256", ca.sha256), ("ends at", ends_at), ("vouches for", at)]))?;
        line("")?;
    }
    print(&ca.certificate)
}
