//! The appliance on loopback and high ports in a temporary folder, and a machine that boots as firmware does.

mod client;
mod fake;
mod log;

pub use client::{Answer, Conversation, get, post, request};
pub use fake::{Booted, CREDENTIAL, FakeMachine, Installer, Rom, key};
pub use log::{at_trace, logged};

use kickstand::config::{Config, Dhcp, Https, Secrets};
use kickstand::daemon::{self, Running};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Each appliance has a network of its own below 127.0.0.0/8, whose addresses anybody may bind.
static NEXT: AtomicU8 = AtomicU8::new(1);

pub struct Appliance {
    pub folder: TempDir,
    pub config: Config,
    pub running: Option<Running>,
    /// The third byte of its network.
    number: u8,
}

impl Appliance {
    /// A server with the network `lab`, whose range .10 to .50 names profile `web`.
    pub async fn start() -> Appliance {
        Appliance::start_with(|_| {}).await
    }

    /// The same, with settings of its own.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Appliance {
        let appliance = Appliance::with(change).await;
        appliance.furnish().await;
        appliance
    }

    /// Makes the network and all that a machine of it installs.
    pub async fn furnish(&self) {
        let (appliance, lab) = (self, self.network_cidr());
        appliance.cli(&["network", "add", "lab", "--cidr", &lab, "--pool", &appliance.span(100, 110)]).await;
        appliance.cli(&["key", "add", "web", "--limit", "5"]).await;
        let distro =
            ["distro", "add", "debian-12", "--family", "image", "--kernel", "d/vmlinuz", "--initrd", "d/initrd.img"];
        let files = ["--var", "live=d/live.squashfs", "--var", "image=d/root.tar.zst"];
        appliance.cli(&[&distro[..], &files[..]].concat()).await;
        appliance.cli(&["profile", "add", "web", "--distro", "debian-12", "--key", "web"]).await;
        appliance.cli(&["range", "add", "web-rack", &appliance.span(10, 50), "--profile", "web"]).await;
    }

    /// A server that knows nothing yet.
    pub async fn empty() -> Appliance {
        Appliance::with_database(None).await
    }

    /// A server that shares a database with others; without one it has a file of its own.
    pub async fn with_database(url: Option<&str>) -> Appliance {
        Appliance::with(|config| config.database = url.map_or_else(|| config.database.clone(), str::to_owned)).await
    }

    /// A server that knows nothing yet, with settings of its own.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Appliance {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (file, size) in
            [("d/vmlinuz", 70_000), ("d/initrd.img", 90_000), ("d/live.squashfs", 10), ("d/root.tar.zst", 10)]
        {
            let file = path("files").join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, pattern(size)).unwrap();
        }
        std::fs::create_dir(path("loaders")).unwrap();
        for (file, size) in [("undionly.kpxe", 66_000), ("snponly.efi", 131_072)] {
            std::fs::write(path("loaders").join(file), pattern(size)).unwrap();
        }
        let ip = Ipv4Addr::new(127, 77, number, 1);
        let mut config = Config {
            database: format!("sqlite://{}", path("kickstand.db").display()),
            files: path("files"),
            loaders: vec![path("loaders")],
            templates: path("etc"),
            socket: path("kickstand.sock"),
            dhcp: Dhcp { port: 0, address: Some(SocketAddr::from((ip, 0))), ..Config::default().dhcp },
            tftp_port: 0,
            http_port: 0,
            listen: vec![],
            // Machines that boot here speak plain HTTP: what comes by HTTPS is in pinned.rs.
            https: Https { serve: false, ..Https::default() },
            secrets: Secrets { key_file: Some(path("secret.key")) },
            ..Config::default()
        };
        change(&mut config);
        let running = Some(daemon::start(config.clone()).await.unwrap());
        Appliance { folder, config, running, number }
    }

    /// Stops it and starts it again on the same files.
    pub async fn restart(&mut self) {
        self.running.take().unwrap().stop().await;
        self.running = Some(daemon::start(self.config.clone()).await.unwrap());
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn ip(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 77, self.number, last)
    }

    pub fn network_cidr(&self) -> String {
        format!("{}/24", self.ip(0))
    }

    pub fn span(&self, first: u8, last: u8) -> String {
        format!("{}-{}", self.ip(first), self.ip(last))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running().http[0])
    }

    pub fn machine(&self, last: u8) -> FakeMachine {
        FakeMachine::new(self, format!("52:54:00:77:00:{last:02x}").parse().unwrap(), Rom::Bios)
    }

    /// Adds machine NAME with the MAC …:LAST and the address .LAST.
    pub async fn add_machine(&self, name: &str, last: u8) -> FakeMachine {
        let machine = self.machine(last);
        self.cli(&["machine", "add", name, "--mac", &machine.mac.to_string(), "--ip", &self.ip(last).to_string()])
            .await;
        machine
    }

    /// Runs the command line as an operator does; it must succeed.
    pub async fn cli(&self, args: &[&str]) -> String {
        let output = self.try_cli(args).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kickstand {}: {error}", args.join(" "));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the command line; it must be refused. What it says.
    pub async fn refused(&self, args: &[&str]) -> String {
        let output = self.try_cli(args).await;
        assert!(!output.status.success(), "kickstand {} was not refused", args.join(" "));
        String::from_utf8(output.stderr).unwrap()
    }

    pub async fn try_cli(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kickstand"));
        command.arg("--socket").arg(&self.config.socket).args(args).env_remove("KICKSTAND_SERVER");
        tokio::time::timeout(Duration::from_secs(20), command.output()).await.expect("the command line ends").unwrap()
    }

    pub async fn json(&self, args: &[&str]) -> Value {
        let text = self.cli(&[&["--output", "json"], args].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
    }

    pub async fn state(&self, name: &str) -> String {
        self.json(&["machine", "show", name]).await["state"].as_str().unwrap().to_owned()
    }

    /// Whether some event of this kind says this, now or a few commits later.
    pub async fn told(&self, kind: &str, text: &str) -> bool {
        for _ in 0..20 {
            let events = self.json(&["events", "--limit", "500"]).await;
            let said = |e: &Value| e["kind"] == kind && e["text"].as_str().is_some_and(|said| said.contains(text));
            if events.as_array().unwrap().iter().any(said) {
                return true;
            }
        }
        false
    }

    pub fn template(&self, name: &str) -> PathBuf {
        let path = self.config.templates.join("templates").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}

/// Bytes that differ from place to place, so that a block in the wrong place shows.
pub fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i % 251) as u8 ^ (i / 251) as u8).collect()
}
