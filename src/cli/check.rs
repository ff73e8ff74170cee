//! `kickstand check`: whether kickstand.toml can be read, and whether what it names is there.

use super::session::{Unfinished, line};
use crate::boot::loader::LOADERS;
use crate::config::{Config, DEFAULT_PATH};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Check {
    /// The file to check
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

pub fn run(Check { config: path }: Check) -> Result<()> {
    let config = Config::read(&path)?;
    let missing = missing(&config);
    if missing.is_empty() {
        return line(&format!("{} is fine", path.display()));
    }
    line(&format!("{} can be read, but:", path.display()))?;
    missing.iter().try_for_each(|text| line(&format!("  {text}")))?;
    Err(Unfinished.into())
}

/// What an install would miss.
fn missing(config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    if config.dhcp.interfaces.is_empty() && config.dhcp.address.is_none() {
        missing
            .push("no interface is served: name one under [dhcp], or with `kickstand serve --interface NAME`".into());
    }
    if !config.files.is_dir() {
        missing.push(format!("there is no folder {}: make it, kernels and initrds live there", config.files.display()));
    }
    let mut loaders: Vec<&str> = LOADERS.iter().map(|row| row.file).collect();
    loaders.dedup();
    for file in loaders.into_iter().filter(|file| !config.loaders.iter().any(|folder| folder.join(file).is_file())) {
        let folders = config.loaders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>();
        missing.push(format!("no boot loader {file} in {}: install the package `ipxe`", folders.join(", ")));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_install_would_miss_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { files: folder.path().join("files"), ..Config::default() };
        config.loaders = vec![folder.path().to_owned()];
        let text = missing(&config).join("\n");
        for word in ["no interface", "files: make it", "undionly.kpxe", "snponly.efi"] {
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(missing(&config).len(), 4);
        config.dhcp.interfaces = vec!["eth1".into()];
        std::fs::create_dir(&config.files).unwrap();
        LOADERS.iter().for_each(|row| std::fs::write(folder.path().join(row.file), "").unwrap());
        assert!(missing(&config).is_empty());
    }
}
