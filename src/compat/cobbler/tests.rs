//! What koan's traps are: each field in the type that it takes, or not there.

use super::*;
use crate::boot::{Here, lifecycle};
use crate::model::{Distro, Family, Machine, Network, State, Time, Variables};
use serde_json::json;
use uuid::Uuid;

fn distro(name: &str, family: Family) -> Distro {
    serde_json::from_value(json!({
        "name": name, "family": family, "kernel": "d/vmlinuz", "initrd": "d/initrd.img", "arguments": "quiet",
        "variables": {}, "loader": null,
    }))
    .unwrap()
}

fn variables(value: serde_json::Value) -> Variables {
    serde_json::from_value(value).unwrap()
}

fn machine() -> Machine {
    let mac = "52:54:00:00:00:01".parse().unwrap();
    let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::nil(); 2], Time::from_secs(0));
    machine.name = "web-1".parse().unwrap();
    machine
}

fn sheet(family: Family, name: &str, line: &str) -> Sheet {
    let network: Network = serde_json::from_value(json!({
        "name": "lab", "cidr": "10.0.0.0/24", "gateway": "10.0.0.1", "dns": ["10.0.0.1", "10.0.0.2"], "domain": "lab.test",
        "lease_secs": 600, "profile": null, "pools": [], "unknown": "ignore", "dhcp": {}, "variables": {},
    }))
    .unwrap();
    Sheet {
        machine: Some(machine()),
        seat: Some((network, [10, 0, 0, 10].into())),
        profile: "web".parse().unwrap(),
        distro: distro(name, family),
        here: Here { ip: [10, 0, 0, 1].into(), http_port: 80, https_port: None, pinned: None },
        command_line: line.into(),
        tree: "http://10.0.0.1/files/d/tree".into(),
        variables: Variables::new(),
    }
}

#[test]
fn a_breed_is_what_clients_can_compare() {
    for (name, family, said, wanted) in [
        ("rocky-9.4-x86_64", Family::Redhat, json!({}), ("redhat", "rhel9", "x86_64")),
        ("el8", Family::Redhat, json!({"release": "9"}), ("redhat", "rhel8", "x86_64")),
        ("servers", Family::Redhat, json!({"release": "10"}), ("redhat", "rhel10", "x86_64")),
        ("fedora-40", Family::Redhat, json!({"release": "9"}), ("redhat", "fedora40", "x86_64")),
        ("desktop", Family::Redhat, json!({"release": "43"}), ("redhat", "fedora43", "x86_64")),
        ("x", Family::Redhat, json!({"os_version": "rhel8.6"}), ("redhat", "rhel8", "x86_64")),
        ("x", Family::Redhat, json!({"os_version": "rhelnext"}), ("redhat", "other", "x86_64")),
        ("x", Family::Redhat, json!({}), ("redhat", "other", "x86_64")),
        ("debian-bookworm-arm64", Family::Debian, json!({}), ("debian", "bookworm", "aarch64")),
        ("ubuntu-20.04", Family::Debian, json!({"suite": "focal"}), ("ubuntu", "focal", "x86_64")),
        ("ubuntu-24.04", Family::Ubuntu, json!({"arch": "arm64"}), ("ubuntu", "other", "aarch64")),
        ("leap-15.6", Family::Suse, json!({}), ("suse", "opensuse15", "x86_64")),
        ("sles-15", Family::Suse, json!({}), ("suse", "sles15", "x86_64")),
        ("esxi-8", Family::Esxi, json!({}), ("vmware", "esxi8", "x86_64")),
        ("debian-12", Family::Image, json!({}), ("generic", "other", "x86_64")),
        (
            "debian-12",
            Family::Image,
            json!({"breed": "debian", "os_version": "bookworm"}),
            ("debian", "bookworm", "x86_64"),
        ),
    ] {
        let Breed { breed, os_version, arch } = Breed::of(&super::tests::distro(name, family), &variables(said));
        assert_eq!((breed, os_version.as_str(), arch.as_str()), wanted, "{name}");
    }
}

