//! `kickstand machine`: the records of machines, and what is done with them.

use super::secret::{Hidden, apart, new_secrets, secrets};
use super::session::Session;
use super::table::{self, maybe, moment, variables as shown};
use super::values::{OrNone, Setting, Variable, clearable, list, new_variables, settings, variables};
use super::{csv, inventory, vars};
use crate::http::api::arming::{Adoption, Reinstallation, Replacement};
use crate::http::api::machine::{InterfaceDraft, MachineDraft, MachinePatch, MachineView};
use crate::model::{DiskBoot, Mac, Name, Names};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write down a machine, or many of them from a CSV file
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one machine
    Show {
        /// Its name
        name: Name,
    },
    /// List all machines
    List,
    /// Show each variable of its answer file, and where its value comes from
    Vars(vars::Vars),
    /// Remove a machine's record
    Remove {
        /// Its name
        name: Name,
    },
    /// Install it at its next network boot, once
    Arm {
        /// Its name
        name: Name,
    },
    /// Take an arming back
    Disarm {
        /// Its name
        name: Name,
    },
    /// Install it by its running system, once: the agent picks it up at its next check-in
    Reinstall {
        /// Its name
        name: Name,
        /// The profile that it has from then on; by default the one that it has
        #[arg(long)]
        profile: Option<Name>,
    },
    /// Make a record of a MAC that was seen on a network
    Adopt(Adopt),
    /// Give a record new metal: the system keeps its id, name, address and history
    Replace(Replace),
    /// Let a replaced card have a role again, for example after it was mended
    Forget {
        /// The card's MAC
        mac: Mac,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example web1
    #[arg(required_unless_present = "csv")]
    name: Option<Name>,
    /// The MAC of the card that it boots from, for example 52:54:00:12:34:56
    #[arg(long, required_unless_present_any = ["csv", "interfaces"])]
    mac: Option<Mac>,
    /// Its address; by default one from the network's pool
    #[arg(long, requires = "mac")]
    ip: Option<Ipv4Addr>,
    /// A further card, for example 52:54:00:12:34:57=10.0.0.12; may be repeated
    #[arg(long = "interface", value_name = "MAC[=IP]")]
    interfaces: Vec<Card>,
    /// Its profile; by default the one that its address names
    #[arg(long)]
    profile: Option<Name>,
    /// Its activation keys, with commas between them; by default the profile's
    #[arg(long, default_value = "", hide_default_value = true)]
    key: Names,
    /// A group that it belongs to; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<Name>,
    /// Kernel arguments for this machine alone, for example "console=ttyS1"
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    arguments: String,
    /// A variable for templates, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable, sealed and never shown: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// A DHCP option of this machine alone, for example ntp-servers=10.0.0.1; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    /// The boot loader that it is given, of `kickstand loader list`; by default the profile's
    #[arg(long)]
    loader: Option<Name>,
    /// The way to its own disk: auto, nothing, not-found, exit, exit-1, sanboot, efi-chain, grub-chain or localboot; by default what suits its firmware
    #[arg(long, value_name = "WAY")]
    disk_boot: Option<DiskBoot>,
    /// A file with the header name,mac,ip,profile,key,groups,arguments,var.NAME,secret.NAME (in any order, name and mac needed): all or nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "mac", "ip", "interfaces", "profile", "key", "groups", "arguments", "variables", "secrets", "options", "loader", "disk_boot"])]
    csv: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// The cards, all of them anew, the one that it boots from first; may be repeated
    #[arg(long = "interface", value_name = "MAC[=IP]")]
    interfaces: Vec<Card>,
    /// The address of its first card; "" leaves it to the pool
    #[arg(long, conflicts_with = "interfaces")]
    ip: Option<OrNone<Ipv4Addr>>,
    /// Its profile; "" leaves it to its address
    #[arg(long)]
    profile: Option<OrNone<Name>>,
    /// Its activation keys, with commas between them; "" leaves them to the profile
    #[arg(long)]
    key: Option<Names>,
    /// The groups that it belongs to, all of them anew; "" clears them; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<OrNone<Name>>,
    /// Kernel arguments for this machine alone; "" clears them
    #[arg(long, allow_hyphen_values = true)]
    arguments: Option<String>,
    /// A variable to set; NAME= removes it; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable to set: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; NAME= removes it; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// A DHCP option to set; NAME= removes it; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    /// The boot loader that it is given, of `kickstand loader list`; "" leaves it to the profile
    #[arg(long)]
    loader: Option<OrNone<Name>>,
    /// The way to its own disk: auto, nothing, not-found, exit, exit-1, sanboot, efi-chain, grub-chain or localboot; "" leaves it to the profile
    #[arg(long, value_name = "WAY")]
    disk_boot: Option<OrNone<DiskBoot>>,
}

