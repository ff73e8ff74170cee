//! The real koan inside an installed machine: `--replace-self --kexec` starts our installer from the running system.

use crate::power::{Firmware, Order};
use crate::rig::{Lab, lab as script};
use crate::{BOOT_SECS, INSTALL_SECS, ONE, assert_registered};

/// What its own system, and then the installer that this one started, leave behind in the history.
const FROM_INSIDE: &[(&str, &str)] = &[
    ("state", "armed by"),
    ("file", "debian-12/initrd.img by HTTP"),
    ("kernel", "debian-12/vmlinuz by HTTP"),
    ("file", "debian-12/live.squashfs by HTTP,"),
    ("script", "installer of profile web, boot 1 of at most 3, started by its running system"),
    ("answer", "answer file of web-1, asked for by name, which carries a single-use key of web"),
    ("state", "the installer runs"),
    ("progress", "unpacking"),
    ("state", "installed"),
    ("registered", "now spent"),
];

#[test]
#[ignore = "long: make metal"]
fn long_koan_replaces_its_own_system_by_kexec() {
    let mut lab = Lab::new("koan");
    let images = lab.folder.join("files/debian-12");
    let root = images.join("root.tar.zst").display().to_string();
    script("koan.sh", &[&lab.folder.join("koan").display().to_string(), &root], &[]);
    let carrier = images.join("koan.tar.zst");
    std::fs::copy(lab.folder.join("koan/root.tar.zst"), &carrier).unwrap();
    lab.serve_with("[cobbler]\nserve = true\n");
    lab.cli(&["distro", "set", "debian-12", "--var", "image=debian-12/koan.tar.zst"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10"]);
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    let first = assert_registered(&lab, "web-1", ONE, "10.77.0.10");
    lab.until("the installed system is up", BOOT_SECS, |lab| lab.console("one").contains("web-1 login:"));

    lab.cli(&["machine", "arm", "web-1"]);
    lab.until("koan starts the installer", BOOT_SECS, |lab| lab.console("one").contains("koan: starting it"));
    lab.until_state("web-1", "installing", BOOT_SECS);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    lab.assert_order(FROM_INSIDE);
    let second = assert_registered(&lab, "web-1", ONE, "10.77.0.10");
    assert_eq!((&first["id"], &first["name"]), (&second["id"], &second["name"]), "the same system");
    assert_eq!(lab.json(&["key", "show", "web"])["used"], 1, "systems are counted, not installs");
    assert_eq!(lab.count("script", "installer of profile"), 2, "one by the network, one from inside");
}
