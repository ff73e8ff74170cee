//! A server under test: one process, what it costs, and its end.

use crate::Lab;
use crate::stock::{self, Stock};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Kea,
    /// Decides nothing and remembers nothing: what clients, kernel and machine allow here.
    Responder,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::Ours => "kickstand",
            Kind::Kea => "kea",
            Kind::Responder => "responder",
        })
    }
}

pub struct Server {
    pub kind: Kind,
    /// Its settings, its data and its log.
    pub folder: PathBuf,
    process: Child,
}

/// A server that is about to start.
pub struct Prepared {
    kind: Kind,
    folder: PathBuf,
    command: Command,
}

impl Prepared {
    pub fn launch(mut self) -> Result<Server> {
        let log = fs::File::create(self.folder.join("log"))?;
        let command = self.command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().with_context(|| format!("cannot start {}", self.kind))?;
        Ok(Server { kind: self.kind, folder: self.folder, process })
    }
}

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(120);

impl Server {
    /// Starts it with its stock, and returns when it answers.
    pub fn start(lab: &Lab, kind: Kind, stock: Stock) -> Result<Server> {
        let mut server = Server::launch(lab, kind, stock)?;
        let first = crate::client::first_offer(lab, stock::machine(0).1, PATIENCE)?;
        if first.wait().is_err() {
            bail!("{kind} does not answer: {}", server.last_words());
        }
        server.check()?;
        Ok(server)
    }

    /// Starts it, and returns at once.
    pub fn launch(lab: &Lab, kind: Kind, stock: Stock) -> Result<Server> {
        Server::prepare(lab, kind, stock)?.launch()
    }

    /// Writes everything that it reads when it starts.
    pub fn prepare(lab: &Lab, kind: Kind, stock: Stock) -> Result<Prepared> {
        let folder = lab.folder.join(kind.to_string());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let command = match kind {
            Kind::Ours => crate::ours::command(lab, &folder, stock)?,
            Kind::Kea => crate::kea::command(lab, &folder, stock)?,
            Kind::Responder => crate::responder::command(lab)?,
        };
        Ok(Prepared { kind, folder, command })
    }

    /// Fails when it has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}): {}", self.kind, self.last_words()),
        }
    }

    /// The processor time that it has used, in user space and in the kernel.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name may hold anything; behind it come the state and ten more fields before these two.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SEC))
    }

    /// The memory that it occupies, in MB.
    pub fn rss_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kb * 1024.0 / 1e6)
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }
}

/// USER_HZ: what Linux counts in on every architecture that we run on.
const TICKS_PER_SEC: u64 = 100;

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
