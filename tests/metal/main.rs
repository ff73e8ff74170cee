//! Real firmware in QEMU against the true server: the whole life of a machine, step by step.
//!
//! As root, with what lab/packages.sh installs: `make metal`. One after the other, because each wants both cores.

mod cable;
mod capture;
mod chains;
mod debian;
mod disk;
mod fai;
mod fast;
mod http;
mod https;
mod inside;
mod koan;
mod power;
mod raw;
mod rig;
mod stock;

use power::{Firmware, Order};
use rig::Lab;
use serde_json::{Value, json};

/// Software emulation on a busy machine is slow: an install that takes two minutes alone may take ten.
const INSTALL_SECS: u64 = 900;
const BOOT_SECS: u64 = 400;

const ONE: &str = "52:54:00:77:01:01";
const TWO: &str = "52:54:00:77:01:02";
const STRANGER: &str = "52:54:00:77:01:99";

/// What an install leaves behind in the history, in this order.
const INSTALL: &[(&str, &str)] = &[
    ("lease", "10.77.0."),
    ("script", "installer of profile web, boot 1"),
    ("kernel", "debian-12/vmlinuz by HTTP"),
    ("file", "debian-12/initrd.img by HTTP"),
    ("file", "debian-12/live.squashfs by HTTP,"),
    ("answer", "which carries a single-use key of web"),
    ("state", "the installer runs"),
    ("progress", "unpacking"),
    ("state", "installed"),
    ("local", "sent to its own disk"),
    ("registered", "now spent"),
];

/// ROM, iPXE, installer and installed system say different things of themselves, and are one card.
fn assert_one_address(lab: &Lab, mac: &str, stages: usize) {
    let (all, count) = lab.addresses(mac);
    assert_eq!(all.len(), 1, "{mac} had {all:?}");
    assert!(count >= stages, "{mac} was given {all:?} {count} times only");
    lab.say(&format!("{mac} was given {} {count} times, and no other address", all[0]));
}

fn assert_registered(lab: &Lab, name: &str, mac: &str, ip: &str) -> Value {
    let machine = lab.machine(name);
    assert_eq!(machine["state"], "registered");
    assert_eq!((&machine["interfaces"][0]["mac"], &machine["interfaces"][0]["ip"]), (&json!(mac), &json!(ip)));
    assert_eq!(machine["inventory"]["hostname"], name);
    assert!(machine["inventory"]["interfaces"].to_string().contains(mac), "{}", machine["inventory"]);
    machine
}

#[test]
#[ignore = "virtual metal: make metal"]
fn bios_from_an_empty_disk_to_a_second_life_on_new_metal() {
    let mut lab = Lab::new("bios");
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10"]);

    broken_template_arms_nothing(&lab);
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    lab.assert_order(INSTALL);
    let first = assert_registered(&lab, "web-1", ONE, "10.77.0.10");
    assert_one_address(&lab, ONE, 3);

    boots_its_disk_from_the_network(&mut lab);
    rearmed_and_killed_in_the_middle_it_installs_once(&mut lab);
    replaced_it_is_the_same_system(&mut lab, &first);
}

fn broken_template_arms_nothing(lab: &Lab) {
    let own = lab.folder.join("etc/templates/image");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("install.sh"), "#!/bin/sh\n\necho {{ no_such_thing }}\n").unwrap();
    let text = lab.refused(&["machine", "arm", "web-1"]);
    assert!(text.contains("install.sh:3") && text.contains("no_such_thing"), "{text}");
    assert_eq!(lab.machine("web-1")["state"], "ready");
    std::fs::remove_file(own.join("install.sh")).unwrap();
    lab.say("a broken template arms nothing and names its line");
}

/// The network comes first, and leads to the disk: the installed system checks in again.
fn boots_its_disk_from_the_network(lab: &mut Lab) {
    disk::assert_way_is_short(lab, ONE, Firmware::Bios);
    lab.until("the installed system is up", BOOT_SECS, |lab| lab.console("one").contains("web-1 login:"));
    assert_eq!(lab.machine("web-1")["state"], "registered");
    assert_eq!(lab.count("script", "installer of profile"), 1, "no second install");
}

fn rearmed_and_killed_in_the_middle_it_installs_once(lab: &mut Lab) {
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_off("one");
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until("it unpacks its system", INSTALL_SECS, |lab| {
        lab.machine("web-1")["state"] == "installing" && lab.console("one").contains("unpacking")
    });
    lab.kill_server();
    std::thread::sleep(std::time::Duration::from_secs(5));
    lab.serve();
    lab.until_state("web-1", "registered", INSTALL_SECS);
    assert_eq!(lab.count("script", "installer of profile"), 2, "each arming installs exactly once");
    assert_eq!(lab.json(&["key", "show", "web"])["used"], 1, "systems are counted, not installs");
}

