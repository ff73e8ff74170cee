//! Each way from firmware to a login prompt: loaders of Debian as they are, signed where it matters.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE};

const LOGIN: &str = "login: root (automatic login)";

/// A lab whose only machine is armed with a live system, by this loader.
fn armed(name: &str, profile: &str, loader: &str) -> Lab {
    let mut lab = Lab::new(name);
    if profile == "live-arm64" {
        // All that its small system has is busybox's wget, which can not verify whom it speaks to.
        lab.serve_with("[https]\nserve = false\n");
    }
    lab.import_loaders();
    lab.add_live();
    lab.add_live_of_arm64();
    // What is measured here is the chain, not iPXE's patience.
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10", "--profile", profile, "--loader", loader]);
    lab.cli(&["machine", "arm", "web-1"]);
    lab
}

/// From power-on to the login prompt, and each of these on the way, in this order.
fn reaches_login(lab: &mut Lab, firmware: Firmware, way: &[(&str, &str)]) {
    lab.power_on("one", ONE, firmware, Order::NetworkFirst);
    lab.seconds_until_it_says("one", LOGIN, BOOT_SECS);
    lab.assert_order(way);
    lab.until_state("web-1", "installing", 20);
}

#[test]
#[ignore = "virtual metal: make metal"]
fn bios_starts_pxelinux_which_starts_the_live_system() {
    let mut lab = armed("pxelinux", "live", "pxelinux");
    let way = [
        ("loader", "pxelinux/pxelinux.0 by TFTP"),
        ("loader", "pxelinux/ldlinux.c32 by TFTP"),
        ("script", "installer of profile live"),
        ("kernel", "debian-12/vmlinuz by TFTP"),
        ("file", "debian-12/initrd.img by TFTP"),
        ("state", "the installer runs"),
    ];
    reaches_login(&mut lab, Firmware::Bios, &way);
}

/// What shim and Debian's GRUB do, whether or not the firmware insists on signatures.
const SIGNED: [(&str, &str); 6] = [
    ("loader", "debian-12-secure/shimx64.efi by TFTP"),
    ("loader", "debian-12-secure/grubx64.efi by TFTP"),
    ("script", "installer of profile live"),
    ("kernel", "debian-12/vmlinuz by TFTP"),
    ("file", "debian-12/initrd.img by TFTP"),
    ("state", "the installer runs"),
];

#[test]
#[ignore = "long: make metal"]
fn long_uefi_starts_grub_which_starts_the_live_system() {
    let mut lab = armed("grub", "live", "debian-12-secure");
    reaches_login(&mut lab, Firmware::Uefi, &SIGNED);
    assert!(!lab.console("one").contains("Secure boot enabled"));
}

#[test]
#[ignore = "virtual metal: make metal"]
fn secure_boot_starts_only_what_is_signed_to_the_live_system() {
    let mut lab = armed("secure", "live", "debian-12-secure");
    reaches_login(&mut lab, Firmware::Secure, &SIGNED);
    assert!(lab.console("one").contains("Secure boot enabled"));
}

#[test]
#[ignore = "virtual metal: make metal"]
fn arm64_starts_grub_which_starts_a_system() {
    let mut lab = armed("arm64", "live-arm64", "debian-12-arm64");
    let way = [
        ("loader", "debian-12-arm64/shimaa64.efi by TFTP"),
        ("loader", "debian-12-arm64/grubaa64.efi by TFTP"),
        ("script", "installer of profile live-arm64"),
        ("kernel", "arm64/vmlinuz by TFTP"),
        ("file", "arm64/initrd.gz by TFTP"),
        ("state", "the installer runs"),
    ];
    reaches_login(&mut lab, Firmware::Arm64, &way);
}

#[test]
#[ignore = "long: make metal"]
fn long_arm64_starts_grub_by_http() {
    let mut lab = armed("arm64-http", "live-arm64", "grub-http-arm64");
    let way = [
        ("loader", "grub-http-arm64/grubaa64.efi by HTTP"),
        ("script", "installer of profile live-arm64"),
        ("kernel", "arm64/vmlinuz by HTTP"),
        ("file", "arm64/initrd.gz by HTTP"),
        ("state", "the installer runs"),
    ];
    reaches_login(&mut lab, Firmware::Arm64Http, &way);
    assert_eq!(lab.count("loader", "by TFTP"), 0);
}

#[test]
#[ignore = "long: make metal"]
fn long_uefi_starts_grub_by_http() {
    let mut lab = armed("grub-http", "live", "grub-http-x64");
    let way = [
        ("loader", "grub-http-x64/grubx64.efi by HTTP"),
        ("script", "installer of profile live"),
        ("kernel", "debian-12/vmlinuz by HTTP"),
        ("file", "debian-12/initrd.img by HTTP"),
        ("state", "the installer runs"),
    ];
    reaches_login(&mut lab, Firmware::Http, &way);
    assert_eq!(lab.count("loader", "by TFTP"), 0);
}
