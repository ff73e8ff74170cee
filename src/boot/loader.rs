//! The first program of each firmware: the LOADERS table, and what leads to the local disk.

use super::names::{Here, NOT_HERE};
use super::{Reason, Role};
use crate::model::*;

/// A row: which firmware takes which file, by which protocol.
pub struct Loader {
    pub program: Program,
    pub arch: fn(Arch) -> bool,
    pub file: &'static str,
}

/// The first row that fits speaks. The files come from the distribution's `ipxe` package.
pub const LOADERS: &[Loader] = &[
    Loader { program: Program::Rom, arch: Arch::is_bios, file: "undionly.kpxe" },
    Loader { program: Program::Rom, arch: Arch::is_x64_uefi, file: "snponly.efi" },
    Loader { program: Program::Http, arch: Arch::is_x64_uefi, file: "snponly.efi" },
];

/// What a DHCP answer names as the thing to run next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// An operating system asked: it boots nothing.
    Nothing,
    /// A file by TFTP.
    Tftp(String),
    /// A URL: for iPXE a script, for UEFI HTTP boot a loader.
    Url(String),
}

/// Which program runs first, or why there is none.
pub fn first(client: Client, role: Role, mac: Option<Mac>, here: Here) -> (Result<First, String>, Reason) {
    let (first, text) = match (client.program, role) {
        (Program::System, _) => (Ok(First::Nothing), "none: an operating system asks".to_owned()),
        (_, Role::Nothing) => (Ok(First::Nothing), "none".to_owned()),
        (Program::Ipxe, _) => match mac {
            Some(mac) => (Ok(First::Url(here.script(mac))), "its script by HTTP: iPXE is running".to_owned()),
            None => (Ok(First::Nothing), "none: a script is asked for by MAC, and it has none".to_owned()),
        },
        (_, Role::Disk) => disk(client, here),
        (_, Role::Install | Role::Show) => chosen(client, here),
    };
    (first, Reason::new("first program", text))
}

/// UEFI needs a quick *error* from every entry before the disk: silence costs a minute each, and a
/// loader that ends well leads into the firmware's menu (OVMF). A BIOS ROM that is named no file goes on.
fn disk(client: Client, here: Here) -> (Result<First, String>, String) {
    match client.program {
        Program::Http => {
            (Ok(First::Url(here.loader(NOT_HERE))), "a URL that is not there, so that UEFI goes on to the disk".into())
        }
        Program::Rom if client.arch.is_some_and(|a| !a.is_bios()) => {
            (Ok(First::Tftp(NOT_HERE.into())), "a file that is not there, so that UEFI goes on to the disk".into())
        }
        _ => (Ok(First::Nothing), "none, so that the BIOS goes on to the disk".into()),
    }
}

fn chosen(client: Client, here: Here) -> (Result<First, String>, String) {
    let arch = client.arch.unwrap_or(Arch::BIOS);
    let Some(row) = LOADERS.iter().find(|row| row.program == client.program && (row.arch)(arch)) else {
        let text = format!("no boot loader for {client}: see the LOADERS table in docs/loaders.md");
        return (Err(text.clone()), text);
    };
    let text = format!("{} for {client}", row.file);
    match client.program {
        Program::Http => (Ok(First::Url(here.loader(row.file))), text),
        _ => (Ok(First::Tftp(row.file.into())), text),
    }
}
