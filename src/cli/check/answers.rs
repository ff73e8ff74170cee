//! `kickstand check answers`: what the installers' own tools say of machines' answer files. They run here, beside the
//! operator, and never in the server.

use crate::cli::session::{Output, Session, Unfinished, json, line, print, width};
use crate::cli::table::table;
use crate::http::api::answers::{AnswersView, FileView};
use crate::http::api::machine::MachineView;
use crate::model::Family;
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, Args)]
pub struct Answers {
    /// The machines: all of them by default
    #[arg(value_name = "NAME")]
    machines: Vec<String>,
}

/// A program that reads the answer files of a family, with the file's path behind its words.
struct Tool {
    family: Family,
    program: &'static str,
    words: fn(&str) -> Vec<String>,
    /// Where it comes from.
    package: &'static str,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

const TOOLS: &[Tool] = &[
    Tool {
        family: Family::Redhat,
        program: "ksvalidator",
        words: |release| vec!["-v".into(), kickstart(release)],
        package: "pykickstart (Fedora, EPEL, PyPI)",
    },
    Tool { family: Family::Debian, program: "debconf-set-selections", words: |_| words("-c"), package: "debconf" },
    Tool {
        family: Family::Ubuntu,
        program: "cloud-init",
        words: |_| words("schema --config-file"),
        package: "cloud-init",
    },
    Tool { family: Family::Suse, program: "xmllint", words: |_| words("--noout"), package: "libxml2-utils" },
    Tool { family: Family::Ignition, program: "ignition-validate", words: |_| Vec::new(), package: "ignition" },
    Tool { family: Family::Image, program: "sh", words: |_| words("-n"), package: "dash" },
];

/// As pykickstart calls versions: Fedora's have two digits.
fn kickstart(release: &str) -> String {
    let major = release.split('.').next().unwrap_or_default();
    match major.parse::<u32>() {
        Ok(number) if number >= 20 => format!("F{number}"),
        Ok(number) => format!("RHEL{number}"),
        Err(_) => "RHEL9".to_owned(),
    }
}

/// One file, and what was said of it.
#[derive(Debug, Serialize)]
struct Said {
    machine: String,
    file: String,
    tool: String,
    /// None where nobody could say.
    fine: Option<bool>,
    said: String,
}

pub async fn run(Answers { machines }: Answers, session: &Session) -> Result<()> {
    let machines = match machines.is_empty() {
        true => session.get::<Vec<MachineView>>("machines").await?.into_iter().map(|m| m.name.to_string()).collect(),
        false => machines,
    };
    let room = Room::make()?;
    let mut all = Vec::new();
    for (at, name) in machines.iter().enumerate() {
        tell(at, machines.len());
        match session.get::<AnswersView>(&format!("machines/{name}/answers")).await {
            Ok(view) => all.extend(of_machine(name, &view, &room)?),
            Err(error) => all.push(refused(name, &error)),
        }
    }
    tell(machines.len(), machines.len());
    match session.output {
        Output::Json => json(&serde_json::to_value(&all)?)?,
        Output::Table if all.is_empty() => line("there is no machine yet: `kickstand machine add NAME --mac MAC`")?,
        Output::Table => print(&table(&["machine", "file", "tool", "said"], &rows(&all), width()))?,
    }
    if all.iter().any(|said| said.fine == Some(false)) { Err(Unfinished.into()) } else { Ok(()) }
}

fn refused(name: &str, error: &anyhow::Error) -> Said {
    let (machine, said) = (name.to_owned(), error.to_string());
    Said { machine, file: String::new(), tool: "kickstand".into(), fine: Some(false), said }
}

fn rows(all: &[Said]) -> Vec<Vec<String>> {
    all.iter().map(|said| vec![said.machine.clone(), said.file.clone(), said.tool.clone(), said.said.clone()]).collect()
}

fn of_machine(name: &str, view: &AnswersView, room: &Room) -> Result<Vec<Said>> {
    let tool = TOOLS.iter().find(|tool| tool.family.to_string() == view.family);
    let files = view.files.iter().filter(|file| is_for_tools(file));
    files.map(|file| one(name, view.release.as_deref().unwrap_or("9"), file, tool, room)).collect()
}

/// cloud-init's own data has no schema.
fn is_for_tools(file: &FileView) -> bool {
    file.name != "meta-data"
}

fn one(name: &str, release: &str, file: &FileView, tool: Option<&Tool>, room: &Room) -> Result<Said> {
    let (machine, called) = (name.to_owned(), file.name.clone());
    let said = |tool: &str, fine, said: String| Said { machine, file: called, tool: tool.to_owned(), fine, said };
    let Some(tool) = tool else { return Ok(said("-", None, "its installer has no such tool".into())) };
    let path = room.file(&file.text)?;
    let done = Command::new(tool.program).args((tool.words)(release)).arg(path).stdin(Stdio::null()).output();
    match done {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Ok(said(tool.program, None, format!("not installed: it comes with {}", tool.package)))
        }
        Err(e) => Err(e).context(format!("cannot run {}", tool.program)),
        Ok(done) => {
            let text = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).trim().to_owned();
            // debconf only warns of what it will skip.
            let fine = done.status.success() && !text.starts_with("warning:");
            Ok(said(tool.program, Some(fine), if fine { "fine".into() } else { text }))
        }
    }
}

/// A folder for one's own eyes, gone when this is.
struct Room(PathBuf);

impl Room {
    fn make() -> Result<Room> {
        let path = std::env::temp_dir().join(format!("kickstand-check-{}", uuid::Uuid::now_v7()));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Room(path))
    }

    fn file(&self, text: &str) -> Result<PathBuf> {
        let path = self.0.join("answer");
        let write = |path: &Path| File::create(path)?.write_all(text.as_bytes());
        write(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// On a terminal: how far it is.
fn tell(at: usize, of: usize) {
    let mut out = std::io::stderr().lock();
    if of > 1 && out.is_terminal() {
        let text = if at == of { "\r\x1b[K".to_owned() } else { format!("\rchecking {at} of {of}\x1b[K") };
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kickstarts_have_the_versions_of_their_tool() {
        for (release, version) in [("7", "RHEL7"), ("9.4", "RHEL9"), ("10", "RHEL10"), ("40", "F40")] {
            assert_eq!(kickstart(release), version);
        }
    }
}
