//! `kickstand network`: the networks that are served.

use super::agreed::Asking;
use super::dhcp::{self, DhcpArgs};
use super::secret::{Hidden, apart, new_secrets, secrets};
use super::session::Session;
use super::table::{maybe, variables as shown, words};
use super::values::{OrNone, Variable, clearable, list, new_variables, variables};
use crate::http::api::network::{NetworkDraft, NetworkPatch, NetworkView};
use crate::model::{Name, Pooled, Unknown};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;
use ipnetwork::Ipv4Network;
use std::net::Ipv4Addr;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write down a network that Kickstand shall serve
    Add(Box<Add>),
    /// Change what is given, keep the rest
    Set(Box<Set>),
    /// Show one network
    Show {
        /// Its name
        name: Name,
    },
    /// List all networks
    List,
    /// Remove a network that nothing refers to
    Remove {
        /// Its name
        name: Name,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example lab
    name: Name,
    /// Its addresses, for example 10.0.0.0/24
    #[arg(long)]
    cidr: Ipv4Network,
    /// The router that machines are told, for example 10.0.0.1
    #[arg(long, value_name = "IP")]
    gateway: Option<Ipv4Addr>,
    /// A name server that machines are told; may be repeated
    #[arg(long, value_name = "IP")]
    dns: Vec<Ipv4Addr>,
    /// The domain that machines are told, for example lab.example.com
    #[arg(long)]
    domain: Option<Name>,
    /// Addresses for clients without one of their own, for example 10.0.0.100-10.0.0.199, or with =machines (with a
    /// record) or =unknown (without) behind it; may be repeated
    #[arg(long = "pool", value_name = "FIRST-LAST")]
    pools: Vec<Pooled>,
    /// How long a lease lasts [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    lease_secs: Option<u32>,
    /// The profile of machines that neither they nor a range name one for
    #[arg(long)]
    profile: Option<Name>,
    /// What a MAC without a record gets: ignore, show, discover or install [default: ignore]
    #[arg(long, value_name = "WHAT")]
    unknown: Option<Unknown>,
    /// A variable for the templates of machines here, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable, sealed and never shown: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    #[command(flatten)]
    dhcp: DhcpArgs,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// Its addresses, for example 10.0.0.0/24
    #[arg(long)]
    cidr: Option<Ipv4Network>,
    /// The router that machines are told; "" clears it
    #[arg(long, value_name = "IP")]
    gateway: Option<OrNone<Ipv4Addr>>,
    /// The name servers, all of them anew; "" clears them
    #[arg(long, value_name = "IP")]
    dns: Vec<OrNone<Ipv4Addr>>,
    /// The domain that machines are told; "" clears it
    #[arg(long)]
    domain: Option<OrNone<Name>>,
    /// The pools, all of them anew; "" clears them
    #[arg(long = "pool", value_name = "FIRST-LAST")]
    pools: Vec<OrNone<Pooled>>,
    /// How long a lease lasts
    #[arg(long, value_name = "SECONDS")]
    lease_secs: Option<u32>,
    /// The profile of machines that neither they nor a range name one for; "" clears it
    #[arg(long)]
    profile: Option<OrNone<Name>>,
    /// What a MAC without a record gets: ignore, show, discover or install
    #[arg(long, value_name = "WHAT")]
    unknown: Option<Unknown>,
    /// A variable to set; NAME= removes it; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable to set: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; NAME= removes it; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    #[command(flatten)]
    dhcp: DhcpArgs,
    #[command(flatten)]
    asking: Asking,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(add) => {
            let said = |n: &NetworkView| format!("network {} is {}", n.name, n.cidr);
            session.send(Method::POST, "networks", &add.draft()?, said).await
        }
        Command::Set(set) => {
            let path = format!("networks/{}", set.name);
            let (asking, said) = (set.asking, |n: &NetworkView| format!("network {} changed", n.name));
            asking.send(session, Method::PATCH, &path, &set.patch()?, said).await
        }
        Command::Show { name } => session.show(&format!("networks/{name}"), card).await,
        Command::List => {
            let heads = ["name", "cidr", "gateway", "pools", "profile", "unknown"];
            let empty = "No network yet: `kickstand network add lab --cidr 10.0.0.0/24 --pool 10.0.0.100-10.0.0.199`";
            session.list("networks", &heads, row, empty).await
        }
        Command::Remove { name, asking } => asking.remove(session, "network", &name).await,
    }
}

impl Add {
    fn draft(self) -> Result<NetworkDraft> {
        apart(&self.variables, &self.secrets)?;
        let Add { name, cidr, gateway, dns, domain, pools, lease_secs, profile, unknown, dhcp, .. } = self;
        let (dhcp, variables, secrets) = (dhcp.patch()?, new_variables(self.variables), new_secrets(self.secrets)?);
        Ok(NetworkDraft {
            name,
            cidr,
            gateway,
            dns,
            domain,
            pools,
            lease_secs,
            profile,
            unknown,
            dhcp,
            variables,
            secrets,
        })
    }
}

impl Set {
    fn patch(self) -> Result<NetworkPatch> {
        apart(&self.variables, &self.secrets)?;
        Ok(NetworkPatch {
            cidr: self.cidr,
            gateway: clearable(self.gateway),
            dns: list(self.dns),
            domain: clearable(self.domain),
            pools: list(self.pools),
            lease_secs: self.lease_secs,
            profile: clearable(self.profile),
            unknown: self.unknown,
            dhcp: self.dhcp.patch()?,
            variables: variables(self.variables),
            secrets: secrets(self.secrets)?,
        })
    }
}

fn row(n: &NetworkView) -> Vec<String> {
    let (gateway, profile) = (maybe(&n.gateway), maybe(&n.profile));
    vec![n.name.to_string(), n.cidr.to_string(), gateway, words(&n.pools), profile, n.unknown.to_string()]
}

fn card(n: &NetworkView) -> Vec<(&'static str, String)> {
    let own = vec![
        ("name", n.name.to_string()),
        ("cidr", n.cidr.to_string()),
        ("gateway", maybe(&n.gateway)),
        ("dns", words(&n.dns)),
        ("domain", maybe(&n.domain)),
        ("pools", words(&n.pools)),
        ("lease", format!("{} s", n.lease_secs)),
        ("profile", maybe(&n.profile)),
        ("unknown", n.unknown.to_string()),
        ("variables", shown(&n.variables)),
        ("secrets", words(&n.secrets)),
    ];
    own.into_iter().chain(dhcp::card(&n.dhcp, n.lease_secs)).collect()
}
