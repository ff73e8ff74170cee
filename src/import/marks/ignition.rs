//! What Ignition sets up: Flatcar and Fedora CoreOS.

use super::{Extent, Recognised, Value};
use crate::import::Error;
use crate::import::tree::{Tree, has, text};

const FLATCAR: &str = "flatcar_production_pxe.vmlinuz";
const FLATCAR_INITRD: &str = "flatcar_production_pxe_image.cpio.gz";

pub fn flatcar(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    if !has(tree, FLATCAR)? {
        return Ok(None);
    }
    let version = text(tree, "version.txt")?.unwrap_or_default();
    let said = |name: &str| version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let found = Recognised::new("ignition", "flatcar", FLATCAR, FLATCAR_INITRD);
    Ok(Some(Recognised {
        version: said("FLATCAR_VERSION").unwrap_or_default().to_owned(),
        arch: said("FLATCAR_BOARD").and_then(|board| board.split('-').next()).unwrap_or_default().to_owned(),
        variables: Vec::new(),
        extent: Extent::Boot,
        ..found
    }))
}

pub fn coreos(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    match from_files(&tree.names("")?) {
        Some(found) => Ok(Some(found)),
        None if has(tree, "images/pxeboot/rootfs.img")? => Ok(Some(from_image())),
        None => Ok(None),
    }
}

/// `fedora-coreos-40.20240416.3.1-live-kernel-x86_64`; since release 42 `-live-kernel.x86_64`.
fn from_files(names: &[String]) -> Option<Recognised> {
    let kernel = names.iter().find(|name| name.starts_with("fedora-coreos-") && is_kernel(name))?;
    let (head, tail) = kernel.split_once("-live-kernel")?;
    let version = head.strip_prefix("fedora-coreos-")?;
    let arch = tail.trim_start_matches(['-', '.']);
    let other = |part: &str| {
        let start = format!("{head}-live-{part}");
        names.iter().find(|name| name.starts_with(&start) && name.ends_with(".img")).cloned()
    };
    let found = Recognised::new("ignition", "fedora-coreos", kernel, other("initramfs")?);
    let rootfs = other("rootfs").map(|path| ("rootfs", Value::File(path)));
    Some(Recognised {
        version: version.to_owned(),
        arch: arch.to_owned(),
        variables: rootfs.into_iter().collect(),
        extent: Extent::Boot,
        ..found
    })
}

/// Its signature lies beside it, under the same name and an ending.
fn is_kernel(name: &str) -> bool {
    name.contains("-live-kernel") && !name.ends_with(".sig")
}

fn from_image() -> Recognised {
    let found = Recognised::new("ignition", "fedora-coreos", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img");
    let variables = vec![("rootfs", Value::File("images/pxeboot/rootfs.img".into()))];
    Recognised { variables, extent: Extent::Boot, ..found }
}
