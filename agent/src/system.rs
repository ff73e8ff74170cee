//! The system that the agent runs on: its files and its programs, elsewhere in tests.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::register::Places;

pub struct System {
    /// `/`, another folder in tests.
    pub root: PathBuf,
    /// Where programs are looked for.
    pub path: OsString,
    pub is_root: bool,
    pub places: Places,
}

/// Where distributions keep what only root runs: a service's PATH may lack it.
const FOLDERS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl System {
    /// This one.
    pub fn own() -> System {
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        path.push(if path.is_empty() { "" } else { ":" });
        path.push(FOLDERS);
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        System { root: "/".into(), path, is_root, places: Places::default() }
    }

    /// `path` without its first slash, below the root.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    pub fn line(&self, path: &str) -> String {
        self.text(path).lines().next().unwrap_or_default().trim().to_owned()
    }

    pub fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let is_program =
            |path: &PathBuf| fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
        std::env::split_paths(&self.path).map(|folder| folder.join(name)).find(is_program)
    }

    /// The first of these that is there: distributions name the same program differently.
    pub fn one_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().find(|name| self.program(name).is_some()).copied()
    }

    /// Runs a program to its end: what it said, or in one sentence why it failed.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        let program = self.program(name).ok_or_else(|| format!("there is no program {name}"))?;
        let output = Command::new(program).args(arguments).env("LC_ALL", "C").output();
        let output = output.map_err(|cause| format!("cannot run {name}: {cause}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        let said: String = said.chars().take(300).collect();
        Err(format!("{name}: {}", if said.is_empty() { output.status.to_string() } else { said }))
    }

    /// Of the running kernel: another one after each boot.
    pub fn boot_id(&self) -> String {
        self.line("/proc/sys/kernel/random/boot_id")
    }

    pub fn up_secs(&self) -> u32 {
        self.line("/proc/uptime").split(['.', ' ']).next().and_then(|secs| secs.parse().ok()).unwrap_or(0)
    }

    pub fn has_systemd(&self) -> bool {
        self.has("/run/systemd/system")
    }

    pub fn is_efi(&self) -> bool {
        self.has("/sys/firmware/efi")
    }

    /// Whether the firmware starts only what is signed: the variable's first four bytes are its attributes.
    pub fn is_secure(&self) -> bool {
        let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        fs::read(self.at(variable)).is_ok_and(|bytes| bytes.get(4) == Some(&1))
    }

    /// What /proc/meminfo says behind this name.
    pub fn memory_bytes(&self, name: &str) -> u64 {
        let text = self.text("/proc/meminfo");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024)
    }

    /// How much of the file system that holds this folder, or will, is free.
    pub fn free_bytes(&self, folder: &Path) -> Result<u64, String> {
        let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let said = self.run("df", &["-P", "-k", &there.display().to_string()])?;
        let free =
            said.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)).and_then(|kb| kb.parse::<u64>().ok());
        free.map(|kb| kb.saturating_mul(1024))
            .ok_or_else(|| format!("df does not say what is free in {}", there.display()))
    }
}
