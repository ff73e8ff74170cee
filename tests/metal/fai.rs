//! FAI, which none of us wrote: from an empty disk to a registered system, with a configuration space as operators have one.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE, assert_registered};

/// FAI fetches its live system, unpacks and configures a base system: twice as long as an image.
const FAI_SECS: u64 = 1800;

const FAI: &[(&str, &str)] = &[
    ("script", "installer of profile fai, boot 1"),
    ("kernel", "fai/vmlinuz by HTTP"),
    ("file", "fai/initrd.img by HTTP"),
    ("file", "fai/squash.img by HTTP"),
    ("file", "fai/config.tar.gz by HTTP"),
    ("answer", "which carries a single-use key of web"),
    ("state", "the installer runs"),
    ("state", "installed"),
    ("local", "sent to its own disk"),
    ("registered", "now spent"),
];

#[test]
#[ignore = "long: make metal"]
fn long_fai_installs_a_disk_to_the_end_and_the_system_registers() {
    let mut lab = Lab::new("fai");
    // Its live system and the configuration space lie in memory.
    lab.memory_mib = 2560;
    let folder = lab.folder.join("files/fai").display().to_string();
    let root = lab.folder.join("files/debian-12/root.tar.zst").display().to_string();
    crate::rig::lab("fai.sh", &[&folder, &root], &[]);
    // Emulated, the largest module that udev would load takes two minutes.
    let distro =
        ["distro", "add", "fai-6", "--family", "fai", "--arguments", "console=ttyS0 modprobe.blacklist=kvm_amd"];
    let files = ["--kernel", "fai/vmlinuz", "--initrd", "fai/initrd.img"];
    let variables = ["--var", "live=fai/squash.img", "--var", "config_space=fai/config.tar.gz"];
    lab.cli(&[&distro[..], &files, &variables].concat());
    let settings = ["--var", "disk=/dev/vda", "--var", "kernel_arguments=console=ttyS0"];
    lab.cli(&[&["profile", "add", "fai", "--from", "fai", "--key", "web"][..], &settings].concat());
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10", "--profile", "fai"]);

    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until_state("web-1", "installing", BOOT_SECS);
    lab.until_state("web-1", "installed", FAI_SECS);
    lab.until_state("web-1", "registered", BOOT_SECS);
    lab.assert_order(FAI);
    assert_registered(&lab, "web-1", ONE, "10.77.0.10");
    assert_eq!(lab.count("script", "installer of profile"), 1, "once");
    lab.until("the installed system is up", BOOT_SECS, |lab| lab.console("one").contains("web-1 login:"));
}
