//! `kickstand check`: whether kickstand.toml can be read, and whether what it names is there.

use super::session::{Unfinished, line};
use crate::boot::loader::LOADERS;
use crate::config::{Config, DEFAULT_PATH};
use crate::http::tls;
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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
    missing.extend(config.https.certificate.as_deref().and_then(|path| https(path, SystemTime::now())));
    missing
}

/// A certificate that ends soon stops every machine that boots by it.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

fn https(path: &Path, now: SystemTime) -> Option<String> {
    let chain = match tls::chain(path) {
        Ok(chain) => chain,
        Err(error) => return Some(error.to_string()),
    };
    let end = chain.iter().filter_map(|certificate| tls::ends_at(certificate)).min()?;
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
        LOADERS.iter().for_each(|row| std::fs::write(folder.path().join(row.file), "").unwrap());
        assert!(missing(&config).is_empty());
    }
}
