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

fn kernel(system: &System) -> String {
    system.at("/boot/kickstand/vmlinuz").display().to_string()
}

pub fn prepare(system: &System, staged: &Staged) -> Result<Jump, String> {
    grub::may_start(system, staged)?;
    if staged.command_line.contains(['"', '\'', '\\']) {
        return Err("GRUB does not hand on quotes as they are, and the kernel's command line has one".into());
    }
    let kernel = kernel(system);
    let words = [
        format!("--add-kernel={kernel}"),
        format!("--initrd={}", staged.initrd.display()),
        format!("--args={}", staged.command_line),
        format!("--title={TITLE}"),
    ];
    system.run("grubby", &words.each_ref().map(String::as_str))?;
    let said = system.run("grubby", &[&format!("--info={kernel}")])?;
    let entry = said.lines().find_map(|line| line.strip_prefix("index="));
    grub::choose(system, entry.ok_or("grubby does not say which entry is ours")?.trim())?;
    Ok(Jump::Restart)
}

pub fn undo(system: &System) -> Result<(), String> {
    grub::forget(system)?;
    let kernel = kernel(system);
    match system.run("grubby", &[&format!("--info={kernel}")]) {
        Ok(said) if said.contains("index=") => system.run("grubby", &[&format!("--remove-kernel={kernel}")]).map(drop),
        _ => Ok(()),
    }
}
