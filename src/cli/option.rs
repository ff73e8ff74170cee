//! `kickstand option`: the DHCP options that there are, and those that everybody gets.

use super::agreed::Asking;
use super::session::{Output, Session, json, print, width};
use super::table::{self, table};
use super::values::{Setting, settings};
use crate::model::OptionSet;
use crate::model::option::settable;
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the options that can be set, and how each is written
    List,
    /// Show the options for everybody
    Show,
    /// Set options for everybody that nothing closer says otherwise
    Set(Set),
    /// Take options for everybody back
    Unset(Unset),
}

#[derive(Debug, Args)]
pub struct Set {
    /// For example ntp-servers=10.0.0.1; a number stands for an option that has no name here
    #[arg(required = true, value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
pub struct Unset {
    /// Their names or numbers
    #[arg(required = true, value_name = "NAME")]
    options: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::List => list(session.output),
        Command::Show => show(session).await,
        Command::Set(Set { options, asking }) => change(options, asking, session).await,
        Command::Unset(Unset { options, asking }) => {
            let gone = options.iter().map(|name| format!("{name}=").parse().map_err(anyhow::Error::msg));
            change(gone.collect::<Result<_>>()?, asking, session).await
        }
    }
}

async fn change(options: Vec<Setting>, asking: Asking, session: &Session) -> Result<()> {
    let said = |set: &OptionSet| match set.is_empty() {
        true => "nothing is set for everybody".to_owned(),
        false => format!("everybody gets {}", table::options(set).replace('\n', "; ")),
    };
    asking.send(session, Method::PATCH, "options", &settings(options)?, said).await
}

async fn show(session: &Session) -> Result<()> {
    let set: OptionSet = session.get("options").await?;
    if session.output == Output::Json {
        return json(&serde_json::to_value(&set)?);
    }
    let rows: Vec<_> = set.written().into_iter().map(|(name, value)| vec![name, value]).collect();
    match rows.is_empty() {
        true => super::session::line("Nothing is set for everybody: `kickstand option set NAME=VALUE`"),
        false => print(&table(&["option", "value"], &rows, width())),
    }
}

/// Of this program's own table: no server is asked.
fn list(output: Output) -> Result<()> {
    if output == Output::Json {
        let rows = settable().map(|r| serde_json::json!({"code": r.code, "name": r.name, "written": r.kind.wanted()}));
        return json(&rows.collect());
    }
    let rows: Vec<_> =
        settable().map(|r| vec![r.code.to_string(), r.name.to_owned(), r.kind.wanted().to_owned()]).collect();
    print(&table(&["code", "name", "written as"], &rows, width()))
}
