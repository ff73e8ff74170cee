//! BootNext: the firmware itself starts the kernel, which is a program of UEFI's, at its next start and only then.

use std::fs;
use std::path::PathBuf;

use super::{Jump, TITLE};
use crate::reinstall::stage::Staged;
use crate::system::System;

const FOLDER: &str = "EFI/kickstand";

pub fn lacks(system: &System) -> Option<String> {
    if !system.is_efi() {
        return Some("the firmware is not UEFI, or does not say so".into());
    }
    if system.program("efibootmgr").is_none() {
        return Some("efibootmgr is not installed".into());
    }
    if system.is_secure() {
        return Some("Secure Boot is on: the firmware starts no kernel that only shim knows".into());
    }
    partition(system).err()
}

/// The EFI system partition: its device, and where it is mounted.
fn partition(system: &System) -> Result<(String, String), String> {
    let mounts = system.text("/proc/mounts");
    let mut found = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (device, at, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "vfat" && ["/boot/efi", "/efi", "/boot"].contains(&at)).then(|| (device.to_owned(), at.to_owned()))
    });
    found.next_back().ok_or_else(|| "no EFI system partition is mounted".into())
}

pub fn folder(system: &System) -> Result<PathBuf, String> {
    Ok(system.at(&partition(system)?.1).join(FOLDER))
}

/// `/dev/vda2` → its disk, and the number that it has there.
fn place(system: &System, device: &str) -> Result<(String, String), String> {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let own = system.at(&format!("/sys/class/block/{name}"));
    let number = system.line(&format!("/sys/class/block/{name}/partition"));
    let real = fs::canonicalize(&own).map_err(|cause| format!("{}: {cause}", own.display()))?;
    let disk = real.parent().and_then(|disk| disk.file_name()).map(|disk| format!("/dev/{}", disk.to_string_lossy()));
    match (disk, number.is_empty()) {
        (Some(disk), false) => Ok((disk, number)),
        _ => Err(format!("{device} is no partition of a disk: the firmware would not find it")),
    }
}

pub fn prepare(system: &System, staged: &Staged) -> Result<Jump, String> {
    let head = fs::read(&staged.kernel).map(|bytes| bytes.starts_with(b"MZ"));
    if !head.unwrap_or(false) {
        return Err("the kernel is no program of UEFI's".into());
    }
    let (device, _) = partition(system)?;
    let (disk, number) = place(system, &device)?;
    let line = format!("initrd=\\EFI\\kickstand\\initrd.img {}", staged.command_line);
    // What started an earlier install is still there, or the firmware's memory would fill up. Some keep it all the same.
    if let Err(why) = undo(system) {
        eprintln!("kickstand-agent: an older entry of the firmware stays: {why}");
    }
    let older = entries(&system.run("efibootmgr", &[])?);
    let create = ["--create-only", "--disk", &disk, "--part", &number, "--label", TITLE];
    let start = ["--loader", "\\EFI\\kickstand\\vmlinuz", "--unicode", &line];
    let said = system.run("efibootmgr", &[&create[..], &start].concat())?;
    let entry = entries(&said).into_iter().find(|entry| !older.contains(entry));
    let entry = entry.ok_or("efibootmgr does not say which entry is ours")?;
    system.run("efibootmgr", &["--bootnext", &entry])?;
    Ok(Jump::Restart)
}

/// The numbers of ours: `Boot0005* Reinstall …`.
fn entries(said: &str) -> Vec<String> {
    let number = |line: &str| {
        let (number, title) = line.strip_prefix("Boot")?.split_at_checked(4)?;
        let is_ours = title.trim_start_matches(['*', ' ']).starts_with(TITLE);
        (is_ours && number.chars().all(|c| c.is_ascii_hexdigit())).then(|| number.to_owned())
    };
    said.lines().filter_map(number).collect()
}

/// The firmware forgets BootNext when it takes it, and not the entry.
pub fn undo(system: &System) -> Result<(), String> {
    let said = system.run("efibootmgr", &[])?;
    let ours = entries(&said);
    let next = said.lines().find_map(|line| line.strip_prefix("BootNext: "));
    if next.is_some_and(|next| ours.iter().any(|entry| entry == next.trim())) {
        system.run("efibootmgr", &["--delete-bootnext"])?;
    }
    for entry in ours {
        system.run("efibootmgr", &["--bootnum", &entry, "--delete-bootnum"])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_entries_are_known_among_others() {
        let said = "BootCurrent: 0002\nBootNext: 0007\nBootOrder: 0002,0000\nBoot0000* UiApp\nBoot0007* Reinstall once by Kickstand\tHD(2)/\\EFI\nBoot00\nBoot0008  Reinstall once by Kickstand\n";
        assert_eq!(entries(said), ["0007", "0008"]);
        assert!(entries("Bootß000 Reinstall once by Kickstand").is_empty());
    }
}
