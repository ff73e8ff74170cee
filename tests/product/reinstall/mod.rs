//! A running system checks in and installs itself anew: the true agent, with programs that only note what they are told.

mod ways;
mod wishes;

use crate::program::program;
use crate::rig::{Answer, Appliance, Booted, CREDENTIAL, FakeMachine, get, key, pattern, post};
use kickstand_agent::kit::Kit;
use kickstand_agent::register::Places;
use kickstand_agent::reinstall::{Error, Options, Way};
use kickstand_agent::retry::Patience;
use kickstand_agent::system::System;
use kickstand_agent::{check_in, kit, reinstall, timer};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const BRIEF: Patience = Patience {
    total: Duration::from_millis(300),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_millis(50),
};
const MAC: &str = "52:54:00:77:00:0a";
const FIRST: &str = "11111111-2222-4333-8444-000000000001";
const SECOND: &str = "11111111-2222-4333-8444-000000000002";
/// The agent has no address of its own choice on loopback.
const AGENT: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A program that notes how it was called, and fails where somebody wrote down what it says then.
const PROGRAM: &str = r#"#!/bin/sh
name=${0##*/}
here=${0%/*}/..
printf '%s\n' "$name $*" >>"$here/log"
if [ -e "$here/$name.fails" ]; then cat "$here/$name.fails" >&2; exit 1; fi
[ ! -e "$here/$name.says" ] || cat "$here/$name.says"
"#;

/// A system that runs: its files, its programs, and what they were told.
struct Running {
    folder: TempDir,
}

impl Running {
    fn registered(server: &str) -> Running {
        let running = Running { folder: tempfile::tempdir().unwrap() };
        let credential = CREDENTIAL.repeat(32);
        for (path, text) in [
            ("etc/kickstand/agent.json", format!(r#"{{"server":"{server}"}}"#)),
            (
                "var/lib/kickstand/identity.json",
                json!({"system_id": "s", "name": "web-1", "credential": credential}).to_string(),
            ),
            ("proc/sys/kernel/random/boot_id", FIRST.into()),
            ("proc/uptime", "90061.5 100.0".into()),
            ("proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\n".into()),
            ("proc/mounts", "/dev/vda3 / ext4 rw 0 0\n/dev/vda2 /boot/efi vfat rw 0 0\n".into()),
            ("proc/cmdline", "root=UUID=1 console=ttyS0".into()),
            ("proc/sys/kernel/kexec_load_disabled", "0".into()),
            ("sys/kernel/kexec_loaded", "0".into()),
            ("sys/class/net/eth0/address", MAC.into()),
            ("run/systemd/system/there", String::new()),
            ("boot/grub/grub.cfg", "next_entry … custom.cfg".into()),
            ("ip.says", format!("1: eth0    inet {AGENT}/24 brd 127.0.0.255 scope global eth0\n")),
            ("df.says", "Filesystem 1K Used Available\n/dev/vda3 1 1 900000 1% /\n".into()),
            ("grub-mkrelpath.says", "/boot/kickstand/file\n".into()),
        ] {
            running.write(path, &text);
        }
        for name in [
            "ip",
            "df",
            "kexec",
            "systemctl",
            "grub-reboot",
            "grub-probe",
            "grub-mkrelpath",
            "grub-editenv",
            "efibootmgr",
        ] {
            running.program(name, PROGRAM);
        }
        // One program is asked two things.
        running.program(
            "grub-probe",
            &format!("{PROGRAM}case $1 in --target=fs) echo ext2 ;; --target=fs_uuid) echo abcd ;; esac\n"),
        );
        running
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn program(&self, name: &str, text: &str) {
        program(&self.path(&format!("bin/{name}")), text);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// What the programs were told since the last time.
    fn log(&self) -> String {
        let log = self.text("log");
        let _ = std::fs::remove_file(self.path("log"));
        log.replace(&self.folder.path().display().to_string(), "")
    }

    fn system(&self) -> System {
        let places = Places {
            settings: self.path("etc/kickstand/agent.json"),
            identity: self.path("var/lib/kickstand/identity.json"),
            ..Places::below(self.folder.path())
        };
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        System { root: self.folder.path().to_owned(), path: path.into(), is_root: true, places }
    }

    async fn reinstalls(&self, options: Options) -> Result<String, Error> {
        let system = self.system();
        tokio::task::spawn_blocking(move || reinstall::run(BRIEF, &system, &options)).await.unwrap()
    }

    async fn checks_in(&self) -> Result<String, check_in::Error> {
        let system = self.system();
        tokio::task::spawn_blocking(move || check_in::run(BRIEF, &system)).await.unwrap()
    }

    /// Nothing of ours is there.
    fn is_untouched(&self) -> bool {
        let left = [
            "var/lib/kickstand/reinstall",
            "var/lib/kickstand/reinstall.json",
            "boot/kickstand",
            "boot/grub/custom.cfg",
        ];
        left.iter().all(|path| !self.path(path).exists())
    }
}

fn now() -> Options {
    Options { now: true, ..Options::default() }
}

fn by(way: Way) -> Options {
    Options { way: Some(way), ..now() }
}

/// An appliance whose machine web-1 is installed and registered, and its running system.
async fn scene() -> (Appliance, FakeMachine, Running) {
    let appliance = Appliance::start().await;
    appliance.cli(&["network", "add", "loopback", "--cidr", "127.0.0.0/24", "--dhcp", "off"]).await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    assert_eq!(machine.register(&installer, &key).await.status, 200);
    let running = Running::registered(&appliance.url(""));
    (appliance, machine, running)
}

async fn ask(appliance: &Appliance, path: &str, body: Value) -> Answer {
    let bearer = format!("Authorization: Bearer {}\r\n", CREDENTIAL.repeat(32));
    post(AGENT, &appliance.url(path), &bearer, &body).await
}

fn wanted() -> Value {
    json!({"boot_id": FIRST, "mac": MAC})
}
