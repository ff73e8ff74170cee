//! ESXi's kickstart and boot.cfg, as VMware's installer and mboot read them.

use super::{Fault, kickstart, lines, shell, without_nul};
use crate::model::Variables;

const COMMANDS: &[&str] = &[
    "accepteula",
    "vmaccepteula",
    "clearpart",
    "dryrun",
    "include",
    "install",
    "installorupgrade",
    "keyboard",
    "network",
    "paranoid",
    "part",
    "partition",
    "reboot",
    "rootpw",
    "serialnum",
    "upgrade",
    "vmserialnum",
];

/// Without one of each the installer asks.
const NEEDED: &[(&[&str], &str)] = &[
    (&["vmaccepteula", "accepteula"], "vmaccepteula is missing: the installer waits for somebody to accept"),
    (&["rootpw"], "rootpw is missing: the installer asks for a password"),
    (&["install", "installorupgrade", "upgrade"], "install is missing: the installer asks for a disk"),
];

const SECTIONS: &[&str] = &["%pre", "%post", "%firstboot"];

pub fn check(file: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    match file {
        "boot.cfg" => boot_cfg(text),
        _ => ks_cfg(text),
    }
}

/// Its sections have no end but the next one.
fn ks_cfg(text: &str) -> Result<(), Fault> {
    let mut seen: Vec<&str> = Vec::new();
    let mut section: Option<(usize, bool, String)> = None;
    for (number, line) in lines(text) {
        let first = line.split_whitespace().next().unwrap_or_default();
        if first.starts_with('%') && first != "%include" {
            if !SECTIONS.contains(&first) {
                return Err(Fault::new(number, format!("there is no section {first}: one of {}", SECTIONS.join(", "))));
            }
            section.take().map_or(Ok(()), script)?;
            section = Some((number.saturating_add(1), !line.contains("python"), String::new()));
            continue;
        }
        match &mut section {
            Some((.., body)) => {
                body.push_str(line);
                body.push('\n');
            }
            None if first.is_empty() || first.starts_with('#') || first == "%include" => {}
            None if !COMMANDS.contains(&first) => {
                return Err(Fault::new(number, format!("{first:?} is no command of ESXi's installer")));
            }
            None if !kickstart::quotes_are_whole(line) => return Err(Fault::new(number, "a quote is not closed")),
            None => seen.push(first),
        }
    }
    section.map_or(Ok(()), script)?;
    match NEEDED.iter().find(|(names, _)| !names.iter().any(|name| seen.contains(name))) {
        Some((_, text)) => Err(Fault::new(1, *text)),
        None => Ok(()),
    }
}

fn script((line, is_shell, body): (usize, bool, String)) -> Result<(), Fault> {
    match is_shell {
        true => shell::whole(&body).map_err(|fault| fault.below(line)),
        false => Ok(()),
    }
}

fn boot_cfg(text: &str) -> Result<(), Fault> {
    let mut seen: Vec<&str> = Vec::new();
    for (number, line) in lines(text).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let (name, _) = line.split_once('=').ok_or_else(|| Fault::new(number, "boot.cfg has lines of name=value"))?;
        seen.push(name);
    }
    match ["kernel", "modules", "kernelopt"].iter().find(|name| !seen.contains(name)) {
        Some(name) => Err(Fault::new(1, format!("boot.cfg has no {name}="))),
        None => Ok(()),
    }
}
