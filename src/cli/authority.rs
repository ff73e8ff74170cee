//! `kickstand ca`: the CA that machines are told of.

use super::session::{Output, Session, json, line, print, understood};
use super::table::{card, moment};
use crate::http::api::authority::CaView;
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
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    let Command::Show { pem } = command;
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
