//! `kickstand template`: the texts that machines are given, their versions, and what a change of them would do.

use super::session::{Output, Session, json, line, print, understood};
use super::table;
use crate::http::api::template::{ComparisonView, RollBack, TemplateChange, TemplateText, TemplateView};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use hyper::Method;
use similar::TextDiff;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all templates, and which of them are yours
    List,
    /// Write a template's text
    Show {
        /// Its name, for example redhat/kickstart.ks or pxe/ipxe/install.ipxe
        name: String,
        /// A version of `template history` instead of what is in use
        #[arg(long, value_name = "NUMBER")]
        version: Option<i64>,
    },
    /// Store a text, which is in use at once
    Set {
        /// Its name, for example redhat/web.ks
        name: String,
        /// The file with its text
        file: PathBuf,
        /// Do not ask, however many machines it touches
        #[arg(long)]
        yes: bool,
    },
    /// List every version of a template
    History {
        /// Its name
        name: String,
    },
    /// Show what a text would change for every machine; without one, what yours changes of the built-in one
    Diff {
        /// Its name
        name: String,
        /// The file with the text
        file: Option<PathBuf>,
    },
    /// Store the text of an old version again
    Rollback {
        /// Its name
        name: String,
        /// The version, of `template history`
        version: i64,
        /// Do not ask, however many machines it touches
        #[arg(long)]
        yes: bool,
    },
    /// Remove the stored text: what is built in counts again
    Remove {
        /// Its name
        name: String,
        /// Do not ask, however many machines it touches
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::List => list(session, "templates", "No template is there: that is a bug").await,
        Command::History { name } => {
            let name = whole(&name);
            let empty = format!("{name} is as it was built in: no version of it was ever yours");
            list(session, &format!("templates/history/{name}"), &empty).await
        }
        Command::Show { name, version } => show(session, &name, version).await,
        Command::Set { name, file, yes } => {
            let name = whole(&name);
            let text = TemplateText { text: read(&file)? };
            let change = TemplateChange { text: Some(text.text.clone()) };
            agreed(session, (&name, "FILE"), &change, yes).await?;
            let said = |view: &TemplateView| format!("template {} set: {}", view.name, number(view));
            session.send(Method::PUT, &format!("templates/text/{name}"), &text, said).await
        }
        Command::Diff { name, file: Some(file) } => {
            let text = TemplateChange { text: Some(read(&file)?) };
            let value = compared(session, &whole(&name), &text).await?;
            match session.output {
                Output::Json => json(&value),
                Output::Table => print(&told(&understood(value)?)),
            }
        }
        Command::Diff { name, file: None } => built_in(session, &whole(&name)).await,
        Command::Rollback { name, version, yes } => {
            let name = whole(&name);
            let old: TemplateView = session.get(&format!("templates/text/{name}?version={version}")).await?;
            if old.text.is_some() {
                agreed(session, (&name, "FILE"), &TemplateChange { text: old.text }, yes).await?;
            }
            let said =
                |view: &TemplateView| format!("template {} is as in version {version}: {}", view.name, number(view));
            session.send(Method::POST, &format!("templates/rollback/{name}"), &RollBack { version }, said).await
        }
        Command::Remove { name, yes } => {
            let name = whole(&name);
            agreed(session, (&name, ""), &TemplateChange { text: None }, yes).await?;
            session.client.ask(Method::DELETE, &format!("templates/text/{name}"), None).await?;
            match session.output {
                Output::Json => json(&serde_json::json!({ "removed": name })),
                Output::Table => line(&format!("template {name} removed")),
            }
        }
    }
}

async fn list(session: &Session, path: &str, empty: &str) -> Result<()> {
    let row = |view: &TemplateView| {
        let version = view.version.map(|version| version.to_string()).unwrap_or_default();
        let at = view.at.map(|at| at.to_string()).unwrap_or_default();
        vec![view.name.clone(), view.from.clone(), version, at, view.by.clone().unwrap_or_default()]
    };
    session.list(path, &["name", "from", "version", "at", "by"], row, empty).await
}

async fn show(session: &Session, name: &str, version: Option<i64>) -> Result<()> {
    let query = version.map(|version| format!("?version={version}")).unwrap_or_default();
    let path = format!("templates/text/{}{query}", whole(name));
    let value = session.client.ask(Method::GET, &path, None).await?;
    if session.output == Output::Json {
        return json(&value);
    }
    let view: TemplateView = understood(value)?;
    print(&view.text.with_context(|| format!("version {} is that it was removed", version.unwrap_or_default()))?)
}

/// What is in use, beside what is built in.
async fn built_in(session: &Session, name: &str) -> Result<()> {
    let value = session.client.ask(Method::GET, &format!("templates/text/{name}"), None).await?;
    if session.output == Output::Json {
        return json(&value);
    }
    let view: TemplateView = understood(value)?;
    let (text, built_in) = (view.text.unwrap_or_default(), view.built_in.unwrap_or_default());
    let diff = TextDiff::from_lines(&built_in, &text);
    match text == built_in {
        true => line(&format!("{name} is as it was built in")),
        false => print(&diff.unified_diff().header("built in", &view.from).to_string()),
    }
}

/// `redhat/web.ks` lies below `templates/`.
fn whole(name: &str) -> String {
    match name.split_once('/') {
        Some(("templates" | "pxe", _)) => name.to_owned(),
        _ => format!("templates/{name}"),
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

async fn compared(session: &Session, name: &str, change: &TemplateChange) -> Result<serde_json::Value> {
    let body = serde_json::to_value(change)?;
    Ok(session.client.ask(Method::POST, &format!("templates/diff/{name}"), Some(&body)).await?)
}

/// Says how many machines a change touches, and asks where it is more than one. What nobody can be asked needs --yes.
async fn agreed(session: &Session, (name, file): (&str, &str), change: &TemplateChange, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    let change: ComparisonView = understood(compared(session, name, change).await?)?;
    let said = summary(&change);
    if change.machines <= 1 && change.broken.is_empty() {
        return if session.output == Output::Json { Ok(()) } else { line(&said) };
    }
    if !std::io::stdin().is_terminal() {
        let diff = format!("kickstand template diff {name} {file}");
        bail!("{said}; look at it with `{}`, and say --yes if it is meant", diff.trim_end());
    }
    eprint!("{said}. Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("template {name} stays as it is"),
    }
}

fn number(view: &TemplateView) -> String {
    view.version.map_or_else(|| view.from.clone(), |version| format!("version {version}"))
}

fn summary(change: &ComparisonView) -> String {
    let count = match change.machines {
        0 => "no machine is touched".to_owned(),
        1 => "1 machine is touched".to_owned(),
        more => format!("{more} machines are touched"),
    };
    match change.broken.len() {
        0 => count,
        1 => format!("{count}, and 1 text would break"),
        more => format!("{count}, and {more} texts would break"),
    }
}

/// The count first, then what would break, then each difference under the machines that it is for.
fn told(change: &ComparisonView) -> String {
    let mut told = format!("{}\n", summary(change));
    if !change.broken.is_empty() {
        let rows: Vec<_> =
            change.broken.iter().map(|b| vec![b.machine.to_string(), b.what.clone(), b.why.clone()]).collect();
        told += &format!("\n{}", table::table(&["machine", "would break", "because"], &rows, None));
    }
    for group in &change.changes {
        let names: Vec<_> = group.machines.iter().map(|name| name.as_str()).collect();
        let noun = if names.len() == 1 { "machine" } else { "machines" };
        told += &format!("\n{} {noun}, {}: {}\n{}", names.len(), group.what, names.join(", "), group.diff);
    }
    told
}
