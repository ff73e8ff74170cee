//! A bad cable: a fifth of what goes either way is lost, and a fifth of what the server sends comes twice.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE, capture};
use std::process::Command;

fn spoil(lab: &Lab) {
    let rules = "add table netdev weather; \
        add chain netdev weather out { type filter hook egress device br0 priority 0; }; \
        add rule netdev weather out meta l4proto udp numgen random mod 100 < 20 drop; \
        add rule netdev weather out meta l4proto udp numgen random mod 100 < 20 dup to br0; \
        add chain netdev weather in { type filter hook ingress device br0 priority 0; }; \
        add rule netdev weather in meta l4proto udp numgen random mod 100 < 20 drop";
    let done = Command::new("ip").args(["netns", "exec", &lab.name, "nft", rules]).status().unwrap();
    assert!(done.success(), "nftables spoils the cable");
}

#[test]
#[ignore = "long: make metal"]
fn long_uefi_reads_its_loader_whole_over_a_bad_cable() {
    let mut lab = Lab::new("cable");
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10"]);
    lab.cli(&["machine", "arm", "web-1"]);
    spoil(&lab);
    let packets = lab.folder.join("boot.pcap");
    lab.power_on_captured("one", ONE, Firmware::Uefi, Order::NetworkFirst, &packets.display().to_string());
    lab.until("its loader went out", BOOT_SECS, |lab| lab.count("loader", "snponly.efi by TFTP") > 0);
    lab.until("it runs, and asks for its script", BOOT_SECS, |lab| lab.count("script", "installer of profile") > 0);
    let loader = std::fs::read("/usr/lib/ipxe/snponly.efi").unwrap();
    assert!(capture::tftp_file(&packets) == loader, "the loader's bytes are those of the file");
}
