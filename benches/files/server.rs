//! A server under test on the same folder of files: ours, or nginx with all that makes it fast.

use crate::Lab;
use crate::net::{MACHINES_SERVER, SERVER};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Nginx,
}

impl Kind {
    pub const BOTH: [Kind; 2] = [Kind::Ours, Kind::Nginx];
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::Ours => "kickstand",
            Kind::Nginx => "nginx",
        })
    }
}

pub struct Server {
    process: Child,
    log: PathBuf,
    pub folder: PathBuf,
}

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);

impl Server {
    /// Starts it, and returns when it answers.
    pub fn start(lab: &Lab, kind: Kind) -> Result<Server> {
        Server::start_with(lab, kind, None)
    }

    /// The same with a copy of this folder, where the database and its key are.
    pub fn start_with(lab: &Lab, kind: Kind, stock: Option<&Path>) -> Result<Server> {
        let folder = lab.folder.join(kind.to_string());
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        for file in stock.map(fs::read_dir).transpose()?.into_iter().flatten() {
            let file = file?;
            if file.file_type()?.is_file() {
                fs::copy(file.path(), folder.join(file.file_name()))?;
            }
        }
        let mut command = match kind {
            Kind::Ours => ours(lab, &folder)?,
            Kind::Nginx => nginx(lab, &folder)?,
        };
        let path = folder.join("log");
        let log = fs::File::create(&path)?;
        let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().with_context(|| format!("cannot start {kind}"))?;
        let mut server = Server { process, log: path, folder };
        let end = Instant::now() + PATIENCE;
        while !crate::client::answers(lab)? {
            if server.process.try_wait()?.is_some() || Instant::now() > end {
                bail!("{kind} does not answer: {}", fs::read_to_string(&server.log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The processor time of it and its workers, in user space and in the kernel.
    pub fn cpu(&self) -> Result<Duration> {
        let mut ticks = 0;
        for pid in self.processes()? {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            // The name may hold anything; behind it come the state and ten more fields before these two.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            ticks += fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SEC))
    }

    /// The memory that it occupies, in MB.
    pub fn rss_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        let kb: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kb * 1024.0 / 1e6)
    }

    fn processes(&self) -> Result<Vec<u32>> {
        let own = self.process.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"))?;
        Ok(std::iter::once(own).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect())
    }
}

/// USER_HZ: what Linux counts in on every architecture that we run on.
const TICKS_PER_SEC: u64 = 100;

impl Drop for Server {
    /// nginx ends its workers itself when it is asked to end.
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let end = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ours(lab: &Lab, folder: &Path) -> Result<Command> {
    let settings = format!(
        "[database]\nurl = \"sqlite://{0}/kickstand.db\"\n[server]\nfiles = \"{1}\"\nsocket = \"{0}/kickstand.sock\"\n\
         listen = [\"{SERVER}\", \"{MACHINES_SERVER}\"]\n[dhcp]\nserve = false\n[log]\nlevel = \"warn\"\n",
        folder.display(),
        lab.folder.join("files").display(),
    );
    let path = folder.join("kickstand.toml");
    fs::write(&path, settings)?;
    let mut command = lab.net.beside_server(env!("CARGO_BIN_EXE_kickstand"));
    command.args(["serve", "--config"]).arg(path);
    Ok(command)
}

fn nginx(lab: &Lab, folder: &Path) -> Result<Command> {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};", folder.display()))
        .join("\n");
    let settings = format!(
        "user root;\nworker_processes 2;\ndaemon off;\nerror_log stderr warn;\npid {0}/pid;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\nsendfile on;\ntcp_nopush on;\naccess_log off;\nkeepalive_requests 1000000;\nopen_file_cache off;\n\
         {temporary}\nserver {{ listen {SERVER}:80; listen {MACHINES_SERVER}:80; root {1}; \
         location /answer/ {{ rewrite ^ /answer/same break; }} }}\n}}\n",
        folder.display(),
        lab.folder.display(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, settings)?;
    let mut command = lab.net.beside_server("nginx");
    command.arg("-c").arg(path);
    Ok(command)
}