#[test]
fn where_koan_knows_the_installer_it_is_told_the_answer_file_and_nothing_twice() {
    let record = rendered(&sheet(Family::Redhat, "rocky-9", "inst.ks=http://x inst.text quiet"));
    let text = |name: &str| record.get(name).and_then(Value::text).map(str::to_owned);
    let answer = "http://10.0.0.1/cblr/svc/op/autoinstall/system/web-1";
    assert_eq!(text("autoinst").as_deref(), Some(answer));
    assert_eq!(text("kickstart").as_deref(), Some(answer));
    assert_eq!(text("kernel_options").as_deref(), Some("inst.ks=http://x inst.text quiet "));
    assert_eq!(text("ks_meta").as_deref(), Some("tree=http://10.0.0.1/files/d/tree "));
    assert_eq!(record.get("autoinstall_meta").unwrap().get("tree").unwrap().text(), text("install_tree").as_deref());
    let debian = rendered(&sheet(Family::Debian, "d", "auto=true priority=critical url=http://x interface=auto"));
    assert_eq!(debian.get("kernel_options").and_then(Value::text), Some("interface=auto "));
}

#[test]
fn where_koan_knows_no_installer_it_is_told_no_answer_file_and_the_whole_command_line() {
    let mut sheet = sheet(Family::Image, "debian-12", "boot=kickstand kickstand.answer=http://x url=y");
    sheet.tree = String::new();
    let record = rendered(&sheet);
    for name in ["autoinst", "kickstart", "autoinstall"] {
        assert!(record.get(name).is_none(), "{name}: an empty one breaks koan, and one that is there adds ks=");
    }
    assert_eq!(
        record.get("kernel_options").and_then(Value::text),
        Some("boot=kickstand kickstand.answer=http://x url=y ")
    );
    assert_eq!(record.get("virt_pxe_boot").and_then(Value::int), Some(1), "a guest boots from the network");
}

#[test]
fn both_keys_of_each_card_are_there() {
    let mut sheet = sheet(Family::Redhat, "rocky-9", "");
    let more = serde_json::from_value(json!({"mac": "52:54:00:00:00:02", "ip": null})).unwrap();
    sheet.machine.as_mut().unwrap().interfaces.push(more);
    for record in [rendered(&sheet), system(sheet.machine.as_ref().unwrap())] {
        let Some(Value::Struct(cards)) = record.get("interfaces") else { panic!("no interfaces") };
        assert_eq!(cards.len(), 2);
        assert!(cards.iter().all(|(_, card)| card.get("mac_address").is_some() && card.get("ip_address").is_some()));
    }
    let first = rendered(&sheet).get("interfaces").unwrap().get("eth0").unwrap().clone();
    assert_eq!(first.get("ip_address").and_then(Value::text), Some("10.0.0.10"));
    assert_eq!(first.get("netmask").and_then(Value::text), Some("255.255.255.0"));
}

#[test]
fn template_files_are_one_flat_text() {
    let mut sheet = sheet(Family::Redhat, "rocky-9", "");
    sheet.variables = variables(json!({"template_files": {"motd.txt": "/etc/motd", "a b": "/x", "c": "/with blank"}}));
    assert_eq!(rendered(&sheet).get("template_files").and_then(Value::text), Some("motd.txt=/etc/motd "));
}

#[test]
fn a_path_is_an_operation_and_its_fields() {
    let of = |path: &str| Asked::of(path, |part| Some(part.to_owned())).unwrap();
    let asked = of("ks/system/web-1");
    assert_eq!((asked.op.as_str(), asked.subject()), ("ks", Some(Subject::System("web-1".parse().unwrap()))));
    assert_eq!(of("ks/profile/web/").subject(), Some(Subject::Profile("web".parse().unwrap())));
    assert_eq!(of("autoinstall/system/web-1/user-data").rest.as_deref(), Some("user-data"));
    assert_eq!(of("ks/system/..").subject(), None);
    assert_eq!(of("template/system/w/path/_etc_a__b").file().as_deref(), Some("/etc/a_b"));
    assert!(Asked::of(&"a/".repeat(17), |part| Some(part.to_owned())).is_none());
}
