//! `kickstand key`: activation keys, which let installed systems register.

use super::secret::{Hidden, apart, new_secrets, secrets};
use super::session::{Output, Session, understood};
use super::table::{maybe, moment, variables as shown, words};
use super::values::{OrNone, Variable, clearable, list, new_variables, variables};
use crate::http::api::key::{FreshKey, KeyDraft, KeyPatch, KeyView, PreviewAsk, PreviewView, Until};
use crate::model::{Name, Names, Package, Time};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hyper::Method;
use ipnetwork::Ipv4Network;
use std::net::Ipv4Addr;
use std::time::SystemTime;

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
    /// Make the secret by which systems that run already can join with it, and print it, this once
    Join {
        /// Its name
        name: Name,
        /// Take the secret away instead: no system can join with it from outside
        #[arg(long)]
        off: bool,
    },
    /// Make a key that leads a system back to its record, once, and print it
    Reactivate {
        /// The machine's name
        machine: Name,
        /// When it ends, for example 2026-12-31T18:00:00Z; by default in a day
        #[arg(long, value_name = "MOMENT")]
        expires: Option<Time>,
    },
    /// Show what keys would give now, or why they give nothing
    Preview {
        /// The keys, with commas between them
        keys: Names,
        /// Whom; by default a system that has no record yet
        #[arg(long)]
        machine: Option<Name>,
        /// The address from which it would ask; by default any will do
        #[arg(long, value_name = "ADDRESS")]
        from: Option<Ipv4Addr>,
    },
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
    /// How many systems may use it; by default any number
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// When it ends, for example 2026-12-31 or 2026-12-31T18:00:00Z; by default never
    #[arg(long, value_name = "MOMENT")]
    expires: Option<Time>,
    /// Whether it opens anything: true or false
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    enabled: bool,
    /// A package to install on systems that join with it; may be repeated
    #[arg(long = "package", value_name = "PACKAGE")]
    packages: Vec<Package>,
    /// A variable for templates, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable, sealed and never shown: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// A network or an address from which it may be used, for example 10.0.0.0/24; by default anywhere; may be repeated
    #[arg(long = "from", value_name = "NETWORK")]
    addresses: Vec<Ipv4Network>,
    /// Use it for machines and profiles that name no key
    #[arg(long)]
    default: bool,
    /// The profile of machines that join with it and have none
    #[arg(long)]
    profile: Option<Name>,
    /// Let systems that joined with it install themselves anew without being armed
    #[arg(long)]
    reinstalls: bool,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// The groups, all of them anew; "" clears them; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<OrNone<Name>>,
    /// How many systems may use it; "" means any number
    #[arg(long, value_name = "N")]
    limit: Option<OrNone<u32>>,
    /// When it ends, for example 2026-12-31; "" means never
    #[arg(long, value_name = "MOMENT")]
    expires: Option<OrNone<Time>>,
    /// Whether it opens anything: true or false
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// The packages, all of them anew; "" clears them; may be repeated
    #[arg(long = "package", value_name = "PACKAGE")]
    packages: Vec<OrNone<Package>>,
    /// A variable to set; NAME= removes it; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable to set: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; NAME= removes it; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// The networks and addresses from which it may be used, all of them anew; "" means from anywhere; may be repeated
    #[arg(long = "from", value_name = "NETWORK")]
    addresses: Vec<OrNone<Ipv4Network>>,
    /// Whether machines and profiles that name no key use it: true or false
    #[arg(long, value_name = "BOOL")]
    default: Option<bool>,
    /// The profile of machines that join with it and have none; "" clears it
    #[arg(long)]
    profile: Option<OrNone<Name>>,
    /// Whether systems that joined with it may install themselves anew without being armed: true or false
    #[arg(long, value_name = "BOOL")]
    reinstalls: Option<bool>,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(add) => {
            session.send(Method::POST, "keys", &add.draft()?, |k: &KeyView| format!("key {} added", k.name)).await
        }
        Command::Set(set) => {
            let path = format!("keys/{}", set.name);
            let patch = serde_json::to_value(set.patch()?)?;
            if patch.as_object().is_some_and(serde_json::Map::is_empty) {
                bail!("nothing was asked, and nothing was changed: `kickstand key set --help` tells what there is");
            }
            session.send(Method::PATCH, &path, &patch, |k: &KeyView| format!("key {} changed", k.name)).await
        }
        Command::Show { name } => session.show(&format!("keys/{name}"), card).await,
        Command::List => session.list("keys", &HEADS, row, "No key yet: `kickstand key add NAME`").await,
        Command::Join { name, off: false } => {
            let value = session.client.ask(Method::POST, &format!("keys/{name}/join"), None).await?;
            once(session, value, |_| {
                format!(
                    "Systems join with this secret of key {name}; an earlier one opens nothing. It is shown this once:"
                )
            })?;
            let key: KeyView = session.get(&format!("keys/{name}")).await?;
            remark(&key);
            Ok(())
        }
        Command::Join { name, off: true } => {
            session.client.ask(Method::DELETE, &format!("keys/{name}/join"), None).await?;
            let said = format!("no system can join with key {name} from outside");
            session.say(serde_json::json!({ "name": name, "joins": false }), move |_: &serde_json::Value| said.clone())
        }
        Command::Reactivate { machine, expires } => {
            let until = serde_json::to_value(Until { expires_at: expires })?;
            let value =
                session.client.ask(Method::POST, &format!("machines/{machine}/reactivate"), Some(&until)).await?;
            once(session, value, |fresh| {
                let end = fresh.expires_at.map(moment).unwrap_or_default();
                format!("A system returns to {machine} with this key, once, until {end}. It is shown this once:")
            })
        }
        Command::Preview { keys, machine, from } => {
            let ask = serde_json::to_value(PreviewAsk { keys, machine, from })?;
            let value = session.client.ask(Method::POST, "keys/preview", Some(&ask)).await?;
            preview(session, value)
        }
        Command::Remove { name } => session.remove("key", &name).await,
    }
}

