//! kexec: the running kernel starts the next one. By the file call, which takes signed kernels where the rest is locked down.

use super::Jump;
use crate::reinstall::stage::Staged;
use crate::system::System;

pub fn lacks(system: &System) -> Option<String> {
    if system.program("kexec").is_none() {
        return Some("kexec-tools is not installed".into());
    }
    if !system.has("/sys/kernel/kexec_loaded") {
        return Some("the running kernel knows no kexec".into());
    }
    let is_off = system.line("/proc/sys/kernel/kexec_load_disabled") == "1";
    is_off.then(|| "kexec is switched off (kernel.kexec_load_disabled)".into())
}

pub fn prepare(system: &System, staged: &Staged) -> Result<Jump, String> {
    let Staged { kernel, initrd, command_line } = staged;
    let kernel = kernel.display().to_string();
    let words = [format!("--initrd={}", initrd.display()), format!("--command-line={command_line}")];
    let load = |call: &str| system.run("kexec", &[call, "-l", &kernel, &words[0], &words[1]]);
    load("-s").or_else(|refused| match is_locked_down(system) {
        // Without the file call there is none that asks for a signature, and none that is let through.
        true => Err(refused),
        false => load("-c").map_err(|also| format!("{refused}; {also}")),
    })?;
    Ok(Jump::Kexec)
}

fn is_locked_down(system: &System) -> bool {
    let modes = system.line("/sys/kernel/security/lockdown");
    modes.contains("[integrity]") || modes.contains("[confidentiality]")
}

/// What was loaded is gone with the life that loaded it; in the same life it is unloaded.
pub fn undo(system: &System) -> Result<(), String> {
    match system.line("/sys/kernel/kexec_loaded") == "1" {
        true => system.run("kexec", &["-u"]).map(drop),
        false => Ok(()),
    }
}
