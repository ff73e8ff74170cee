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
    let said = info(system).ok_or("grubby does not know the entry that it was told of")?;
    // The first ones knew kernels directly below /boot alone, and wrote down less than they were told.
    let has = |word: &str| word.starts_with("root=") || said.contains(word);
    if !said.contains("/kickstand/vmlinuz") || !staged.command_line.split_whitespace().all(has) {
        return Err("grubby wrote another entry than it was told".into());
    }
    // The title, since grubby's numbers and GRUB's are not always the same.
    grub::choose(system, TITLE)?;
    Ok(Jump::Restart)
}

/// Of our entry; the first grubbies in a script say -1, and no error, of one that is not there.
fn info(system: &System) -> Option<String> {
    let said = system.run("grubby", &[&format!("--info={}", ours())]).ok()?;
    let has_number =
        said.lines().any(|line| line.strip_prefix("index=").is_some_and(|n| n.trim().parse::<u32>().is_ok()));
    has_number.then_some(said)
}

pub fn undo(system: &System) -> Result<(), String> {
    grub::forget(system)?;
    match info(system) {
        Some(_) => system.run("grubby", &[&format!("--remove-kernel={}", ours())]).map(drop),
        None => Ok(()),
    }
}
