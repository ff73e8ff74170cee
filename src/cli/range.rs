//! `kickstand range`: addresses that name a profile.

use super::agreed::Asking;
use super::secret::{Hidden, apart, new_secrets, secrets};
use super::session::Session;
use super::table::{self, options as shown};
use super::values::{Setting, Variable, new_variables, settings, variables};
use crate::http::api::range::{RangeDraft, RangePatch, RangeView};
use crate::model::{Name, Span};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say which profile the machines in a range of addresses get
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one range
    Show {
        /// Its name
        name: Name,
    },
    /// List all ranges
    List,
    /// Remove a range
    Remove {
        /// Its name
        name: Name,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example rack1
    name: Name,
    /// Its addresses, for example 10.0.0.10-10.0.0.50; where ranges nest, the smallest speaks
    #[arg(value_name = "FIRST-LAST")]
    span: Span,
    /// What machines here are installed with
    #[arg(long)]
    profile: Name,
    /// The network, if not the one that holds these addresses
    #[arg(long)]
    network: Option<Name>,
    /// A DHCP option of clients here, for example ntp-servers=10.0.0.1; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    /// A variable for the templates of machines here, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable, sealed and never shown: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// Its addresses, for example 10.0.0.10-10.0.0.50
    #[arg(long, value_name = "FIRST-LAST")]
    span: Option<Span>,
    /// What machines here are installed with
    #[arg(long)]
    profile: Option<Name>,
    /// The network that it belongs to
    #[arg(long)]
    network: Option<Name>,
    /// A DHCP option to set; NAME= removes it; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    /// A variable to set; NAME= removes it; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable to set: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; NAME= removes it; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    #[command(flatten)]
    asking: Asking,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(Add { name, span, profile, network, options, variables, secrets }) => {
            apart(&variables, &secrets)?;
            let (options, variables, secrets) = (settings(options)?, new_variables(variables), new_secrets(secrets)?);
            let draft = RangeDraft { name, network, span, profile, options, variables, secrets };
            let said = |r: &RangeView| {
                format!("range {}: {} on network {} get profile {}", r.name, r.span, r.network, r.profile)
            };
            session.send(Method::POST, "ranges", &draft, said).await
        }
        Command::Set(Set { name, span, profile, network, options, variables: given, secrets: hidden, asking }) => {
            apart(&given, &hidden)?;
            let (options, variables, secrets) = (settings(options)?, variables(given), secrets(hidden)?);
            let patch = RangePatch { network, span, profile, options, variables, secrets };
            let said = |r: &RangeView| format!("range {} changed", r.name);
            asking.send(session, Method::PATCH, &format!("ranges/{name}"), &patch, said).await
        }
        Command::Show { name } => session.show(&format!("ranges/{name}"), card).await,
        Command::List => {
            let row = |r: &RangeView| card(r).into_iter().take(4).map(|(_, value)| value).collect();
            let empty = "No range yet: `kickstand range add rack1 10.0.0.10-10.0.0.50 --profile NAME`";
            session.list("ranges", &["name", "addresses", "profile", "network"], row, empty).await
        }
        Command::Remove { name, asking } => asking.remove(session, "range", &name).await,
    }
}

fn card(r: &RangeView) -> Vec<(&'static str, String)> {
    vec![
        ("name", r.name.to_string()),
        ("addresses", r.span.to_string()),
        ("profile", r.profile.to_string()),
        ("network", r.network.to_string()),
        ("options", shown(&r.options)),
        ("variables", table::variables(&r.variables)),
        ("secrets", table::words(&r.secrets)),
    ]
}
