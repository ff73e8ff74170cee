//! `kickstand reservation`: addresses for clients that are no machine of ours.

use super::session::Session;
use crate::http::api::reservation::{Address, ReservationDraft, ReservationPatch, ReservationView};
use crate::model::{Mark, Name};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keep an address for a client that needs no record, or for whatever is plugged into a switch port
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one reservation
    Show {
        /// Its address
        ip: Address,
    },
    /// List all reservations
    List,
    /// Remove a reservation
    Remove {
        /// Its address
        ip: Address,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// The address, for example 10.0.0.60
    ip: Address,
    /// How its client is known: mac:52:54:00:12:34:56, id:0152… (option 61 in hex) or circuit:'"eth0/1"' (option 82)
    #[arg(long = "for", value_name = "MARK")]
    by: Mark,
    /// The network, if not the one that holds the address
    #[arg(long)]
    network: Option<Name>,
    /// What it is
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its address
    ip: Address,
    /// Another address for the same client
    #[arg(long = "ip", value_name = "IP")]
    to: Option<Address>,
    /// The same address for another client
    #[arg(long = "for", value_name = "MARK")]
    by: Option<Mark>,
    /// The network, if not the one that holds the address
    #[arg(long)]
    network: Option<Name>,
    /// What it is; "" clears it
    #[arg(long)]
    description: Option<String>,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(Add { ip, by, network, description }) => {
            let draft = ReservationDraft { ip, by, network, description };
            session.send(Method::POST, "reservations", &draft, said).await
        }
        Command::Set(Set { ip, to, by, network, description }) => {
            let patch = ReservationPatch { ip: to, by, network, description };
            session.send(Method::PATCH, &format!("reservations/{ip}"), &patch, said).await
        }
        Command::Show { ip } => session.show(&format!("reservations/{ip}"), card).await,
        Command::List => {
            let row = |r: &ReservationView| card(r).into_iter().map(|(_, value)| value).collect();
            let empty = "No reservation yet: `kickstand reservation add 10.0.0.60 --for mac:MAC`";
            session.list("reservations", &["ip", "for", "network", "description"], row, empty).await
        }
        Command::Remove { ip } => session.remove("reservation", &ip).await,
    }
}

fn said(r: &ReservationView) -> String {
    format!("{} on network {} is kept for {}", r.ip, r.network, r.by)
}

fn card(r: &ReservationView) -> Vec<(&'static str, String)> {
    vec![
        ("ip", r.ip.to_string()),
        ("for", r.by.to_string()),
        ("network", r.network.to_string()),
        ("description", r.description.clone()),
    ]
}
