//! The main job: an armed machine installs, goes to its own disk, and registers, once.

use crate::rig::{Appliance, Booted, Rom};
use serde_json::json;

#[tokio::test]
async fn an_armed_machine_installs_goes_to_its_disk_and_registers() {
    for rom in [Rom::Bios, Rom::Uefi, Rom::Ipxe] {
        let appliance = Appliance::start().await;
        let mut machine = appliance.add_machine("web-1", 10).await;
        machine.rom = rom;
        appliance.cli(&["machine", "arm", "web-1"]).await;

        let installer = machine.installer().await;
        assert_eq!(appliance.state("web-1").await, "armed", "the script alone changes nothing that lasts");
        let key = installer.install().await;
        assert_eq!(appliance.state("web-1").await, "installed");

        assert!(
            matches!(machine.power_on().await, Booted::OwnDisk),
            "{rom:?}: the network comes first, and leads to the disk"
        );
        let answer = machine.register(&installer, &key).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = appliance.json(&["machine", "show", "web-1"]).await;
        assert_eq!((&record["state"], &record["inventory"]["hostname"]), (&json!("registered"), &json!("web-1")));
        let identity: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(identity["system_id"], record["id"]);
        assert_eq!(appliance.json(&["key", "show", "web"]).await["used"], 1);

        let repeat = machine.register(&installer, &key).await;
        assert_eq!(
            (repeat.status, repeat.text()),
            (200, answer.text()),
            "a lost answer is given again to the same system"
        );
        assert_eq!(appliance.json(&["key", "show", "web"]).await["used"], 1);
        let again = machine.register_as(&installer, &key, &"d6".repeat(32)).await;
        assert_eq!(again.status, 403, "a key registers once");
        assert!(appliance.told("alarm", "was spent").await);
        assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    }
}

#[tokio::test]
async fn one_machine_keeps_one_address_from_its_rom_to_its_installed_system() {
    let appliance = Appliance::start().await;
    appliance.cli(&["machine", "add", "pooled", "--mac", "52:54:00:77:00:42", "--profile", "web"]).await;
    appliance.cli(&["machine", "arm", "pooled"]).await;
    let mut machine = appliance.machine(0x42);
    let installer = machine.installer().await;
    let rom = machine.ip.unwrap();
    assert_eq!((installer.ip, rom), (rom, appliance.ip(100)), "from the pool, the same for ROM and iPXE");
    assert_eq!(machine.system_address().await.unwrap().ip, rom, "and for the installed system");
}

#[tokio::test]
async fn the_address_decides_the_profile() {
    let appliance = Appliance::start().await;
    appliance.cli(&["profile", "add", "database", "--distro", "debian-12"]).await;
    appliance.cli(&["range", "add", "database-rack", &appliance.span(20, 29), "--profile", "database"]).await;
    for (name, last, profile) in [("a", 15, "web"), ("b", 25, "database")] {
        let mut machine = appliance.add_machine(name, last).await;
        appliance.cli(&["machine", "arm", name]).await;
        let script = machine.installer().await.script;
        assert!(script.contains(&format!("with profile {profile}")), "{script}");
    }
}

#[tokio::test]
async fn a_change_is_on_the_wire_at_once() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    appliance.cli(&["machine", "arm", "web-1"]).await;
    assert!(matches!(machine.power_on().await, Booted::Installer(_)));
    appliance.cli(&["machine", "disarm", "web-1"]).await;
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    assert_eq!(appliance.state("web-1").await, "ready");
}
