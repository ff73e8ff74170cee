//! GRUB: an entry of ours in custom.cfg, which its usual configuration reads, and `grub-reboot`, which chooses it for one boot.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{Jump, TITLE, is_signed};
use crate::reinstall::stage::Staged;
use crate::system::System;

const BEGIN: &str = "### BEGIN kickstand-agent: one reinstallation\n";
const MODE: &str = "# the mode of this file was ";
const END: &str = "### END kickstand-agent\n";
pub const ID: &str = "kickstand-reinstall";

const REBOOT: &[&str] = &["grub-reboot", "grub2-reboot"];
const PROBE: &[&str] = &["grub-probe", "grub2-probe"];
const RELPATH: &[&str] = &["grub-mkrelpath", "grub2-mkrelpath"];
const EDITENV: &[&str] = &["grub-editenv", "grub2-editenv"];

/// Where its configuration and its environment are.
pub fn home(system: &System) -> Option<&'static str> {
    ["/boot/grub", "/boot/grub2"].into_iter().find(|home| system.has(&format!("{home}/grub.cfg")))
}

pub fn lacks(system: &System) -> Option<String> {
    for names in [REBOOT, PROBE, RELPATH, EDITENV] {
        if system.one_of(names).is_none() {
            return Some(format!("{} is not installed", names[0]));
        }
    }
    let Some(home) = home(system) else { return Some("there is no grub.cfg below /boot".into()) };
    let script = system.text(&format!("{home}/grub.cfg"));
    if !script.contains("custom.cfg") {
        return Some(format!("{home}/grub.cfg reads no custom.cfg"));
    }
    once(system, home).err()
}

/// Whether GRUB can forget the choice once it has taken it: otherwise each boot would take it, and nothing would lead back.
pub fn once(system: &System, home: &str) -> Result<(), String> {
    if !system.text(&format!("{home}/grub.cfg")).contains("next_entry") {
        return Err(format!("{home}/grub.cfg knows no entry for one boot"));
    }
    let place = system.at(home).display().to_string();
    let probe = |what: &str| run(system, PROBE, &[what, &place]).map(|said| said.trim().to_owned());
    let (below, kind) = (probe("--target=abstraction")?, probe("--target=fs")?);
    match (below.as_str(), kind.as_str()) {
        ("", "ext2" | "xfs" | "fat") => Ok(()),
        ("", kind) => Err(format!("GRUB writes to no {kind}: it could not forget an entry for one boot")),
        (below, _) => Err(format!("GRUB writes to no {below}: it could not forget an entry for one boot")),
    }
}

pub fn prepare(system: &System, staged: &Staged) -> Result<Jump, String> {
    let home = home(system).ok_or("there is no grub.cfg below /boot")?;
    may_start(system, staged)?;
    let uuid = run(system, PROBE, &["--target=fs_uuid", &system.at("/boot").display().to_string()])?;
    let path = |file: &Path| run(system, RELPATH, &[&file.display().to_string()]).map(|path| path.trim().to_owned());
    let (kernel, initrd) = (path(&staged.kernel)?, path(&staged.initrd)?);
    let line = words(&staged.command_line)?;
    let own = format!("{home}/custom.cfg");
    let entry = format!(
        // A GRUB with a password would ask for it, and nobody is there.
        "{BEGIN}{MODE}{:o}\nmenuentry '{TITLE}' --unrestricted --id {ID} {{\n    search --no-floppy --fs-uuid --set=root {}\n    linux {kernel} {line}\n    initrd {initrd}\n}}\n{END}",
        mode(system, &own),
        uuid.trim()
    );
    let mut others = without(&system.text(&own));
    if !others.is_empty() && !others.ends_with('\n') {
        others.push('\n');
    }
    // For root only: it carries a token.
    replace(system, &own, &format!("{others}{entry}"), 0o600)?;
    run(system, REBOOT, &[ID])?;
    Ok(Jump::Restart)
}

/// Where the firmware insists on signatures GRUB starts no other kernel: then it would stop, and wait for somebody.
pub fn may_start(system: &System, staged: &Staged) -> Result<(), String> {
    match system.is_secure() && !is_signed(&staged.kernel) {
        true => Err("Secure Boot is on, and the kernel has no signature".into()),
        false => Ok(()),
    }
}

/// Each word so that GRUB's language sees one word in it; what GRUB itself changes on its way to the kernel is refused.
fn words(line: &str) -> Result<String, String> {
    if let Some(c) = line.chars().find(|c| "'\"\\".contains(*c)) {
        return Err(format!("GRUB does not hand on {c} as it is, and the kernel's command line has one"));
    }
    Ok(line.split_whitespace().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "))
}

fn without(text: &str) -> String {
    match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => format!("{}{}", &text[..begin], &text[end + END.len()..]),
        _ => text.to_owned(),
    }
}

/// Who may read the file when ours is gone: as it was before, also where an earlier attempt was cut off.
fn mode(system: &System, path: &str) -> u32 {
    let kept = system.text(path).lines().find_map(|line| u32::from_str_radix(line.strip_prefix(MODE)?, 8).ok());
    let own = || fs::metadata(system.at(path)).map_or(0o644, |file| file.permissions().mode());
    kept.unwrap_or_else(own) & 0o777
}

/// As a whole.
fn replace(system: &System, path: &str, text: &str, mode: u32) -> Result<(), String> {
    let (place, next) = (system.at(path), system.at(&format!("{path}.kickstand")));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&next)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, &place)
    };
    write().map_err(|cause: std::io::Error| format!("cannot write {}: {cause}", place.display()))
}

pub fn undo(system: &System) -> Result<(), String> {
    let Some(home) = home(system) else { return Ok(()) };
    forget(system)?;
    let own = format!("{home}/custom.cfg");
    let text = system.text(&own);
    if !text.contains(BEGIN) {
        return Ok(());
    }
    let others = without(&text);
    match others.trim().is_empty() {
        true => fs::remove_file(system.at(&own)).map_err(|cause| format!("{own}: {cause}")),
        false => replace(system, &own, &others, mode(system, &own)),
    }
}

/// The choice for one boot, if it was not taken.
pub fn forget(system: &System) -> Result<(), String> {
    let entry = |line: &str| line.strip_prefix("next_entry=").is_some_and(|entry| !entry.trim().is_empty());
    match run(system, EDITENV, &["-", "list"]) {
        Ok(said) if said.lines().any(entry) => run(system, EDITENV, &["-", "unset", "next_entry"]).map(drop),
        _ => Ok(()),
    }
}

/// The next boot's entry, by its title or its id.
pub fn choose(system: &System, entry: &str) -> Result<(), String> {
    run(system, REBOOT, &[entry]).map(drop)
}

fn run(system: &System, names: &[&str], arguments: &[&str]) -> Result<String, String> {
    let name = system.one_of(names).ok_or_else(|| format!("{} is not installed", names[0]))?;
    system.run(name, arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_entries_stay_and_each_word_is_one() {
        let others = "menuentry 'mine' {\n}\n";
        let ours = format!("{BEGIN}menuentry {{\n}}\n{END}");
        assert_eq!(without(&format!("{others}{ours}")), others);
        assert_eq!(without(&format!("{ours}{others}")), others);
        assert_eq!(without(others), others);
        assert_eq!(words("ip=dhcp  a=$(b);c").unwrap(), "'ip=dhcp' 'a=$(b);c'");
        assert!(words("a='b").is_err() && words("a=\"b c\"").is_err() && words("a=b\\c").is_err());
    }
}