/// The secret alone goes to stdout, so that it can be piped; the words around it to stderr.
fn once(session: &Session, value: serde_json::Value, words: impl Fn(&FreshKey) -> String) -> Result<()> {
    if session.output == Output::Json {
        return super::session::json(&value);
    }
    let fresh: FreshKey = understood(value)?;
    eprintln!("{}", words(&fresh));
    super::session::line(&fresh.secret)
}

/// Whoever has the secret of such a key is refused.
fn remark(key: &KeyView) {
    let (name, state) = (&key.name, state(key, SystemTime::now().into()));
    if state != ENABLED {
        eprintln!(
            "but key {name} is {state}, and lets nobody in until that is changed: `kickstand key preview {name}`"
        );
    }
}

/// Refused, it ends as a failure, so that scripts can ask.
fn preview(session: &Session, value: serde_json::Value) -> Result<()> {
    let seen: PreviewView = understood(value.clone())?;
    match (session.output, &seen.refused) {
        (Output::Json, _) => super::session::json(&value)?,
        (_, Some(why)) => bail!("{}", why.text),
        (_, None) => super::session::print(&super::table::card(&given(&seen)))?,
    }
    match seen.refused {
        Some(why) => bail!("{}", why.text),
        None => Ok(()),
    }
}

fn given(p: &PreviewView) -> Vec<(&'static str, String)> {
    vec![
        ("groups", p.groups.to_string()),
        ("packages", words(&p.packages)),
        ("variables", shown(&p.variables)),
        ("secrets", words(&p.secrets)),
        ("profile", maybe(&p.profile)),
        ("reinstalls", p.reinstalls.as_ref().map_or("no".into(), |key| format!("yes, by key {key}"))),
        ("counted by", p.counted.to_string()),
    ]
}

impl Add {
    fn draft(self) -> Result<KeyDraft> {
        apart(&self.variables, &self.secrets)?;
        Ok(KeyDraft {
            name: self.name,
            description: self.description,
            groups: self.groups,
            usage_limit: self.limit,
            expires_at: self.expires,
            enabled: Some(self.enabled),
            packages: self.packages,
            variables: new_variables(self.variables),
            secrets: new_secrets(self.secrets)?,
            addresses: self.addresses,
            is_default: self.default,
            profile: self.profile,
            reinstalls: self.reinstalls,
        })
    }
}

