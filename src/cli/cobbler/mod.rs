//! `kickstand import cobbler`: a data folder of Cobbler's becomes records: all of them or none, with a report.
//!
//! `boots` brings kernels and initrds, `report` says what came of it; what becomes of which field is for [`crate::cobbler`].

mod boots;
mod report;

use super::client;
use super::loader::Settings;
use super::session::{Session, Unfinished, complaint, understood};
use super::table::count;
use crate::cobbler::{Folder, Line, Plan, Server, What, plan};
use crate::http::api::distro::DistroView;
use crate::http::api::network::NetworkView;
use crate::http::api::records::{BroughtIn, Records, TemplateDraft};
use crate::render::Templates;
use anyhow::{Context, Result, bail};
use boots::Boots;
use clap::{Args, Subcommand};
use hyper::Method;
use report::Report;
use serde_json::Value;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The data of a Cobbler server, 2.8 to 3.3: distros, profiles, systems, templates and snippets
    Cobbler(Cobbler),
}

#[derive(Debug, Args)]
pub struct Cobbler {
    /// A copy of Cobbler's files: a folder that holds var/lib/cobbler and etc/cobbler, or that of /var/lib/cobbler
    folder: PathBuf,
    /// Only say what would come of it
    #[arg(long)]
    dry_run: bool,
    /// Put it in the place of records and templates of the same names
    #[arg(long)]
    replace: bool,
    /// Leave out distros whose kernel or initrd is not there
    #[arg(long)]
    partial: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Write the report there, too, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    let Command::Cobbler(import) = command;
    let folder = Folder::read(&import.folder)?;
    let server = server(session).await?;
    let mut plan = plan(&folder, &server);
    compiled(&mut plan);
    let files = import.settings.config()?.files;
    let boots = Boots::find(&files, folder.root.as_deref(), &plan.boots);
    if import.partial || import.dry_run {
        boots.missing.iter().for_each(|boot| left_out(&mut plan, &boot.distro, &boot.from, import.partial));
    } else if !boots.missing.is_empty() {
        bail!(boots.complaint());
    }
    plan.lines.extend(boots.told());
    let report = Report::of(&plan, &boots);
    if import.dry_run {
        return dry(&import, &boots, plan, report, session).await;
    }
    boots.demand(session).await?;
    if !import.yes && std::io::stdin().is_terminal() {
        report.say_to_terminal()?;
        agreed(&report)?;
    }
    // What can not be written is known before anything is changed.
    let file = report::open(import.report.as_deref())?;
    let copied = boots.copy(import.replace)?;
    match send(session, &plan, import.replace, false).await {
        Ok(_) => copied.keep(),
        Err(error) if error.downcast_ref::<client::Error>().is_some_and(client::Error::is_no) => {
            copied.undo();
            return Err(error);
        }
        Err(error) => return Err(error.context(UNKNOWN)),
    }
    report.say(session.output, "brought in")?;
    report.write(file)
}

/// What the import itself would say, for whoever asks beforehand.
async fn dry(import: &Cobbler, boots: &Boots, plan: Plan, mut report: Report, session: &Session) -> Result<()> {
    let mut refused = Vec::new();
    if !boots.missing.is_empty() && !import.partial {
        refused.push(boots.complaint());
    }
    let place = boots.demand(session).await.and_then(|()| boots.fit(import.replace));
    refused.extend(place.err().as_ref().map(complaint));
    refused.extend(send(session, &plan, import.replace, true).await.err().as_ref().map(complaint));
    report.refused = (!refused.is_empty()).then(|| refused.join("\n"));
    let file = report::open(import.report.as_deref())?;
    report.say(session.output, if refused.is_empty() { "would be brought in" } else { "would not be brought in" })?;
    report.write(file)?;
    if refused.is_empty() { Ok(()) } else { Err(Unfinished.into()) }
}

const UNKNOWN: &str = "it is not known whether it was brought in: look with `kickstand distro list`; the copied kernels stay, what lay in their place is beside them as .before";
/// A server with a large database takes its time for all records at once.
const PATIENCE: Duration = Duration::from_secs(600);

async fn server(session: &Session) -> Result<Server> {
    let networks: Vec<NetworkView> = session.get("networks").await?;
    let distros: Vec<DistroView> = session.get("distros").await?;
    Ok(Server {
        networks: networks.iter().map(|network| (network.cidr.network(), network.cidr.prefix())).collect(),
        network_names: networks.iter().map(|network| network.name.to_string()).collect(),
        distros: distros.into_iter().map(|distro| (distro.name.to_string(), (distro.kernel, distro.initrd))).collect(),
    })
}

fn name(record: &Value) -> Option<&str> {
    record.get("name").and_then(Value::as_str)
}

/// What does not compile would be refused with all the rest: it says so itself instead.
fn compiled(plan: &mut Plan) {
    let whole = |name: &str| format!("templates/{name}");
    for (name, text) in &mut plan.templates {
        let Err(errors) = Templates::of([(whole(name), text.clone())]) else { continue };
        let why = errors.first().map(ToString::to_string).unwrap_or_default();
        let said = why.replace(['"', '\\'], "'");
        *text = format!("{{% do not_converted(\"{said}\") %}}\n{{% raw %}}\n{text}\n{{% endraw %}}\n");
        if Templates::of([(whole(name), text.clone())]).is_err() {
            *text = format!("{{% do not_converted(\"{said}\") %}}\n");
        }
        plan.lines.push(Line::new(What::Todo, name, &format!("what was converted does not compile: {why}")));
    }
}

/// Profiles stay, and say which distro they lack.
fn left_out(plan: &mut Plan, distro: &str, from: &[String; 2], partial: bool) {
    let [kernel, initrd] = from;
    let text = format!(
        "its kernel {kernel} or initrd {initrd} is not here: copy them, or `kickstand distro import` the tree as {distro} first"
    );
    plan.lines.push(Line::new(What::Todo, &format!("distro {distro}"), &text));
    if !partial {
        return;
    }
    plan.distros.retain(|one| name(one) != Some(distro));
    for profile in &mut plan.profiles {
        if profile.get("distro").and_then(Value::as_str) == Some(distro)
            && let Some(fields) = profile.as_object_mut()
        {
            fields.remove("distro");
        }
    }
}

fn agreed(report: &Report) -> Result<()> {
    let (records, templates) = (count(report.records(), "record"), count(report.templates, "template"));
    eprint!("bring in {records} and {templates}? [y/N] ");
    std::io::stderr().flush()?;
    let mut said = String::new();
    std::io::stdin().read_line(&mut said)?;
    match said.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was brought in"),
    }
}

async fn send(session: &Session, plan: &Plan, replace: bool, check: bool) -> Result<BroughtIn> {
    let draft = |(name, text): (&String, &String)| TemplateDraft { name: name.clone(), text: text.clone() };
    // A check copies no files.
    let pending = plan.boots.iter().filter_map(|boot| boot.distro.parse().ok());
    let records = Records {
        templates: plan.templates.iter().map(draft).collect(),
        networks: plan.networks.clone(),
        distros: plan.distros.clone(),
        profiles: plan.profiles.clone(),
        machines: plan.machines.clone(),
        replace,
        check,
        without_files: pending.filter(|_| check).collect(),
    };
    let body = serde_json::to_value(&records).context("records can not be written")?;
    understood(session.client.ask_within(PATIENCE, Method::POST, "records", Some(&body)).await?)
}