#[derive(Debug, Args)]
pub struct Adopt {
    /// The MAC as it was seen, for example 52:54:00:12:34:56
    mac: Mac,
    /// The name of its record; by default its MAC with dashes
    #[arg(long)]
    name: Option<Name>,
}

#[derive(Debug, Args)]
pub struct Replace {
    /// Its name
    name: Name,
    /// The MAC of the new card
    #[arg(long)]
    mac: Mac,
    /// The MAC of the card that it replaces, where the machine has several
    #[arg(long)]
    old: Option<Mac>,
    /// Install it at its next network boot, too
    #[arg(long)]
    arm: bool,
}

/// `MAC` or `MAC=IP`.
#[derive(Debug, Clone)]
pub struct Card(InterfaceDraft);

impl FromStr for Card {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mac, ip) = text.split_once('=').map_or((text, None), |(mac, ip)| (mac, Some(ip)));
        let mac = mac.parse().map_err(|error: crate::model::Malformed| error.to_string())?;
        let bad = |_| "write it like 52:54:00:12:34:57=10.0.0.12".to_owned();
        Ok(Card(InterfaceDraft { mac, ip: ip.map(str::parse).transpose().map_err(bad)? }))
    }
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(Add { csv: Some(file), .. }) => csv::add(&file, session).await,
        Command::Add(add) => {
            let said = |m: &MachineView| {
                format!(
                    "machine {n} added: `kickstand machine arm {n}` installs it at its next network boot",
                    n = m.name
                )
            };
            session.send(Method::POST, "machines", &add.draft()?, said).await
        }
        Command::Set(set) => set.run(session).await,
        Command::Show { name } => session.show(&format!("machines/{name}"), card).await,
        Command::List => {
            let heads = ["name", "state", "mac", "ip", "profile", "since", "heard"];
            let empty = "No machine yet: `kickstand machine add NAME --mac MAC`, or `kickstand sighting list` for those that were heard";
            session.list("machines", &heads, row, empty).await
        }
        Command::Vars(vars) => vars::run(vars, session).await,
        Command::Remove { name } => session.remove("machine", &name).await,
        Command::Arm { name } => act(session, &name, "arm", armed).await,
        Command::Disarm { name } => {
            act(session, &name, "disarm", |m| format!("machine {} is {}, no longer armed", m.name, m.state)).await
        }
        Command::Reinstall { name, profile } => {
            let said = |m: &MachineView| {
                format!(
                    "machine {n} is {}: the agent picks it up at its next check-in{}; `kickstand watch {n}` shows it live",
                    m.state,
                    m.heard
                        .as_ref()
                        .map(|heard| format!(", it was last heard {}", moment(heard.at)))
                        .unwrap_or_default(),
                    n = m.name
                )
            };
            session.send(Method::POST, &format!("machines/{name}/reinstall"), &Reinstallation { profile }, said).await
        }
        Command::Adopt(Adopt { mac, name }) => {
            let said = |m: &MachineView| format!("machine {} is {}", m.name, m.state);
            session.send(Method::POST, "machines/adopt", &Adoption { mac, name }, said).await
        }
        Command::Forget { mac } => {
            session.client.ask(Method::DELETE, &format!("retired/{}", mac.dashed()), None).await?;
            let said = format!("{mac} may have a role again: give it to a machine, or adopt it when it is heard");
            session.say(serde_json::json!({ "mac": mac, "retired": false }), move |_: &serde_json::Value| said.clone())
        }
        Command::Replace(Replace { name, mac, old, arm }) => {
            let said = move |m: &MachineView| match arm {
                true => format!("machine {} now has {mac}; {}", m.name, armed(m)),
                false => format!("machine {n} now has {mac}: `kickstand machine arm {n}` installs it", n = m.name),
            };
            session.send(Method::POST, &format!("machines/{name}/replace"), &Replacement { mac, old, arm }, said).await
        }
    }
}

async fn act(session: &Session, name: &Name, verb: &str, said: fn(&MachineView) -> String) -> Result<()> {
    session.send(Method::POST, &format!("machines/{name}/{verb}"), &serde_json::json!({}), said).await
}

