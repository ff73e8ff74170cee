//! A server under test: one process and its end.

use crate::net::{CIDR, SERVER};
use crate::place::Place;
use crate::{LARGE, Lab, SMALL};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Hpa,
    Bare,
    /// The same for a crowd, of small files.
    BareMany,
    /// The crate async-tftp.
    AsyncTftp,
}

pub struct Server {
    process: Child,
}

impl Server {
    pub fn start(lab: &Lab, kind: Kind, place: Place) -> Result<Server> {
        let folder = lab.folder.join(format!("{kind:?}").to_lowercase());
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let mut command = match kind {
            Kind::Ours => ours(lab, &folder)?,
            Kind::Hpa => hpa(lab),
            Kind::Bare => own(lab, "bare", &lab.files().join(LARGE))?,
            Kind::BareMany => own(lab, "bare-many", &lab.files().join(SMALL))?,
            Kind::AsyncTftp => own(lab, "async-tftp", &lab.files())?,
        };
        let log = fs::File::create(folder.join("log"))?;
        let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = place.server(|| command.spawn().with_context(|| format!("cannot start {kind:?}")))?;
        let server = Server { process };
        if kind == Kind::Ours {
            add_network(&folder)?;
        }
        std::thread::sleep(Duration::from_millis(300));
        Ok(server)
    }

    /// The memory that it occupies, in MB.
    pub fn rss_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kb * 1024.0 / 1e6)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // tftpd-hpa's children go with it.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("kickstand.sock")
}

fn ours(lab: &Lab, folder: &Path) -> Result<Command> {
    let settings = format!(
        "[database]\nurl = \"sqlite://{}\"\n[server]\nsocket = \"{}\"\nloaders = [\"{}\"]\nlisten = [\"{SERVER}\"]\n[dhcp]\nserve = false\n[log]\nlevel = \"warn\"\n",
        folder.join("kickstand.db").display(),
        socket(folder).display(),
        lab.files().display(),
    );
    let path = folder.join("kickstand.toml");
    fs::write(&path, settings)?;
    let mut command = lab.net.beside_server(env!("CARGO_BIN_EXE_kickstand"));
    command.args(["serve", "--config"]).arg(path);
    Ok(command)
}

/// Files are for clients of a network that is known.
fn add_network(folder: &Path) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
        command.arg("--socket").arg(socket(folder)).args(["network", "add", "bench", "--cidr", CIDR]);
        match crate::run(command.env_remove("KICKSTAND_SERVER")) {
            Ok(_) => return Ok(()),
            Err(error) => ensure!(Instant::now() < end, "{error:#}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn hpa(lab: &Lab) -> Command {
    let mut command = lab.net.beside_server("in.tftpd");
    command.args(["--foreground", "--user", "root", "--address", &format!("{SERVER}:69"), "--secure"]);
    command.arg(lab.files());
    command
}

/// A role of this program.
fn own(lab: &Lab, role: &str, path: &Path) -> Result<Command> {
    let mut command = lab.net.beside_server(std::env::current_exe()?);
    command.args(["role", role]).arg(path);
    Ok(command)
}
