//! What to install: the distro (whose files) and the profile (how), with the variables that both carry.

use super::{DiskBoot, Name, Names, OptionSet, Secrets, Variables, words};
use serde::{Deserialize, Serialize};

words! {
    /// How an installer is driven: which answer file it reads and how it is told where that is.
    Family, "a family (one of image, redhat, debian, ubuntu, suse, agama, ignition, esxi, fai)" {
        /// Our own live system, which puts a root filesystem or a raw disk onto the disk.
        Image = "image",
        /// Anaconda and its kickstart: RHEL, Alma, Rocky, Oracle, CentOS, Fedora.
        Redhat = "redhat",
        /// debian-installer and its preseed: Debian, and Ubuntu before its server installer.
        Debian = "debian",
        /// Ubuntu's server installer (Subiquity) and its autoinstall file.
        Ubuntu = "ubuntu",
        /// YaST and its AutoYaST file: SLE 12 and 15, openSUSE Leap 15.
        Suse = "suse",
        /// Agama and its profile: SLE 16, openSUSE Leap 16, Tumbleweed.
        Agama = "agama",
        /// A live system that Ignition sets up: Fedora CoreOS, Flatcar.
        Ignition = "ignition",
        /// VMware's installer and its kickstart.
        Esxi = "esxi",
        /// FAI, which keeps how to install in a configuration space of the operator's.
        Fai = "fai",
    }
}

/// The files that boot an installer. Paths lie below the appliance's `files` folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distro {
    pub name: Name,
    pub family: Family,
    pub kernel: String,
    pub initrd: String,
    /// Kernel arguments of the installer, before the family's own and the profile's.
    pub arguments: String,
    pub variables: Variables,
    #[serde(skip)]
    pub secrets: Secrets,
    /// The loader that starts its kernel: under Secure Boot only the one of the same family does.
    pub loader: Option<Name>,
}

/// How to install. What it does not say, its parent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub name: Name,
    pub parent: Option<Name>,
    pub distro: Option<Name>,
    /// The answer file's template below `templates/`; by default the family's own.
    pub template: Option<String>,
    /// Kernel arguments, after the distro's.
    pub arguments: String,
    /// The activation keys whose groups a machine joins. What an earlier version wrote was one key, or none.
    #[serde(default, alias = "key")]
    pub keys: Names,
    pub variables: Variables,
    #[serde(skip)]
    pub secrets: Secrets,
    /// DHCP options of its machines.
    pub options: OptionSet,
    /// The loader that its machines are given, where the distro's or the usual one does not do.
    pub loader: Option<Name>,
    /// The way of its machines to their own disks.
    pub disk_boot: Option<DiskBoot>,
}
