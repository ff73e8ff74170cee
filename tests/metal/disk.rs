//! The network comes first and leads to the disk, quickly: after a real install, with three firmwares on one disk. From there its
//! system reinstalls itself, and falls back.

use crate::capture;
use crate::inside::{falls_back_where_the_new_kernel_never_reports, wished_for_it_reinstalls_by_kexec};
use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, INSTALL, INSTALL_SECS, ONE, assert_one_address, assert_registered};

/// From power-on to the first word of the kernel on the disk.
const QUICK_SECS: f64 = 20.0;
/// A host that compiles meanwhile is no measure: the best of so many.
const TRIES: usize = 3;

/// What is too long here: `make metal` wants [`QUICK_SECS`], other runs share their host.
fn limit_secs() -> f64 {
    let set = std::env::var("METAL_DISK_SECS").ok().map(|text| text.parse().expect("METAL_DISK_SECS is a number"));
    set.unwrap_or(30.0)
}

/// Machine `one` has an installed disk. It is left running.
pub fn assert_way_is_short(lab: &mut Lab, mac: &str, firmware: Firmware) {
    // Or iPXE in the card's ROM spends 16 s on a router that nobody plays.
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let before = lab.count("local", "sent to its own disk");
        lab.power_off("one");
        lab.power_on("one", mac, firmware, Order::NetworkFirst);
        best = best.min(lab.seconds_until_it_says("one", "Linux version", BOOT_SECS));
        assert!(lab.count("local", "sent to its own disk") > before, "it asked first");
        if best <= QUICK_SECS {
            break;
        }
    }
    lab.say(&format!("{firmware:?} is at its own disk's kernel after {best:.1} s"));
    assert!(best <= limit_secs(), "{firmware:?} takes {best:.1} s to its own disk: more than {}", limit_secs());
}

#[test]
#[ignore = "virtual metal: make metal"]
fn uefi_takes_its_loader_by_tftp_installs_and_goes_to_its_disk() {
    let mut lab = Lab::new("uefi");
    lab.let_in();
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10"]);
    lab.cli(&["machine", "arm", "web-1"]);
    let capture = lab.folder.join("boot.pcap");
    lab.power_on_captured("one", ONE, Firmware::Uefi, Order::NetworkFirst, &capture.display().to_string());
    lab.until("its loader went out", BOOT_SECS, |lab| lab.count("loader", "snponly.efi by TFTP") > 0);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    let mut steps = INSTALL.to_vec();
    steps.insert(1, ("loader", "snponly.efi by TFTP"));
    lab.assert_order(&steps);
    let machine = assert_registered(&lab, "web-1", ONE, "10.77.0.10");
    assert_eq!(machine["inventory"]["firmware"], "uefi");
    assert_one_address(&lab, ONE, 4);

    let sent = capture::tftp_file(&capture);
    let loader = std::fs::read("/usr/lib/ipxe/snponly.efi").unwrap();
    assert!(sent == loader, "the loader's {} bytes arrived as {} bytes", loader.len(), sent.len());
    std::fs::remove_file(capture).unwrap();
    lab.say("the loader's bytes are those of the file");

    assert_way_is_short(&mut lab, ONE, Firmware::Uefi);
    lab.until("the installed system is up", BOOT_SECS, |lab| lab.console("one").contains("web-1 login:"));
    // One disk boots from each firmware, and what is signed from one that asks for it.
    assert_way_is_short(&mut lab, ONE, Firmware::Secure);
    lab.until("Secure Boot is on", BOOT_SECS, |lab| lab.console("one").contains("Secure boot enabled"));
    // The running kernel is signed, knows whose signatures count, and is locked down.
    wished_for_it_reinstalls_by_kexec(&mut lab);
    assert_way_is_short(&mut lab, ONE, Firmware::Bios);
    falls_back_where_the_new_kernel_never_reports(&mut lab, Firmware::Bios);
    let by_network = lab.count("script", "installer of profile") - lab.count("script", "for its running system");
    assert_eq!(by_network, 1, "no second install by the network");
}
