//! `kickstand lease`: which address which client was told.

use super::session::Session;
use super::table::{maybe, moment};
use crate::http::api::lease::LeaseView;
use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all leases, those that ended included
    List,
}

pub async fn run(Command::List: Command, session: &Session) -> Result<()> {
    let heads = ["ip", "mac", "machine", "network", "ends", "state"];
    session.list("leases", &heads, row, "No lease yet: no client has asked for an address").await
}

fn row(l: &LeaseView) -> Vec<String> {
    let state = if l.active { "active" } else { "ended" };
    let (ip, mac, network) = (l.ip.to_string(), l.holder.to_string(), l.network.to_string());
    vec![ip, mac, maybe(&l.machine), network, moment(l.ends_at), state.into()]
}
