//! `kickstand init`: writes a kickstand.toml with every setting explained.

use super::session::line;
use crate::config::{Config, DEFAULT_PATH};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Init {
    /// Where to write it
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

pub fn run(Init { config }: Init) -> Result<()> {
    Config::init(&config)?;
    line(&format!("{} written: set the interfaces under [dhcp], then `kickstand serve`", config.display()))
}