impl Set {
    fn patch(self) -> Result<KeyPatch> {
        apart(&self.variables, &self.secrets)?;
        Ok(KeyPatch {
            description: self.description,
            groups: list(self.groups),
            usage_limit: clearable(self.limit),
            expires_at: clearable(self.expires),
            enabled: self.enabled,
            packages: list(self.packages),
            variables: variables(self.variables),
            secrets: secrets(self.secrets)?,
            addresses: list(self.addresses),
            is_default: self.default,
            profile: clearable(self.profile),
            reinstalls: self.reinstalls,
        })
    }
}

const ENABLED: &str = "enabled";

/// Whether it opens anything at this moment. Whoever used it before still may where it is used up.
fn state(k: &KeyView, now: Time) -> &'static str {
    match k {
        k if !k.enabled => "disabled",
        k if k.expires_at.is_some_and(|end| end <= now) => "expired",
        k if k.usage_limit.is_some_and(|limit| k.used >= limit) => "used up",
        _ => ENABLED,
    }
}

fn used(k: &KeyView) -> String {
    k.usage_limit.map_or(k.used.to_string(), |limit| format!("{} of {limit}", k.used))
}

/// As many as fit 80 columns; a day is enough of a moment there.
const HEADS: [&str; 8] = ["name", "state", "used", "expires", "default", "joins", "groups", "description"];

fn row(k: &KeyView) -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    vec![
        k.name.to_string(),
        state(k, SystemTime::now().into()).to_owned(),
        used(k),
        k.expires_at.map_or("never".into(), |end| moment(end).chars().take(10).collect()),
        yes(k.is_default),
        yes(k.joins),
        words(&k.groups),
        k.description.clone(),
    ]
}

fn card(k: &KeyView) -> Vec<(&'static str, String)> {
    vec![
        ("name", k.name.to_string()),
        ("state", state(k, SystemTime::now().into()).into()),
        ("used", used(k)),
        ("expires", k.expires_at.map_or("never".into(), moment)),
        ("groups", words(&k.groups)),
        ("description", k.description.clone()),
        ("packages", words(&k.packages)),
        ("variables", shown(&k.variables)),
        ("secrets", words(&k.secrets)),
        ("from", if k.addresses.is_empty() { "anywhere".into() } else { words(&k.addresses) }),
        ("default", if k.is_default { "yes" } else { "no" }.into()),
        ("profile", maybe(&k.profile)),
        ("reinstalls", if k.reinstalls { "yes" } else { "no" }.into()),
        ("joins", if k.joins { "yes" } else { "no" }.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_whether_it_opens_anything_on_eighty_columns() {
        let key = |change: serde_json::Value| {
            let mut plain = serde_json::json!({
                "name": "web-servers", "description": "Web servers of the second hall", "groups": ["web", "second-hall"],
                "usage_limit": 20, "used": 7, "expires_at": "2026-12-31T18:00:00Z", "enabled": true, "packages": [],
                "variables": {}, "secrets": [], "addresses": [], "is_default": true, "profile": null,
                "reinstalls": false, "joins": true,
            });
            plain.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value::<KeyView>(plain).unwrap()
        };
        let at = |key: &KeyView, now: &str| state(key, now.parse().unwrap());
        let (used_up, disabled) =
            (key(serde_json::json!({"used": 20})), key(serde_json::json!({"enabled": false, "used": 20})));
        assert_eq!((at(&key(serde_json::json!({})), "2026-12-31"), at(&used_up, "2026-12-31")), (ENABLED, "used up"));
        assert_eq!((at(&used_up, "2027-01-01"), at(&disabled, "2027-01-01")), ("expired", "disabled"));
        let table = crate::cli::table::table(&HEADS, &[row(&used_up)], Some(80));
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains("2026-12-31") && table.contains("20 of 20"), "{table}");
    }
}