fn replaced_it_is_the_same_system(lab: &mut Lab, first: &Value) {
    lab.power_off("one");
    lab.cli(&["machine", "replace", "web-1", "--mac", TWO]);
    assert_eq!(lab.machine("web-1")["state"], "ready", "replacing arms nothing");
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("two", TWO, Firmware::Bios, Order::NetworkFirst);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    let second = assert_registered(lab, "web-1", TWO, "10.77.0.10");
    assert_eq!((&first["id"], &first["name"]), (&second["id"], &second["name"]));
    lab.power_off("two");

    let heard = lab.count("alarm", ONE);
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until("the old card is heard", BOOT_SECS, |lab| {
        lab.count("alarm", &format!("the replaced card {ONE}")) > heard
    });
    let leases = lab.json(&["lease", "list"]).to_string();
    assert!(!leases.contains(ONE) && leases.contains(TWO), "the old card gets nothing: {leases}");
}

#[test]
#[ignore = "virtual metal: make metal"]
fn a_stranger_gets_nothing_then_a_record_then_one_install() {
    let mut lab = Lab::new("stranger");
    lab.power_on("stranger", STRANGER, Firmware::Bios, Order::DiskFirst);
    lab.until("it was heard", BOOT_SECS, |lab| lab.count("silence", "no record holds this MAC") > 0);
    assert_eq!(
        (lab.json(&["lease", "list"]), lab.json(&["machine", "list"])),
        (json!([]), json!([])),
        "and got nothing"
    );
    lab.power_off("stranger");

    lab.cli(&["network", "set", "lab", "--unknown", "discover"]);
    lab.power_on("stranger", STRANGER, Firmware::Bios, Order::DiskFirst);
    let name = STRANGER.replace(':', "-");
    lab.until("it is listed", BOOT_SECS, |lab| lab.json(&["machine", "list"]).to_string().contains(&name));
    assert_eq!(lab.machine(&name)["state"], "discovered");
    lab.power_off("stranger");
    lab.cli(&["machine", "remove", &name]);

    // Its disk comes first, and is empty: it installs just the same.
    lab.cli(&["network", "set", "lab", "--unknown", "install", "--profile", "web"]);
    lab.power_on("stranger", STRANGER, Firmware::Bios, Order::DiskFirst);
    lab.until("it is taken in", BOOT_SECS, |lab| lab.json(&["machine", "list"]).to_string().contains(&name));
    lab.until_state(&name, "registered", INSTALL_SECS);
    assert_eq!(lab.count("file", "root.tar.zst by HTTPS"), 1, "what follows the loader is verified");
    assert_one_address(&lab, STRANGER, 3);
    lab.power_off("stranger");
    lab.power_on("stranger", STRANGER, Firmware::Bios, Order::NetworkFirst);
    lab.until("it is sent to its own disk", BOOT_SECS, |lab| lab.count("local", "sent to its own disk") > 0);
    assert_eq!(lab.count("script", "installer of profile"), 1, "exactly once");
}

/// The network has its DHCP server already: both firmwares take their address there and their program here.
#[test]
#[ignore = "virtual metal: make metal"]
fn beside_another_dhcp_server_both_firmwares_boot_what_is_named_here() {
    let mut lab = Lab::new("proxy");
    lab.cli(&["network", "set", "lab", "--dhcp", "proxy"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--profile", "web"]);
    lab.other_dhcp_server(ONE, "10.77.0.33");
    for firmware in [Firmware::Bios, Firmware::Uefi] {
        lab.cli(&["machine", "arm", "web-1"]);
        let before = lab.count("kernel", "debian-12/vmlinuz by HTTP");
        lab.power_on("one", ONE, firmware, Order::NetworkFirst);
        lab.until("the installer's kernel went out", BOOT_SECS, |lab| {
            lab.count("kernel", "debian-12/vmlinuz by HTTP") > before
        });
        let leases = lab.json(&["lease", "list"]);
        let ips: Vec<_> = leases.as_array().unwrap().iter().map(|lease| lease["ip"].clone()).collect();
        assert_eq!(ips, ["10.77.0.33"], "the address is the other server's");
        lab.until_state("web-1", "installing", BOOT_SECS);
        lab.power_off("one");
        lab.cli(&["machine", "disarm", "web-1"]);
    }
    assert!(lab.count("loader", "snponly.efi by TFTP") > 0, "UEFI took its loader here");
}
