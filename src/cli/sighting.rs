//! `kickstand sighting`: cards that were heard and that no record holds.

use super::session::Session;
use super::table::{maybe, moment};
use crate::http::api::sighting::SightingView;
use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the MACs without a record, the last one heard first
    List,
}

pub async fn run(Command::List: Command, session: &Session) -> Result<()> {
    let heads = ["mac", "network", "firmware", "vendor", "first seen", "last seen"];
    session.list("sightings", &heads, row, "No unknown MAC was heard").await
}

fn row(s: &SightingView) -> Vec<String> {
    let (mac, network) = (s.mac.to_string(), s.network.to_string());
    vec![mac, network, maybe(&s.firmware), s.vendor.clone(), moment(s.first_at), moment(s.last_at)]
}
