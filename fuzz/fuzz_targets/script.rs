//! Any text in any variable of a boot script: it renders to the commands that it has with plain words, or it is an error.

#![no_main]

// The parsers and the property of tests/scripts, as they are.
#[path = "../../tests/scripts/grub.rs"]
mod grub;
#[path = "../../tests/scripts/holds.rs"]
mod holds;
#[path = "../../tests/scripts/ipxe.rs"]
mod ipxe;
#[path = "../../tests/scripts/kernel.rs"]
mod kernel;
#[path = "../../tests/scripts/setting.rs"]
mod setting;
#[path = "../../tests/scripts/syslinux.rs"]
mod syslinux;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &str)| {
    let (template, variable, text) = input;
    let templates = &*setting::TEMPLATES;
    let Some(template) = templates.get(usize::from(template) % templates.len()) else { return };
    let Some(variable) = template.variables.get(usize::from(variable) % template.variables.len()) else { return };
    if let Err(why) = holds::holds(template, variable, text) {
        panic!("{why}");
    }
});
