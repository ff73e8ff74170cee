//! What `kickstand distro import` is told.

use crate::cli::loader::Settings;
use crate::cli::values::Variable;
use crate::model::{Family, Name};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Import {
    /// A folder, an ISO image, an archive, or the address of a tree (http:// or https://)
    #[arg(value_name = "PATH|URL")]
    pub(super) origin: String,
    /// The distro's name [default: what the tree calls itself, such as almalinux-9.4-x86_64]
    #[arg(long)]
    pub(super) name: Option<Name>,
    /// The family, where the tree is of one that is not recognised
    #[arg(long)]
    pub(super) family: Option<Family>,
    /// The kernel within the tree, where it is not the usual one
    #[arg(long, value_name = "PATH")]
    pub(super) kernel: Option<String>,
    /// The initrd within the tree, where it is not the usual one
    #[arg(long, value_name = "PATH")]
    pub(super) initrd: Option<String>,
    /// The distro whose live system installs an image that has none of its own
    #[arg(long, value_name = "DISTRO")]
    pub(super) live: Option<Name>,
    /// Kernel arguments of the installer, for example "console=ttyS0"
    #[arg(long, allow_hyphen_values = true)]
    pub(super) arguments: Option<String>,
    /// A variable for templates, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub(super) variables: Vec<Variable>,
    /// The boot loader that starts its kernel, of `kickstand loader list`
    #[arg(long)]
    pub(super) loader: Option<Name>,
    /// Put the tree in the place of another that was imported under this name
    #[arg(long)]
    pub(super) replace: bool,
    /// Take the packages of an address, too, by the tree's own lists, and serve them from here
    #[arg(long)]
    pub(super) mirror: bool,
    /// Take in a tree that does not have all packages of its own lists
    #[arg(long)]
    pub(super) partial: bool,
    /// How much may be written, for example 20G [default: what the disk has free, but for a tenth]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_size: Option<u64>,
    /// Keys that must have signed what boots; may be repeated [default: those in /usr/share/keyrings may]
    #[arg(long = "keyring", value_name = "FILE")]
    pub(super) keyrings: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) settings: Settings,
}

/// `500M`, `20G`, or bytes.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit.trim_end_matches('B') {
        "" => Some(1),
        "K" => Some(1_u64 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        "T" => Some(1 << 40),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    number.ok_or_else(|| "write it like 20G or 500M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_or_none() {
        for (text, bytes) in [("7", 7), ("2K", 2048), ("500M", 500 << 20), ("20G", 20 << 30), ("1TB", 1 << 40)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "G", "-1", "1X", "99999999999T", "1.5G"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
