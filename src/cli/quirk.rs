//! `kickstand quirk`: what some firmware needs that others do not.

use super::session::{Session, line};
use super::table::maybe;
use crate::engine::quirks;
use crate::model::{Marks, Quirk};
use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the rows that count now, in the order in which they are looked at
    List,
    /// Say whether a file of quirks is fine, on this host and without a server
    Check {
        /// The file, for example quirks.toml that somebody shared
        file: PathBuf,
    },
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    let heads = ["name", "match", "does", "says", "source"];
    match command {
        Command::List => session.list("quirks", &heads, row, "No quirk yet").await,
        Command::Check { file } => check(&file),
    }
}

pub fn check(file: &PathBuf) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rows = quirks(&file.display().to_string(), &text).map_err(|text| anyhow!(text))?;
    line(&format!("{} is fine: {} quirks", file.display(), rows.len()))
}

fn row(quirk: &Quirk) -> Vec<String> {
    vec![quirk.name.to_string(), marks(&quirk.matches), does(quirk), quirk.says.clone(), quirk.source.clone()]
}

fn marks(marks: &Marks) -> String {
    let Marks { vendor, mac, arch, program, user_class, product } = marks;
    let said = [
        vendor.as_ref().map(|text| format!("vendor {text}")),
        mac.as_ref().map(|prefix| format!("mac {prefix}")),
        arch.map(|code| format!("arch 0x{code:02x}")),
        program.map(|program| format!("program {program}")),
        user_class.as_ref().map(|text| format!("user class {text}")),
        product.as_ref().map(|text| format!("product {text}")),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn does(quirk: &Quirk) -> String {
    let Quirk { loader, disk_boot, window, block_bytes, nul, .. } = quirk;
    let said = [
        ("loader", maybe(loader)),
        ("disk boot", maybe(disk_boot)),
        ("window", maybe(window)),
        ("block", maybe(block_bytes)),
        ("nul", maybe(nul)),
    ];
    let said = said.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(what, value)| format!("{what} {value}")).collect::<Vec<_>>().join(", ")
}
