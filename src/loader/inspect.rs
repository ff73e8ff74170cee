//! What a file is before it is taken: whether it runs where its loader says, and what Secure Boot thinks of it.

use super::authenticode;
use super::pe::Pe;
use super::revoked::{Component, components, refused};
use crate::model::{Digest, Imported, Loader, Target, Time};
use std::fmt;

/// What Secure Boot thinks of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// No EFI program: Secure Boot never sees it.
    Unseen,
    /// An EFI program without a signature.
    Unsigned,
    /// Signed, and no list that we know names it.
    Signed,
    /// Signed, and machines refuse it: why.
    Revoked(String),
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trust::Unseen => f.write_str("no EFI program"),
            Trust::Unsigned => f.write_str("not signed: Secure Boot must be off"),
            Trust::Signed => f.write_str("signed, not revoked"),
            Trust::Revoked(why) => write!(f, "revoked: {why}"),
        }
    }
}

/// What import remembers of a file, besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub trust: Trust,
    pub sbat: Vec<Component>,
}

/// Looks at a file. The error says why it can not be this file of this loader, whatever anybody wants.
pub fn inspect(loader: &Loader, file: &str, bytes: &[u8], dbx: &[Digest]) -> Result<Seen, String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let efi = loader.arch.iter().any(|target| target.pe_machine().is_some());
    let first = loader.first.as_deref() == Some(file);
    let program = first || file.ends_with(".efi");
    match (Pe::parse(bytes), efi && program) {
        (Err(error), true) => Err(error.to_string()),
        (Ok(_), false) if first && !efi => Err(format!("is an EFI program, and {} runs none", targets(loader))),
        (Ok(pe), true) if !fits(loader, pe.machine) => {
            Err(format!("is for {}, and {} is for {}", machine(pe.machine), loader.name, targets(loader)))
        }
        (Ok(pe), _) => judge(&pe, bytes, dbx),
        (Err(_), false) => Ok(Seen { trust: Trust::Unseen, sbat: Vec::new() }),
    }
}

fn judge(pe: &Pe<'_>, bytes: &[u8], dbx: &[Digest]) -> Result<Seen, String> {
    let sbat = pe.sbat.map_or(Ok(Vec::new()), components)?;
    let trust = if pe.certificates.is_none() {
        Trust::Unsigned
    } else if dbx.contains(&authenticode::digest(bytes, pe)) {
        Trust::Revoked("its hash is in the dbx that was given: firmware with that list refuses it".into())
    } else if pe.sbat.is_none() {
        Trust::Revoked("it has no .sbat section: shim refuses such a program since version 15.3".into())
    } else {
        refused(&sbat).map_or(Trust::Signed, |refused| Trust::Revoked(refused.to_string()))
    };
    Ok(Seen { trust, sbat })
}

/// What would keep a machine from booting it, though it can be taken by force.
pub fn objection(loader: &Loader, seen: &Seen) -> Option<String> {
    match &seen.trust {
        Trust::Revoked(why) => Some(format!("is revoked: {why}")),
        Trust::Unsigned if loader.secure.is_some() => {
            Some(format!("is not signed, and {} is for Secure Boot", loader.name))
        }
        _ => None,
    }
}

fn fits(loader: &Loader, machine: u16) -> bool {
    loader.arch.iter().any(|target| target.pe_machine() == Some(machine))
}

fn targets(loader: &Loader) -> String {
    loader.arch.iter().map(|target| target.word()).collect::<Vec<_>>().join(", ")
}

fn machine(code: u16) -> String {
    let known = Target::ALL.iter().find(|target| target.pe_machine() == Some(code));
    known.map_or_else(|| format!("machine 0x{code:04x}"), |target| target.word().to_owned())
}

/// The facts that the catalogue keeps.
pub fn facts(bytes: &[u8], seen: &Seen, origin: String, now: Time) -> Imported {
    Imported {
        sha256: Digest::of(bytes),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        origin,
        imported_at: now,
        sbat: seen.sbat.iter().map(ToString::to_string).collect(),
    }
}
