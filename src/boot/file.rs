//! Which bytes a name stands for, by TFTP or HTTP: a loader's file, a machine's script, a kernel, or never anything.

use super::names::NOT_HERE;
use super::{Ask, Decision, Reason};
use crate::model::*;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, PartialEq)]
pub struct FileAsk {
    /// As asked for: firmware adds slashes, and NUL or 0xFF at the end.
    pub name: String,
    /// None where there is no IPv4 address.
    pub from: Option<Ipv4Addr>,
    pub by: By,
}

/// What must be known to read a name.
pub struct FileFacts<'a> {
    pub shelf: &'a Shelf,
    /// Of the address that asks.
    pub lease: Option<&'a Lease>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileReply {
    /// A file of this loader.
    Loader {
        loader: Name,
        file: String,
    },
    /// Below the appliance's folder of files.
    File(String),
    /// The script of this MAC, whose kernel comes the same way.
    Script {
        mac: Mac,
        language: Language,
        by: By,
    },
    /// What leads iPXE to the script of this MAC.
    Autoexec {
        mac: Mac,
    },
    NotFound,
}

impl Ask for FileAsk {
    type Facts<'a> = FileFacts<'a>;
    type Reply = FileReply;

    fn decide(&self, facts: FileFacts<'_>, now: Time) -> Decision<FileReply> {
        let name = plain(&self.name);
        let (reply, text) = match name.split_once('/') {
            _ if name == NOT_HERE => (FileReply::NotFound, "never here, so that the firmware goes on to the disk"),
            Some(("files", path)) if self.by == By::Tftp => self.kernel(path, &facts, now),
            _ => match loader(&name, facts.shelf) {
                Some(reply) => (reply, "a boot loader"),
                None => self.script(&name, &facts, now),
            },
        };
        Decision::new(reply, vec![Reason::new("file", text)])
    }
}

impl FileAsk {
    /// Who fetches a kernel by TFTP has been given an address here: UDP proves nobody's.
    fn kernel(&self, path: &str, facts: &FileFacts<'_>, now: Time) -> (FileReply, &'static str) {
        match self.leased(facts, now) {
            Some(_) => (FileReply::File(path.to_owned()), "a file, for who leases an address here"),
            None => (FileReply::NotFound, "files go by TFTP to leased addresses alone"),
        }
    }

    fn leased<'a>(&self, facts: &FileFacts<'a>, now: Time) -> Option<&'a Lease> {
        facts.lease.filter(|lease| Some(lease.ip) == self.from && lease.ends_at > now)
    }

    fn script(&self, name: &str, facts: &FileFacts<'_>, now: Time) -> (FileReply, &'static str) {
        let Some(wanted) = wanted(name) else {
            return (FileReply::NotFound, "no loader, script or file has this name");
        };
        let leased = || self.leased(facts, now).and_then(|lease| lease.holder.mac());
        let mac = match wanted.of {
            Of::Mac(mac) => Some(mac),
            Of::Asker => leased(),
            Of::Address(ip) => leased().filter(|_| self.from == Some(ip)),
        };
        match (mac, wanted.language) {
            (None, _) => (FileReply::NotFound, "a script is for who leases an address here"),
            (Some(mac), Language::Ipxe) => (FileReply::Autoexec { mac }, "what leads iPXE to its script"),
            (Some(mac), language) => {
                let folder = name.split_once('/').and_then(|(folder, _)| facts.shelf.loader(folder));
                let by = self.next_by(folder);
                // PXELINUX looks in the folder that it came from, U-Boot in none.
                let language = match (language, folder) {
                    (Language::Pxelinux, None) => Language::Extlinux,
                    (language, _) => language,
                };
                (FileReply::Script { mac, language, by }, "a script")
            }
        }
    }

    /// How this loader reads its kernel: as it read this, unless it is known to do better.
    fn next_by(&self, folder: Option<&Shelved>) -> By {
        match folder {
            Some(row) if row.loader.by.contains(&By::Http) => By::Http,
            _ => self.by,
        }
    }
}

/// Without the slashes and the rubbish that firmware adds.
fn plain(name: &str) -> String {
    let parts = name.trim_end_matches(['\0', '\u{ff}', '\u{fffd}']).split('/').filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

/// `LOADER/FILE`, or the file alone for those that are known by it.
pub fn loader(name: &str, shelf: &Shelf) -> Option<FileReply> {
    let of = |loader: &Loader, file: &str| FileReply::Loader { loader: loader.name.clone(), file: file.to_owned() };
    match name.split_once('/') {
        Some((folder, file)) => {
            let row = shelf.loader(folder)?;
            row.loader.file(file).map(|_| of(&row.loader, file))
        }
        None => {
            let alone = |loader: &&Loader| matches!(loader.language, Language::Ipxe | Language::Pxelinux);
            shelf.with_file(name).filter(alone).map(|loader| of(loader, name))
        }
    }
}

/// A script, and whose.
struct Wanted {
    language: Language,
    of: Of,
}

enum Of {
    Mac(Mac),
    /// Who asks from this address.
    Address(Ipv4Addr),
    Asker,
}

/// Folders of GRUB's modules.
const PLATFORMS: [&str; 7] =
    ["x86_64-efi", "i386-efi", "i386-pc", "arm64-efi", "arm-efi", "riscv64-efi", "loongarch64-efi"];

/// By the last two parts of its path: loaders look in the folder that they came from, and in folders of their own.
fn wanted(name: &str) -> Option<Wanted> {
    let (folder, leaf) = name.rsplit_once('/').unwrap_or(("", name));
    let folder = folder.rsplit('/').next().unwrap_or_default();
    let leaf = leaf.to_ascii_lowercase();
    let (language, of) = match (folder, leaf.as_str()) {
        // GRUB looks for its modules there, and would take a script of ours for a list of them.
        (platform, _) if PLATFORMS.contains(&platform) => return None,
        (_, "grub.cfg") => (Language::Grub, Of::Asker),
        (_, "autoexec.ipxe") => (Language::Ipxe, Of::Asker),
        (_, "extlinux.conf") => (Language::Extlinux, Of::Asker),
        ("pxelinux.cfg", "default") => (Language::Pxelinux, Of::Asker),
        ("pxelinux.cfg", leaf) => (Language::Pxelinux, of(leaf)?),
        (_, leaf) => (Language::Grub, of(leaf.strip_prefix("grub.cfg-")?)?),
    };
    Some(Wanted { language, of })
}

/// `01-52-54-00-12-34-56`, the MAC alone, or the address in hexadecimal; its shorter beginnings are nobody's.
fn of(text: &str) -> Option<Of> {
    let mac = text.strip_prefix("01-").unwrap_or(text);
    if mac.len() == 17 {
        return mac.parse().ok().map(Of::Mac);
    }
    let hex = text.len() == 8 && text.chars().all(|c| c.is_ascii_hexdigit());
    hex.then(|| u32::from_str_radix(text, 16).ok()).flatten().map(|ip| Of::Address(ip.into()))
}
