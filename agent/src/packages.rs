//! Installs what the activation keys bring, by the host's own package manager.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::wire::PackagesOutcome;

/// A package manager, and how it installs without asking anybody.
struct Manager {
    program: &'static str,
    /// Brings its lists up to date first, where it does not do so by itself.
    refresh: Option<&'static [&'static str]>,
    install: &'static [&'static str],
}

/// The first one that is there is the host's own: dnf before yum, which is dnf by another name where both are.
const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        refresh: Some(&["-q", "update"]),
        install: &["-q", "-y", "-o", "Dpkg::Options::=--force-confold", "install"],
    },
    Manager { program: "dnf", refresh: None, install: &["-q", "-y", "install"] },
    Manager { program: "yum", refresh: None, install: &["-q", "-y", "install"] },
    Manager { program: "zypper", refresh: None, install: &["--non-interactive", "--quiet", "install"] },
    Manager { program: "apk", refresh: None, install: &["--quiet", "--update-cache", "add"] },
];

/// How much of what a manager said is told.
const SAID_BYTES: usize = 600;

/// Where programs are looked for.
pub fn folders() -> Vec<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from).to_vec()
}

/// Installs them all at once; what is there already stays as it is. A failure is told and no more: the system is registered.
pub fn install(packages: &[String], folders: &[PathBuf]) -> PackagesOutcome {
    let wanted = packages.to_vec();
    let failed = |error: String| PackagesOutcome { wanted: packages.to_vec(), error };
    // The server lets no others through; who stands between it and us does not choose what root runs.
    if let Some(bad) = packages.iter().find(|name| !is_name(name)) {
        return failed(format!("{bad:?} is no package's name: nothing was installed"));
    }
    let find = |manager: &'static Manager| {
        let place = folders.iter().map(|folder| folder.join(manager.program)).find(|path| path.exists())?;
        Some((manager, place))
    };
    let Some((manager, program)) = MANAGERS.iter().find_map(find) else {
        let known: Vec<_> = MANAGERS.iter().map(|manager| manager.program).collect();
        return failed(format!("no package manager is here ({}): nothing was installed", known.join(", ")));
    };
    if let Some(refresh) = manager.refresh {
        // With old lists it may do all the same: only the install's word counts.
        let _ = run(&program, refresh, &[]);
    }
    match run(&program, manager.install, packages) {
        Ok(()) => PackagesOutcome { wanted, error: String::new() },
        Err(said) => failed(format!("{} failed: {said}", manager.program)),
    }
}

fn run(program: &Path, options: &[&str], packages: &[String]) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(options);
    if !packages.is_empty() {
        command.arg("--").args(packages);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).join("\n");
    let from = said.char_indices().rev().nth(SAID_BYTES).map_or(0, |(place, _)| place);
    Err(format!("{}: {}", output.status, said[from..].trim()))
}

/// As the server has it: `tests/naughty.rs` compares the two.
pub fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let all = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+:".contains(c));
    first && all && name.len() <= 128 && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A host with these programs, each a shell script. Another process writes them: a child that another test starts
    /// meanwhile would hold our open file, and what is open for writing can not be started.
    fn host(programs: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, body) in programs {
            let text = folder.path().join("text");
            fs::write(&text, format!("#!/bin/sh\ncd {}\n{body}\n", folder.path().display())).unwrap();
            let status = Command::new("install").arg("--mode=755").args([&text, &folder.path().join(name)]).status();
            assert!(status.unwrap().success());
        }
        folder
    }

    fn on(host: &tempfile::TempDir, packages: &[&str]) -> PackagesOutcome {
        install(&packages.iter().map(|name| name.to_string()).collect::<Vec<_>>(), &[host.path().to_owned()])
    }

    #[test]
    fn the_hosts_own_manager_installs_them_and_asks_nobody() {
        for (program, expected) in [
            ("apt-get", "-q update\n-q -y -o Dpkg::Options::=--force-confold install -- vim g++\n"),
            ("dnf", "-q -y install -- vim g++\n"),
            ("yum", "-q -y install -- vim g++\n"),
            ("zypper", "--non-interactive --quiet install -- vim g++\n"),
            ("apk", "--quiet --update-cache add -- vim g++\n"),
        ] {
            let host = host(&[(program, "echo \"$@\" >>said")]);
            assert_eq!(on(&host, &["vim", "g++"]).error, "");
            assert_eq!(fs::read_to_string(host.path().join("said")).unwrap(), expected);
        }
    }

    #[test]
    fn a_failure_is_told_with_the_managers_last_words() {
        let host = host(&[("dnf", "echo No match for argument: vimm >&2; exit 1")]);
        let outcome = on(&host, &["vimm"]);
        assert!(outcome.error.contains("dnf failed") && outcome.error.contains("No match for argument"), "{outcome:?}");
    }

    #[test]
    fn where_no_manager_is_nothing_is_installed_and_that_is_said() {
        let outcome = on(&host(&[]), &["vim"]);
        assert!(outcome.error.contains("no package manager"), "{outcome:?}");
    }

    #[test]
    fn what_is_no_name_never_reaches_a_manager() {
        for bad in ["-y", "vim-", "$(reboot)", "a b", "../x.rpm", "", "http://x/y.rpm"] {
            let host = host(&[("apt-get", "touch ran")]);
            assert!(on(&host, &["vim", bad]).error.contains("nothing was installed"));
            assert!(!host.path().join("ran").exists(), "{bad}");
        }
    }
}
