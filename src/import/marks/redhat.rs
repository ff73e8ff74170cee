//! Anaconda's trees: RHEL, Alma, Rocky, Oracle, CentOS, Fedora.

use super::{Recognised, ini};
use crate::import::Error;
use crate::import::tree::{Tree, has, plain, text};

/// What they call themselves, and what everybody calls them.
const PRODUCTS: &[(&str, &str)] = &[
    ("Red Hat Enterprise Linux", "rhel"),
    ("Rocky Linux", "rocky"),
    ("Oracle Linux", "oracle"),
    ("CentOS Linux", "centos"),
];

const KERNEL: &str = "images/pxeboot/vmlinuz";
const INITRD: &str = "images/pxeboot/initrd.img";

pub fn anaconda(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    if let Some(info) = text(tree, ".treeinfo")? {
        return Ok(treeinfo(&info));
    }
    match text(tree, ".discinfo")? {
        Some(info) if has(tree, KERNEL)? => Ok(discinfo(&info)),
        _ => Ok(None),
    }
}

fn treeinfo(info: &str) -> Option<Recognised> {
    // Since Fedora 20 `[release]` says it, too, but `[general]` is there still.
    let said = |name| ini::value(info, "general", name);
    let family = said("family").or_else(|| ini::value(info, "release", "name"))?;
    let version = said("version").or_else(|| ini::value(info, "release", "version")).unwrap_or_default();
    let arch = said("arch").or_else(|| ini::value(info, "tree", "arch")).unwrap_or_default();
    let images = format!("images-{arch}");
    // What leads out of the tree is no file of it.
    let image = |name, usual: &str| ini::value(info, &images, name).map_or(Some(usual.to_owned()), plain);
    let found = Recognised::new("redhat", product(family), image("kernel", KERNEL)?, image("initrd", INITRD)?);
    Some(Recognised { version: version.to_owned(), arch: arch.to_owned(), ..found })
}

/// A moment, the product with its version, the architecture: a line each.
fn discinfo(info: &str) -> Option<Recognised> {
    let mut lines = info.lines().skip(1).map(str::trim);
    let (name, arch) = (lines.next()?, lines.next()?);
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let version = name.split_whitespace().find(is_version).unwrap_or_default();
    let family = name.split(version).next().filter(|_| !version.is_empty()).unwrap_or(name);
    let found = Recognised::new("redhat", product(family), KERNEL, INITRD);
    Some(Recognised { version: version.to_owned(), arch: arch.to_owned(), ..found })
}

fn product(family: &str) -> &str {
    PRODUCTS.iter().find(|(long, _)| family.starts_with(long)).map_or(family.trim(), |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_treeinfo_names_outside_of_its_tree_is_not_believed() {
        let info = "[general]\nfamily = AlmaLinux\narch = x86_64\n[images-x86_64]\nkernel = ../../etc/shadow\n";
        assert_eq!(treeinfo(info), None);
        assert!(treeinfo(&info.replace("../../", "")).is_some());
    }
}
