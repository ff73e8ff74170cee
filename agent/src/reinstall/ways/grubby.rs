//! grubby: how Red Hat's systems keep their boot entries; GRUB takes ours for one boot.

use super::{Jump, TITLE, grub};
use crate::reinstall::stage::Staged;
use crate::system::System;

pub fn lacks(system: &System) -> Option<String> {
    if system.program("grubby").is_none() {
        return Some("there is no grubby".into());
    }
    if system.one_of(&["grub2-reboot", "grub-reboot"]).is_none() {
        return Some("grub2-reboot is not installed".into());
    }
    match grub::home(system) {
        None => Some("there is no grub.cfg below /boot".into()),
        Some(home) => grub::once(system, home).err(),
    }
}

/// grubby is a shell script since Red Hat 8, and GRUB reads what it wrote as its own language: what neither changes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || " -_./:=,+@%".contains(c)
}

/// Its entry by the title: by its path grubby finds none where /boot is a file system of its own.
fn ours() -> String {
    format!("TITLE={TITLE}")
}

pub fn prepare(system: &System, staged: &Staged) -> Result<Jump, String> {
    grub::may_start(system, staged)?;
    if let Some(c) = staged.command_line.chars().find(|c| !is_plain(*c)) {
        return Err(format!("grubby does not hand on {c} as it is, and the kernel's command line has one"));
    }
    let words = [
        format!("--add-kernel={}", staged.kernel.display()),
        format!("--initrd={}", staged.initrd.display()),
        format!("--args={}", staged.command_line),
        format!("--title={TITLE}"),
        // Or it wants a kernel of this system: /boot/vmlinuz-* with its modules.
        "--bad-image-okay".to_owned(),
    ];
    system.run("grubby", &words.each_ref().map(String::as_str))?;
    if !is_there(system) {
        return Err("grubby does not know the entry that it was told of".into());
    }
    // The title, since grubby's numbers and GRUB's are not always the same.
    grub::choose(system, TITLE)?;
    Ok(Jump::Restart)
}

fn is_there(system: &System) -> bool {
    let said = system.run("grubby", &[&format!("--info={}", ours())]);
    said.is_ok_and(|said| said.lines().any(|line| line.starts_with("index=")))
}

pub fn undo(system: &System) -> Result<(), String> {
    grub::forget(system)?;
    match is_there(system) {
        true => system.run("grubby", &[&format!("--remove-kernel={}", ours())]).map(drop),
        false => Ok(()),
    }
}
