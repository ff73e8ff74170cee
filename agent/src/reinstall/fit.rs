//! What must be so before anything is asked for, fetched or changed.

use super::ways::Way;
use crate::kit::Kit;
use crate::system::System;

/// What the kernel needs beside what it loads.
const SLACK_BYTES: u64 = 64 << 20;
/// What a file system is left with.
const SPARE_BYTES: u64 = 8 << 20;
/// The kernels of all architectures take this much and cut the rest off in silence.
const LINE_BYTES: usize = 2047;

/// Why this is no system that could install itself anew.
pub fn system(system: &System) -> Result<(), String> {
    if !system.is_root {
        return Err("only root may do this: run it as root".into());
    }
    if system.has("/run/.containerenv") || system.has("/.dockerenv") || system.has("/run/systemd/container") {
        return Err("this is a container: its kernel is its host's".into());
    }
    let line = system.text("/proc/cmdline");
    let is_live = |word: &str| {
        ["kickstand.answer=", "kickstand.live=", "root=live:"].iter().any(|start| word.starts_with(start))
            || matches!(word, "boot=live" | "boot=casper" | "boot=kickstand")
    };
    if let Some(word) = line.split_whitespace().find(|word| is_live(word)) {
        return Err(format!("this is a live system ({word}): it installs, it is not installed"));
    }
    let mounts = system.text("/proc/mounts");
    let mut root = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        (words.next() == Some("/")).then(|| words.next()).flatten()
    });
    match root.next_back() {
        Some(kind @ ("tmpfs" | "overlay" | "squashfs" | "rootfs")) => {
            Err(format!("this system runs from memory (its root is a {kind}): it installs, it is not installed"))
        }
        _ if system.boot_id().len() != 36 => {
            Err("the kernel does not say which boot this is (/proc is not there)".into())
        }
        _ => Ok(()),
    }
}

/// What the server gave may be started here.
pub fn kit(system: &System, kit: &Kit) -> Result<(), String> {
    if kit.command_line.len() > LINE_BYTES {
        return Err(format!(
            "the kernel's command line has {} bytes, and kernels take {LINE_BYTES}",
            kit.command_line.len()
        ));
    }
    if kit.command_line.chars().any(|c| c.is_control()) {
        return Err("the kernel's command line has a character that is none".into());
    }
    let path_fits = |path: &str| path.starts_with("/files/") && !path.contains(|c: char| c.is_control() || c == ' ');
    if kit.initrds.is_empty() || !kit.initrds.iter().chain([&kit.kernel]).all(|part| path_fits(&part.path)) {
        return Err("the server's answer names no files of its own".into());
    }
    // What a machine says of its memory is less than what is built in.
    let (has, needs) = (system.memory_bytes("MemTotal"), kit.memory_mib << 20);
    if has < needs / 10 * 9 {
        return Err(format!("the installer needs {} MB of memory, this machine has {}", needs >> 20, has >> 20));
    }
    Ok(())
}

/// Memory, for a way that loads what it starts beside the running system; free space, for all.
pub fn way(system: &System, way: Way, kit: &Kit) -> Result<(), String> {
    let bytes: u64 = kit.initrds.iter().chain([&kit.kernel]).map(|part| part.size_bytes).sum();
    let free = system.memory_bytes("MemAvailable");
    let needed = bytes.saturating_add(SLACK_BYTES);
    if way == Way::Kexec && free < needed {
        return Err(format!(
            "{} MB of memory are free, {} are needed to load kernel and initrd",
            free >> 20,
            needed >> 20
        ));
    }
    let folder = way.folder(system)?;
    let (free, needed) = (system.free_bytes(&folder)?, bytes.saturating_add(SPARE_BYTES));
    match free < needed {
        true => Err(format!("{} MB are free for {}, {} are needed", free >> 20, folder.display(), needed >> 20)),
        false => Ok(()),
    }
}
