//! `kickstand check`: whether kickstand.toml can be read, and whether what it names is there; [`answers`] are checked by
//! their installers' tools.

pub mod answers;
mod authority;

use super::session::{Unfinished, line};
use crate::assets::Assets;
use crate::boot::loader::LOADERS;
use crate::config::{Config, DEFAULT_PATH};
use crate::engine::quirks;
use crate::http::tls;
use crate::loader::{manifest, place};
use anyhow::Result;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Check {
    /// The file to check
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    #[command(subcommand)]
    pub what: Option<What>,
}

#[derive(Debug, Subcommand)]
pub enum What {
    /// Have machines' answer files read by their installers' own tools, as far as they are installed here
    Answers(answers::Answers),
}

pub async fn run(Check { config: path, .. }: Check) -> Result<()> {
    let config = Config::read(&path)?;
    let mut missing = missing(&config);
    missing.extend(authority::complaints(&config, SystemTime::now()).await);
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
    missing.extend(of_loaders(config).unwrap_or_else(|text| vec![text]));
    let now = SystemTime::now();
    missing.extend(config.https.certificate.as_deref().and_then(|path| https(path, now)));
    missing.extend(config.https.ca.as_deref().and_then(|path| authority::of_operators(path, now)));
    missing
}

/// The loaders that a BIOS and UEFI get that nobody said a word of; the error is a file of the operator's that is broken.
fn of_loaders(config: &Config) -> Result<Vec<String>, String> {
    let assets = Assets { operator: Some(config.templates.clone()) };
    let own = |name: &str| assets.own(name).map_err(|error| format!("cannot read {}: {error}", assets.place(name)));
    let texts = [assets.shipped(manifest::NAME).map(str::to_owned), own(manifest::NAME)?];
    let places = ["pxe/loaders.toml (built in)".to_owned(), assets.place(manifest::NAME)];
    let texts: Vec<_> =
        places.iter().zip(&texts).filter_map(|(place, text)| Some((place.as_str(), text.as_deref()?))).collect();
    let loaders = manifest::catalogue(&texts).map_err(|error| error.to_string())?;
    if let Some(text) = own("pxe/quirks.toml")? {
        quirks(&assets.place("pxe/quirks.toml"), &text)?;
    }
    let folders = config.loaders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    let lacking = LOADERS.iter().take(2).filter_map(|(_, names)| {
        let known = || names.iter().filter_map(|name| loaders.iter().find(|loader| loader.name.as_str() == *name));
        let file = known().next()?.first.as_deref()?;
        let text = || format!("no boot loader {file} in {folders}: install the package `ipxe`");
        (!known().any(|loader| place::is_there(&config.loaders, loader))).then(text)
    });
    Ok(lacking.collect())
}

/// A certificate that ends soon stops every machine that boots by it.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

fn https(path: &Path, now: SystemTime) -> Option<String> {
    let chain = match tls::chain(path) {
        Ok(chain) => chain,
        Err(error) => return Some(error.to_string()),
    };
    let end = chain.iter().filter_map(|certificate| crate::ca::ends_at(certificate)).min()?;
    let date = humantime::format_rfc3339_seconds(end);
    (end < now + SOON).then(|| format!("the certificate {} ends at {date}: make another", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_ends_soon_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("https.crt");
        let mut wanted = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(2031, 3, 4);
        let made = wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        std::fs::write(&path, made.pem()).unwrap();
        let before = |text| humantime::parse_rfc3339(text).unwrap();
        assert_eq!(https(&path, before("2031-02-01T00:00:00Z")), None);
        let text = https(&path, before("2031-02-03T00:00:00Z")).unwrap();
        assert!(text.contains("ends at 2031-03-04T00:00:00Z: make another"), "{text}");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(https(&path, SystemTime::now()).unwrap().contains("holds no certificate"));
    }

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
        ["undionly.kpxe", "snponly.efi"].iter().for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
        assert!(missing(&config).is_empty());
        std::fs::remove_file(folder.path().join("undionly.kpxe")).unwrap();
        assert!(missing(&config).join("\n").contains("undionly.kpxe"));
        let modules = ["pxelinux.0", "ldlinux.c32", "libcom32.c32", "libutil.c32", "chain.c32", "menu.c32"];
        modules.iter().for_each(|file| std::fs::write(folder.path().join(file), "").unwrap());
        assert!(missing(&config).is_empty(), "PXELINUX will do");
    }
}