fn armed(m: &MachineView) -> String {
    format!(
        "machine {n} is {}: its next network boot installs profile {}; `kickstand watch {n}` shows it live",
        m.state,
        m.chosen.why,
        n = m.name
    )
}

impl Add {
    fn draft(self) -> Result<MachineDraft> {
        let Add {
            name,
            mac,
            ip,
            interfaces,
            profile,
            key: keys,
            groups,
            arguments,
            variables,
            options,
            loader,
            disk_boot,
            ..
        } = self;
        let name = name.ok_or_else(|| anyhow::anyhow!("a machine needs a name"))?;
        let first = mac.map(|mac| InterfaceDraft { mac, ip });
        let interfaces = first.into_iter().chain(interfaces.into_iter().map(|Card(card)| card)).collect();
        apart(&variables, &self.secrets)?;
        let (variables, secrets, options) = (new_variables(variables), new_secrets(self.secrets)?, settings(options)?);
        let groups = Names::from_iter(groups);
        Ok(MachineDraft {
            name,
            interfaces,
            profile,
            keys,
            groups,
            arguments,
            variables,
            secrets,
            options,
            loader,
            disk_boot,
        })
    }
}

impl Set {
    async fn run(self, session: &Session) -> Result<()> {
        apart(&self.variables, &self.secrets)?;
        let path = format!("machines/{}", self.name);
        let cards: Vec<_> = self.interfaces.into_iter().map(|Card(card)| card).collect();
        let patch = MachinePatch {
            interfaces: (!cards.is_empty()).then_some(cards),
            ip: clearable(self.ip),
            profile: clearable(self.profile),
            keys: self.key,
            groups: list(self.groups).map(Names::from_iter),
            arguments: self.arguments,
            variables: variables(self.variables),
            secrets: secrets(self.secrets)?,
            options: settings(self.options)?,
            loader: clearable(self.loader),
            disk_boot: clearable(self.disk_boot),
        };
        session.send(Method::PATCH, &path, &patch, |m: &MachineView| format!("machine {} changed", m.name)).await
    }
}

fn row(m: &MachineView) -> Vec<String> {
    let first = m.interfaces.first();
    let mac = first.map(|card| card.mac.to_string()).unwrap_or_default();
    let ip = first.and_then(|card| card.ip.or(card.leased)).map(|ip| ip.to_string()).unwrap_or_default();
    let heard = m.heard.as_ref().map(|heard| moment(heard.at)).unwrap_or_default();
    vec![m.name.to_string(), m.state.to_string(), mac, ip, maybe(&m.chosen.profile), moment(m.state_at), heard]
}

fn card(m: &MachineView) -> Vec<(&'static str, String)> {
    let cards = m.interfaces.iter().map(|card| match (card.ip, card.leased) {
        (Some(ip), _) => format!("{} {ip}", card.mac),
        (None, Some(leased)) => format!("{} {leased}, from the pool", card.mac),
        (None, None) => card.mac.to_string(),
    });
    let install = m.install.as_ref().map(|i| {
        let inside = if i.inside_only { " for its running system" } else { "" };
        let way = i.way.map(|way| format!(", started by {way}")).unwrap_or_default();
        format!("armed {}{inside}, {} boots{way}", moment(i.armed_at), i.boots)
    });
    let heard = m
        .heard
        .as_ref()
        .map(|heard| format!("{} from {}, up since {}", moment(heard.at), heard.ip, moment(heard.booted_at)));
    vec![
        ("name", m.name.to_string()),
        ("system id", m.id.to_string()),
        ("state", format!("{} since {}", m.state, moment(m.state_at))),
        ("interfaces", cards.collect::<Vec<_>>().join("\n")),
        ("profile", m.chosen.why.clone()),
        ("keys", m.chosen.keys.to_string()),
        ("groups", m.groups.to_string()),
        ("joined with", m.joined.to_string()),
        ("arguments", m.arguments.clone()),
        ("variables", shown(&m.variables)),
        ("secrets", table::words(&m.secrets)),
        ("options", table::options(&m.options)),
        ("loader", maybe(&m.loader)),
        ("disk boot", maybe(&m.disk_boot)),
        ("install", install.unwrap_or_default()),
        ("registered", if m.registered { "yes" } else { "no" }.into()),
        ("heard", heard.unwrap_or_default()),
        ("inventory", m.inventory.as_ref().map(inventory::line).unwrap_or_default()),
        ("packages", m.inventory.as_ref().and_then(inventory::packages).unwrap_or_default()),
    ]
}
