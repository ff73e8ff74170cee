//! What tells the families apart: the MARKS table, one file for each row or two that are looked for alike.

mod debian;
mod esxi;
mod ignition;
mod image;
pub mod ini;
mod redhat;
mod suse;

use super::Error;
use super::tree::{Tree, Under};

/// What a variable of a distro stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The whole tree.
    Tree,
    /// A file of it.
    File(String),
    /// The image itself, which is kept beside what was in it.
    Image,
    Text(String),
}

/// How much of a tree is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Whole,
    /// The kernel, the initrd, and the files that variables name.
    Boot,
}

/// What a tree turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// As `--family` takes it.
    pub family: String,
    /// What it calls itself, in the form of names here: `almalinux`.
    pub product: String,
    pub version: String,
    pub arch: String,
    pub kernel: String,
    pub initrd: String,
    pub variables: Vec<(&'static str, Value)>,
    pub extent: Extent,
    /// What an operator should know of it.
    pub notes: Vec<String>,
}

impl Recognised {
    pub fn new(family: &str, product: &str, kernel: impl Into<String>, initrd: impl Into<String>) -> Recognised {
        Recognised {
            family: family.to_owned(),
            product: slug(product),
            version: String::new(),
            arch: String::new(),
            kernel: kernel.into(),
            initrd: initrd.into(),
            variables: vec![("tree", Value::Tree)],
            extent: Extent::Whole,
            notes: Vec::new(),
        }
    }

    /// With paths that count from the top of a whole of which it was recognised in a folder.
    pub fn placed(mut self, under: &Under) -> Recognised {
        for path in [&mut self.kernel, &mut self.initrd].into_iter().filter(|path| !path.is_empty()) {
            *path = under.place(path);
        }
        for (_, value) in &mut self.variables {
            if let Value::File(path) = value {
                *path = under.place(path);
            }
        }
        self
    }

    /// `almalinux-9.4-x86_64`.
    pub fn name(&self) -> String {
        let parts = [&self.product, &self.version, &self.arch];
        let parts: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| slug(part)).collect();
        parts.join("-").chars().take(63).collect()
    }
}

/// What is looked for, in the words of the error that says that nothing was found, and how.
pub struct Mark {
    pub family: &'static str,
    pub looks_for: &'static str,
    pub look: fn(&dyn Tree) -> Result<Option<Recognised>, Error>,
}

/// In this order: SUSE and Fedora CoreOS have a `.treeinfo`, too.
pub const MARKS: &[Mark] = &[
    Mark { family: "agama", looks_for: "LiveOS/squashfs.img beside boot/ARCH/loader/linux", look: suse::agama },
    Mark { family: "suse", looks_for: "media.1/media or content beside boot/ARCH/loader/linux", look: suse::autoyast },
    Mark { family: "ignition", looks_for: "flatcar_production_pxe.vmlinuz", look: ignition::flatcar },
    Mark {
        family: "ignition",
        looks_for: "fedora-coreos-*-live-kernel*, or images/pxeboot/rootfs.img",
        look: ignition::coreos,
    },
    Mark {
        family: "redhat",
        looks_for: ".treeinfo, or .discinfo beside images/pxeboot/vmlinuz",
        look: redhat::anaconda,
    },
    Mark { family: "ubuntu", looks_for: ".disk/info beside casper/vmlinuz", look: debian::casper },
    Mark {
        family: "debian",
        looks_for: "debian-installer/ARCH/linux, also in dists/SUITE/main/installer-ARCH, or .disk/info beside install.ARCH",
        look: debian::installer,
    },
    Mark { family: "esxi", looks_for: "boot.cfg beside efi/boot/bootx64.efi", look: esxi::esxi },
    Mark {
        family: "image",
        looks_for: "vmlinuz, initrd.img and live.squashfs beside one image (*.tar, *.raw or *.img, each also with .zst, .xz or .gz); or one alone",
        look: image::image,
    },
];

pub fn recognise(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    for mark in MARKS {
        if let Some(found) = (mark.look)(tree)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The list of all that was looked for.
pub fn looked_for() -> String {
    MARKS
        .iter()
        .map(|mark| format!("  {:<9} {}\n", mark.family, mark.looks_for))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Lower-case letters, digits and dots; all else becomes a dash.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_') {
            true => slug.push(c),
            false if !slug.ends_with('-') && !slug.is_empty() => slug.push('-'),
            false => {}
        }
    }
    slug.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// The first of these that is there.
fn first_of(tree: &dyn Tree, paths: &[String]) -> Result<Option<String>, Error> {
    for path in paths {
        if tree.find(path)?.is_some() {
            return Ok(Some(path.clone()));
        }
    }
    Ok(None)
}
