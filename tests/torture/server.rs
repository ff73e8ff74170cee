//! A real `kickstand serve` with a folder of its own: started, asked, killed.

use kickstand::model::{Mac, Time};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Loopback's second byte for this process, so that two runs on one host do not meet.
pub fn block() -> u8 {
    (std::process::id() % 100) as u8 + 100
}

pub const DHCP_PORT: u16 = 6767;

/// A folder on a real disk, which stays for whoever looks into a failure.
pub struct Folder(Option<TempDir>);

impl Folder {
    pub fn new() -> Folder {
        Folder(Some(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().expect("not dropped yet").path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let kept = self.0.take().filter(|_| std::thread::panicking()).map(TempDir::keep);
        kept.iter().for_each(|kept| eprintln!("see {}", kept.display()));
    }
}

/// A lease as the server shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub mac: Mac,
    pub ip: Ipv4Addr,
    /// Microseconds since 1970.
    pub until: i64,
}

pub struct Server {
    pub folder: PathBuf,
    pub dhcp: SocketAddr,
    pub http: SocketAddr,
    /// What stands before `kickstand serve`, such as strace.
    pub before: Vec<String>,
    child: Option<Child>,
    pub started: Instant,
}

impl Server {
    /// On loopback at this address, where answers go back to whoever asked; not started yet.
    pub fn on_loopback(folder: &Path, ip: Ipv4Addr, database: Option<&str>) -> Server {
        let sqlite = format!("sqlite://{}/kickstand.db", folder.display());
        let doors = format!(
            "[dhcp]\naddress = \"{ip}\"\nport = {DHCP_PORT}\n[tftp]\nport = 6969\n[http]\nport = 8080\n[https]\nport = 8443\n"
        );
        let mut server = Server::lay(folder, database.unwrap_or(&sqlite), &doors);
        (server.dhcp, server.http) = ((ip, DHCP_PORT).into(), (ip, 8080).into());
        server
    }

    /// With these settings of its doors.
    pub fn lay(folder: &Path, database: &str, doors: &str) -> Server {
        let at = folder.display();
        ["files/agent", "etc", "loaders"].iter().for_each(|name| std::fs::create_dir_all(folder.join(name)).unwrap());
        std::fs::write(folder.join("loaders/undionly.kpxe"), vec![7; 70_000]).unwrap();
        std::fs::write(folder.join("files/kernel"), vec![9; 50_000]).unwrap();
        std::fs::write(folder.join("files/agent/kickstand-agent"), vec![8; 1000]).unwrap();
        let settings = format!(
            "[database]\nurl = \"{database}\"\n[server]\nfiles = \"{at}/files\"\nloaders = [\"{at}/loaders\"]\n\
             templates = \"{at}/etc\"\nsocket = \"{at}/socket\"\n{doors}\
             [log]\nlevel = \"{}\"\n",
            std::env::var("TORTURE_LOG").unwrap_or_else(|_| "warn".into())
        );
        std::fs::write(folder.join("kickstand.toml"), settings).unwrap();
        let nowhere = (Ipv4Addr::UNSPECIFIED, 0).into();
        let folder = folder.to_owned();
        Server { folder, dhcp: nowhere, http: nowhere, before: vec![], child: None, started: Instant::now() }
    }

    pub fn start(&mut self) {
        let mut words = self.before.clone();
        let config = self.folder.join("kickstand.toml").display().to_string();
        words.extend([env!("CARGO_BIN_EXE_kickstand"), "serve", "--config", &config].map(str::to_owned));
        let log = File::options().create(true).append(true).open(self.folder.join("kickstand.log")).unwrap();
        let mut command = Command::new(&words[0]);
        let child = command.args(&words[1..]).env("RUST_BACKTRACE", "0").stdout(log.try_clone().unwrap()).stderr(log);
        self.started = Instant::now();
        self.child = Some(child.spawn().unwrap());
    }

    /// Until the socket answers.
    pub fn ready(&mut self) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.try_api("GET", "status", &Value::Null).is_none() {
            assert!(!self.has_ended() && Instant::now() < end, "it does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What an out-of-memory killer does, and nearly what a power cut does.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Of its process, or of what stands before it.
    pub fn memory_bytes(&self) -> u64 {
        let child = self.child.as_ref().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it lives");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("kickstand.log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(5000)..]).into_owned()
    }

    /// By the socket. None where nobody listens.
    pub fn try_api(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let mut stream = UnixStream::connect(self.folder.join("socket")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nHost: kickstand\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut body = answer[end + 4..].to_vec();
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            body = unchunked(&body);
        }
        let status = head.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    pub fn api(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, value) = self.try_api(method, path, &body).expect("the server listens");
        assert!(status < 300, "{method} {path}: {status} {value}");
        value
    }

    /// Leases shorter than operators may set, so that nobody has to wait for their end. While it is stopped.
    pub fn shorten_leases(&self, machines_secs: u32, unknown_secs: u32) {
        let dhcp = format!("json_set(dhcp, '$.unknown_lease_secs', {unknown_secs})");
        self.change_file(format!("UPDATE networks SET lease_secs = {machines_secs}, dhcp = {dhcp}"));
    }

    /// What was declined is as good as new: else nothing would be left in the end. While it is stopped.
    pub fn lift_holds(&self) {
        self.change_file("DELETE FROM holds".into());
    }

    fn change_file(&self, statement: String) {
        let url = format!("sqlite://{}/kickstand.db", self.folder.display());
        let written = async {
            let mut db = SqliteConnection::connect(&url).await?;
            sqlx::query(AssertSqlSafe(statement)).execute(&mut db).await?;
            db.close().await
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(written).unwrap();
    }

    pub fn add(&self, noun: &str, record: Value) {
        self.api("POST", noun, record);
    }

    /// Machines in one batch: name, card, address.
    pub fn add_machines(&self, machines: impl Iterator<Item = (String, Mac, Option<Ipv4Addr>)>) {
        let all: Vec<_> = machines
            .map(|(name, mac, ip)| json!({"name": name, "interfaces": [{"mac": mac.to_string(), "ip": ip}]}))
            .collect();
        self.api("POST", "machines/batch", Value::Array(all));
    }

    pub fn leases(&self) -> Vec<Known> {
        let word = |lease: &Value, field: &str| lease[field].as_str().unwrap().to_owned();
        let all = self.api("GET", "leases?limit=10000", Value::Null);
        assert!(all.as_array().is_some_and(|all| all.len() < 10_000), "a page holds them all");
        let read = |lease: &Value| Known {
            mac: word(lease, "mac").parse().unwrap(),
            ip: word(lease, "ip").parse().unwrap(),
            until: word(lease, "ends_at").parse::<Time>().unwrap().0,
        };
        all.as_array().unwrap().iter().map(read).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the end of {}\n{}", self.folder.join("kickstand.log").display(), self.log());
        }
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(size) = size.filter(|size| *size > 0 && rest.len() >= end + 4 + size) else { break };
        body.extend(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}
