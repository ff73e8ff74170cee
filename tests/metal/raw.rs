//! A raw disk image with cloud-init, as clouds have them: taken in, written to a larger disk, and up from there.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, INSTALL_SECS, ONE, assert_registered};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What the script says on the console, in this order.
const WRITTEN: &[(&str, &str)] = &[
    ("script", "installer of profile raw, boot 1"),
    ("file", "debian-12/live.squashfs by HTTP,"),
    ("answer", "which carries a single-use key of web"),
    ("state", "the installer runs"),
    ("progress", "wiping what /dev/vda held"),
    ("progress", "writing the disk"),
    ("file", "distros/cloud/disk.raw.zst by HTTPS"),
    ("state", "installed"),
    ("local", "sent to its own disk"),
    ("registered", "now spent"),
];

/// By cloud-init, at its first boot: an address of its own, a name for its card, and what the operator wants.
const USER_DATA: &str = "#!/bin/sh
echo \"user-data: $(hostname), $(ip -4 -brief address show dev nic0 | xargs), id $(cut -c 1-8 /etc/machine-id)\" >/dev/console
echo \"user-data: root has $(cat /root/.ssh/authorized_keys), keys of $(ls /etc/ssh/ssh_host_*_key | wc -l)\" >/dev/console
";

#[test]
#[ignore = "long: make metal"]
fn long_a_raw_disk_is_written_grows_and_is_seeded() {
    let mut lab = Lab::new("raw");
    let folder = lab.folder.join("image");
    let root = lab.folder.join("files/debian-12/root.tar.zst").display().to_string();
    crate::rig::lab("raw.sh", &[&folder.display().to_string(), &root], &[]);
    let settings = lab.folder.join("kickstand.toml").display().to_string();
    let image = folder.join("disk.raw.zst").display().to_string();
    let told =
        ["--config", &settings, "--name", "cloud", "--live", "debian-12", "--arguments", "console=ttyS0 tsc=reliable"];
    lab.cli(&[&["distro", "import", &image][..], &told].concat());
    let given = ["--var", "addressing=static", "--var", "ssh_authorized_keys=[\"ssh-ed25519 AAAA me\"]"];
    let user_data = format!("user_data={USER_DATA}");
    let profile =
        ["profile", "add", "raw", "--from", "image", "--distro", "cloud", "--key", "web", "--var", &user_data];
    lab.cli(&[&profile[..], &given].concat());
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10", "--profile", "raw"]);

    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Uefi, Order::NetworkFirst);
    lab.until_state("web-1", "installed", INSTALL_SECS);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    lab.assert_order(WRITTEN);
    assert_registered(&lab, "web-1", ONE, "10.77.0.10");
    lab.until("cloud-init ran what it was given", BOOT_SECS, |lab| lab.console("one").contains("user-data: root has"));
    let console = lab.console("one");
    for wanted in ["user-data: web-1, nic0 UP 10.77.0.10/24, id ", "root has ssh-ed25519 AAAA me, keys of "] {
        assert!(console.contains(wanted), "no {wanted:?} on the console");
    }
    assert!(!console.contains("id 01234567") && !console.contains("keys of 0"), "what came with the image is not kept");
    assert_eq!(lab.count("script", "installer of profile"), 1, "once");
    lab.power_off("one");
    assert_whole(&lab.folder.join("vm/one.qcow2"));
}

/// The last partition ends where the disk does, and so does the second table.
fn assert_whole(disk: &Path) {
    let raw = disk.with_extension("raw");
    let output = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    output(Command::new("qemu-img").args(["convert", "-O", "raw"]).args([disk, &raw]));
    let table: Value = serde_json::from_str(&output(Command::new("sfdisk").arg("--json").arg(&raw))).unwrap();
    let table = &table["partitiontable"];
    let sectors = std::fs::metadata(&raw).unwrap().len() / 512;
    let root = &table["partitions"][1];
    let end = root["start"].as_u64().unwrap() + root["size"].as_u64().unwrap();
    assert_eq!(table["lastlba"], sectors - 34, "the second table is at the end of the disk");
    assert!(end > sectors - 4096, "the root partition ends at {end} of {sectors}");
    let verified = output(Command::new("sfdisk").arg("--verify").arg(&raw));
    assert!(verified.contains("No errors detected"), "{verified}");
    let offset = root["start"].as_u64().unwrap() * 512;
    let size = output(Command::new("dumpe2fs").arg("-h").arg(format!("{}?offset={offset}", raw.display())));
    let blocks =
        size.lines().find_map(|line| line.strip_prefix("Block count:")).unwrap().trim().parse::<u64>().unwrap();
    assert!(blocks * 4096 > (end - 67584) * 512 - (1 << 22), "its file system has {blocks} blocks");
}
