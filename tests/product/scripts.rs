//! From power-on to registered by every loader that reads its script by TFTP: PXELINUX, shim with GRUB, U-Boot.

use crate::rig::{Appliance, Booted, FakeMachine, Rom, get, request};
use std::fs;

/// Loaders of this host, of no more than a name and a size, as an import leaves them.
pub fn lay_out(appliance: &Appliance) {
    let digest = kickstand::model::Digest::of(&[7; 1000]);
    let mut catalogue = String::new();
    for (loader, files) in [
        ("pxelinux", ["pxelinux.0", "ldlinux.c32", "libcom32.c32", "libutil.c32", "chain.c32", "menu.c32"].as_slice()),
        ("debian-12-secure", &["shimx64.efi", "grubx64.efi"]),
    ] {
        let folder = appliance.config.loaders[0].join(loader);
        fs::create_dir_all(&folder).unwrap();
        catalogue.push_str(&format!("[[loader]]\nname = \"{loader}\"\n"));
        for file in files {
            fs::write(folder.join(file), [7; 1000]).unwrap();
            catalogue.push_str(&format!(
                "[[loader.file]]\nname = \"{file}\"\nsha256 = \"{digest}\"\nsize = 1000\norigin = \"here\"\nimported_at = \"2026-01-01T00:00:00Z\"\n"
            ));
        }
    }
    let own = appliance.config.templates.join("pxe");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("loaders.toml"), catalogue).unwrap();
    appliance.running().engine.read_shelf();
}

async fn installs(rom: Rom, loader: Option<&str>) {
    let appliance = Appliance::start().await;
    lay_out(&appliance);
    let mac = appliance.add_machine("web-1", 10).await.mac;
    if let Some(loader) = loader {
        appliance.cli(&["machine", "set", "web-1", "--loader", loader]).await;
    }
    let mut machine = FakeMachine::new(&appliance, mac, rom);
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    assert_eq!(machine.register(&installer, &key).await.status, 200, "{rom:?}");
    assert!(matches!(machine.power_on().await, Booted::OwnDisk), "{rom:?} installs once");
    assert_eq!(appliance.state("web-1").await, "registered");
}

#[tokio::test]
async fn pxelinux_installs_once() {
    installs(Rom::Pxelinux, Some("pxelinux")).await;
}

#[tokio::test]
async fn shim_and_grub_install_once() {
    installs(Rom::Grub, Some("debian-12-secure")).await;
}

#[tokio::test]
async fn u_boot_installs_once() {
    installs(Rom::UBoot, None).await;
}

#[tokio::test]
async fn grub_asks_by_http_for_the_head_of_its_script_first_and_that_is_one_boot() {
    let appliance = Appliance::start().await;
    lay_out(&appliance);
    let mac = appliance.add_machine("web-1", 10).await.mac;
    appliance.cli(&["machine", "set", "web-1", "--loader", "debian-12-secure"]).await;
    let mut machine = FakeMachine::new(&appliance, mac, Rom::Grub);
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let ip = machine.system_address().await.unwrap().ip;
    let url = appliance.url("/grub/grub.cfg");
    let head = request(ip, "HEAD", &url, "", b"").await;
    let script = get(ip, &url, "If-None-Match: *\r\n").await;
    assert_eq!((head.status, script.status), (200, 200));
    assert!(script.text().contains("kickstand.answer="), "{}", script.text());
    for answer in [&head, &script] {
        assert!(answer.head.contains(&format!("Content-Length: {}\r\n", script.body.len())), "{}", answer.head);
        assert!(answer.head.contains("Cache-Control: no-store") && !answer.head.contains("ETag"), "{}", answer.head);
    }
    assert_eq!(get(ip, &url, "").await.body, script.body);
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["install"]["boots"], 1);
}

#[tokio::test]
async fn a_script_asked_for_by_tftp_from_a_strange_address_is_not_there_and_spends_nothing() {
    let appliance = Appliance::start().await;
    lay_out(&appliance);
    let mut machine = appliance.add_machine("web-1", 10).await;
    let mut other = appliance.add_machine("web-2", 11).await;
    other.system_address().await.unwrap();
    appliance.cli(&["machine", "set", "web-1", "--loader", "pxelinux"]).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    machine.system_address().await.unwrap();
    let theirs = format!("pxelinux/pxelinux.cfg/01-{}", machine.mac.dashed());
    assert!(other.tftp(&theirs).await.is_err());
    assert!(appliance.told("alarm", "which is not its leased address").await);
    assert_eq!(appliance.state("web-1").await, "armed");
    assert!(machine.tftp(&theirs).await.is_ok());
}

#[tokio::test]
async fn a_kernel_goes_by_tftp_to_leased_addresses_alone() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    machine.ip = Some(appliance.ip(10));
    let kernel = appliance.json(&["distro", "list"]).await[0]["kernel"].as_str().unwrap().to_owned();
    let name = format!("files/{kernel}");
    assert!(machine.tftp(&name).await.is_err(), "it leases nothing yet");
    machine.system_address().await.unwrap();
    assert_eq!(machine.tftp(&name).await.map(|bytes| bytes.len()), Ok(70_000));
    assert!(machine.tftp("files/../kickstand.db").await.is_err());
}

#[tokio::test]
async fn a_loader_that_changed_since_its_import_is_not_served_and_raises_one_alarm() {
    let appliance = Appliance::start().await;
    let loaders = &appliance.config.loaders[0];
    let folder = loaders.join("mine");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("mine.efi"), b"MZ as imported").unwrap();
    let digest = kickstand::model::Digest::of(b"MZ as imported");
    let catalogue = format!(
        "[[loader]]\nname = \"mine\"\nlanguage = \"efi\"\narch = [\"x64\"]\nby = [\"http\"]\nfirst = \"mine.efi\"\n\
         [[loader.file]]\nname = \"mine.efi\"\nsha256 = \"{digest}\"\nsize = 14\norigin = \"here\"\nimported_at = \"2026-01-01T00:00:00Z\"\n"
    );
    let own = appliance.config.templates.join("pxe");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("loaders.toml"), catalogue).unwrap();
    appliance.running().engine.read_shelf();
    let url = appliance.url("/loader/mine/mine.efi");
    assert_eq!(get(appliance.ip(66), &url, "").await.body, b"MZ as imported");
    fs::write(folder.join("mine.efi"), b"MZ as changed!").unwrap();
    for _ in 0..3 {
        assert_ne!(get(appliance.ip(66), &url, "").await.status, 200);
    }
    assert!(appliance.told("alarm", "mine.efi of loader mine is not what was imported").await);
    let told = appliance.json(&["events"]).await;
    let alarms = told.as_array().unwrap().iter().filter(|e| e["kind"] == "alarm").count();
    assert_eq!(alarms, 1, "{told}");
    fs::write(folder.join("mine.efi"), b"MZ as imported").unwrap();
    assert_eq!(get(appliance.ip(66), &url, "").await.status, 200, "and served again once it is what it was");
}
