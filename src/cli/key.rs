//! `kickstand key`: activation keys, which let installed systems register.

use super::session::Session;
use super::table::{moment, words};
use super::values::{OrNone, clearable, list};
use crate::http::api::key::{KeyDraft, KeyPatch, KeyView};
use crate::model::{Name, Time};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an activation key; each install gets its own single-use key derived from it
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one key
    Show {
        /// Its name
        name: Name,
    },
    /// List all keys
    List,
    /// Remove a key that nothing refers to
    Remove {
        /// Its name
        name: Name,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example web-servers
    name: Name,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// A group that systems join with it; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Name>,
    /// How many registrations it allows; by default any number
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// When it ends, for example 2026-12-31 or 2026-12-31T18:00:00Z; by default never
    #[arg(long, value_name = "MOMENT")]
    expires: Option<Time>,
    /// Whether it opens anything: true or false
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    enabled: bool,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// The groups, all of them anew; "" clears them
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<OrNone<Name>>,
    /// How many registrations it allows; "" means any number
    #[arg(long, value_name = "N")]
    limit: Option<OrNone<u32>>,
    /// When it ends, for example 2026-12-31; "" means never
    #[arg(long, value_name = "MOMENT")]
    expires: Option<OrNone<Time>>,
    /// Whether it opens anything: true or false
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(Add { name, description, groups, limit, expires, enabled }) => {
            let (usage_limit, expires_at, enabled) = (limit, expires, Some(enabled));
            let draft = KeyDraft { name, description, groups, usage_limit, expires_at, enabled };
            session.send(Method::POST, "keys", &draft, |k: &KeyView| format!("key {} added", k.name)).await
        }
        Command::Set(set) => {
            let path = format!("keys/{}", set.name);
            session.send(Method::PATCH, &path, &set.patch(), |k: &KeyView| format!("key {} changed", k.name)).await
        }
        Command::Show { name } => session.show(&format!("keys/{name}"), card).await,
        Command::List => {
            let row = |k: &KeyView| card(k).into_iter().map(|(_, value)| value).collect();
            let heads = ["name", "enabled", "used", "expires", "groups", "description"];
            session.list("keys", &heads, row, "No key yet: `kickstand key add NAME`").await
        }
        Command::Remove { name } => session.remove("key", &name).await,
    }
}

impl Set {
    fn patch(self) -> KeyPatch {
        KeyPatch {
            description: self.description,
            groups: list(self.groups),
            usage_limit: clearable(self.limit),
            expires_at: clearable(self.expires),
            enabled: self.enabled,
        }
    }
}

fn card(k: &KeyView) -> Vec<(&'static str, String)> {
    let used = k.usage_limit.map_or(k.used.to_string(), |limit| format!("{} of {limit}", k.used));
    vec![
        ("name", k.name.to_string()),
        ("enabled", if k.enabled { "yes" } else { "no" }.into()),
        ("used", used),
        ("expires", k.expires_at.map_or("never".into(), moment)),
        ("groups", words(&k.groups)),
        ("description", k.description.clone()),
    ]
}
