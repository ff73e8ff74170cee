//! Debian's installer, wherever it lies, and Ubuntu's own.

use super::{Extent, Recognised, Value, first_of};
use crate::import::Error;
use crate::import::tree::{Tree, has, text};

const ARCHES: &[&str] = &["amd64", "arm64", "i386", "armhf", "ppc64el", "riscv64", "s390x"];
/// Some name the folder of the installer after themselves.
const INSTALLERS: &[&str] = &["debian-installer", "ubuntu-installer"];

/// Ubuntu since 20.04: casper starts a live system, and that is fetched as the whole image.
pub fn casper(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let Some(info) = text(tree, ".disk/info")? else { return Ok(None) };
    let kernel = first_of(tree, &["casper/vmlinuz".into(), "casper/hwe-vmlinuz".into(), "casper/vmlinuz.efi".into()])?;
    let initrd = first_of(tree, &["casper/initrd".into(), "casper/initrd.gz".into(), "casper/initrd.lz".into()])?;
    let (Some(kernel), Some(initrd)) = (kernel, initrd) else { return Ok(None) };
    let (product, version, arch) = from_info(&info);
    let mut found = Recognised { version, arch, ..Recognised::new("ubuntu", &product, kernel, initrd) };
    found.variables = vec![("iso", Value::Image)];
    found.extent = Extent::Boot;
    Ok(Some(found))
}

/// `Debian GNU/Linux 12.5.0 "Bookworm" - Official amd64 NETINST …`, `Ubuntu-Server 24.04 LTS "Noble Numbat" - Release amd64 (…)`.
fn from_info(info: &str) -> (String, String, String) {
    let line = info.lines().next().unwrap_or_default();
    let mut words = line.split_whitespace();
    let product = words.next().unwrap_or_default();
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let version = words.find(is_version).unwrap_or_default();
    let arch = words.find(|word| ARCHES.contains(word)).unwrap_or_default();
    (product.to_owned(), version.to_owned(), arch.to_owned())
}

pub fn installer(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let info = text(tree, ".disk/info")?;
    let found = match netboot(tree)? {
        Some(found) => Some(found),
        None if info.is_some() => from_disc(tree)?,
        None => None,
    };
    let Some(mut found) = found else { return Ok(None) };
    if let Some((product, version, _)) = info.as_deref().map(from_info).filter(|(product, _, _)| !product.is_empty()) {
        (found.product, found.version) = (super::slug(&product), version);
    }
    // Without packages there is nothing to install from it: they come from a mirror.
    match tree.names("pool")?.is_empty() {
        true => found.variables.clear(),
        false => found.variables.push(("suite", Value::Text(found.version.clone()))),
    }
    finished(tree, found).map(Some)
}

/// The suite by its name, where the tree has one.
fn finished(tree: &dyn Tree, mut found: Recognised) -> Result<Recognised, Error> {
    let suites = tree.names("dists")?;
    let suite = suites.iter().find_map(|name| name.strip_suffix('/')).filter(|suite| super::slug(suite) == *suite);
    found.variables.retain(|(name, _)| *name != "suite");
    if let Some(suite) = suite {
        found.variables.push(("suite", Value::Text(suite.to_owned())));
        if found.version.is_empty() {
            found.version = suite.to_owned();
        }
    }
    Ok(found)
}

/// The installer that fetches what it lacks: netboot.tar.gz unpacked, its place on a mirror, or on a disc.
fn netboot(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let mut roots = vec![String::new(), "netboot/".into(), "install/netboot/".into(), "current/images/netboot/".into()];
    for suite in tree.names("dists")?.iter().filter(|name| name.ends_with('/')) {
        let part = |arch: &&str| format!("dists/{suite}main/installer-{arch}/current/images/netboot/");
        roots.extend(ARCHES.iter().map(part));
        let legacy = |arch: &&str| format!("dists/{suite}main/installer-{arch}/current/legacy-images/netboot/");
        roots.extend(ARCHES.iter().map(legacy));
    }
    for root in &roots {
        for (arch, name) in ARCHES.iter().flat_map(|arch| INSTALLERS.iter().map(move |name| (arch, name))) {
            let folder = format!("{root}{name}/{arch}");
            let kernel = format!("{folder}/linux");
            if has(tree, &kernel)? {
                let product = name.trim_end_matches("-installer");
                let found = Recognised::new("debian", product, kernel, format!("{folder}/initrd.gz"));
                return Ok(Some(Recognised { arch: (*arch).to_owned(), ..found }));
            }
        }
    }
    Ok(None)
}

/// The installer of a disc, which looks for the disc.
fn from_disc(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    for (folder, arch) in [("install.amd", "amd64"), ("install.a64", "arm64"), ("install.386", "i386"), ("install", "")]
    {
        let kernel = format!("{folder}/vmlinuz");
        if has(tree, &kernel)? {
            let mut found = Recognised::new("debian", "debian", kernel, format!("{folder}/initrd.gz"));
            found.arch = arch.to_owned();
            found.notes.push(format!(
                "{folder}/initrd.gz is the installer of a disc and looks for the disc: for a network boot import netboot.tar.gz of the same release"
            ));
            return Ok(Some(found));
        }
    }
    Ok(None)
}
