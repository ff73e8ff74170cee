//! Ubuntu's autoinstall files and what stands beside them, as cloud-init and Subiquity read them.

use super::tree::{self, Node};
use super::{Fault, shell, unpacked, without_nul};
use crate::model::Variables;

/// Subiquity's keys.
const KEYS: &[&str] = &[
    "active-directory",
    "apt",
    "autoinstall",
    "codecs",
    "debconf-selections",
    "drivers",
    "early-commands",
    "error-commands",
    "identity",
    "interactive-sections",
    "kernel",
    "kernel-crash-dumps",
    "keyboard",
    "late-commands",
    "locale",
    "network",
    "oem",
    "packages",
    "proxy",
    "refresh-installer",
    "reporting",
    "shutdown",
    "snaps",
    "source",
    "ssh",
    "storage",
    "timezone",
    "ubuntu-pro",
    "updates",
    "user-data",
    "version",
    "zdevs",
];

const COMMANDS: &[&str] = &["early-commands", "late-commands", "error-commands"];

pub fn check(file: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    let root = match file {
        // It may be empty: nothing is added by the vendor then.
        "vendor-data" if text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) => return Ok(()),
        _ => tree::yaml(text)?,
    };
    root.map(if file.is_empty() { "user-data" } else { file })?;
    match file {
        "meta-data" => root.need("instance-id", "meta-data").map(drop),
        "vendor-data" => Ok(()),
        _ => user_data(text, &root),
    }
}

fn user_data(text: &str, root: &Node) -> Result<(), Fault> {
    if !text.starts_with("#cloud-config") {
        return Err(Fault::new(1, "cloud-init knows it by its first line: #cloud-config"));
    }
    let auto = root.need("autoinstall", "user-data")?.map("autoinstall")?;
    let version = auto.need("version", "autoinstall")?;
    if !version.is_plain("1") {
        return Err(Fault::new(version.line, "autoinstall has version: 1, a number, and no other"));
    }
    auto.only(KEYS, "autoinstall")?;
    if auto.get("identity").is_none() && auto.get("user-data").is_none() {
        return Err(Fault::new(
            auto.line,
            "autoinstall needs identity or user-data: without either it asks for a user",
        ));
    }
    for key in COMMANDS {
        auto.get(key).map_or(Ok(()), |list| commands(list, key))?;
    }
    for key in ["packages", "snaps", "interactive-sections"] {
        auto.get(key).map_or(Ok(()), |value| value.list(key).map(drop))?;
    }
    auto.get("network").map_or(Ok(()), network)
}

/// A command is a line of shell, or a list of words of which the last is one behind `sh -c`.
fn commands(list: &Node, key: &str) -> Result<(), Fault> {
    for command in list.list(key)? {
        let line = match command.items() {
            [] => command,
            [shell, flag, line] if shell.text() == Some("sh") && flag.text() == Some("-c") => line,
            words => {
                words.iter().try_for_each(|word| scalar(word, key).map(drop))?;
                continue;
            }
        };
        let text = scalar(line, key)?;
        shell::whole(text).map_err(|fault| fault.inside(line.line, key))?;
        let packed = text.split_whitespace().filter(|word| word.len() > 200).filter_map(unpacked);
        for script in packed {
            shell::whole(&script).map_err(|fault| fault.inside(line.line, &format!("the script of {key}")))?;
        }
    }
    Ok(())
}

fn scalar<'a>(node: &'a Node, place: &str) -> Result<&'a str, Fault> {
    node.text().ok_or_else(|| Fault::new(node.line, format!("{place} holds lines, or lists of words")))
}

/// netplan's own shape; some of it may stand below another `network`.
fn network(node: &Node) -> Result<(), Fault> {
    let node = node.map("network")?.get("network").unwrap_or(node);
    let version = node.need("version", "network")?;
    if !version.is_plain("2") {
        return Err(Fault::new(version.line, "network has version: 2, as netplan does"));
    }
    node.only(&["version", "renderer", "ethernets", "bonds", "vlans", "bridges", "wifis"], "network")
}
