//! Every rendered file as a snapshot: the boot scripts, and the answer files of each family and each ready-made profile.

mod house;

use house::*;
use kickstand::model::*;
use kickstand::render::{Templates, Whose};
use kickstand::store::Edit;
use serde_json::json;
use std::net::Ipv4Addr;

#[tokio::test]
async fn each_family_renders_its_script_and_its_answer_files() {
    let house = House::new().await;
    for family in Family::ALL {
        let (script, files) = house.boot(&machine(*family)).await;
        insta::assert_snapshot!(format!("{family}-script"), script);
        for (file, text) in files {
            insta::assert_snapshot!(format!("{family}-{file}"), text);
        }
    }
}

/// Nothing but a distro with what its family needs, and a profile that adds nothing.
#[tokio::test]
async fn each_ready_made_profile_arms_a_machine_without_an_edit() {
    let house = House::new().await;
    let all = house.engine.ready_names();
    let is_there = |family| all.iter().any(|name| house.engine.ready(name).unwrap().family == family);
    assert!(Family::ALL.iter().all(|family| is_there(*family)), "one for each family");
    for (number, ready) in all.iter().enumerate() {
        let machine = house.ready(ready, u8::try_from(number).unwrap() + 100).await;
        let (_, files) = house.boot(&machine).await;
        insta::assert_snapshot!(format!("profile-{ready}"), files[0].1);
    }
}

/// A bond, a VLAN on it, an address of its own, a third card, and a serial console.
#[tokio::test]
async fn each_family_tells_its_installer_and_its_system_how_the_machine_is_wired() {
    let house = House::new().await;
    for (number, family) in Family::ALL.iter().enumerate() {
        for (what, wiring) in wirings() {
            let machine = house.wired(*family, what, wiring, u8::try_from(number).unwrap() + 150).await;
            let (script, files) = house.boot(&machine).await;
            let line = script.lines().find(|line| line.starts_with("kernel ")).unwrap();
            let all: String = files.into_iter().map(|(name, text)| format!("== {name}\n{text}\n")).collect();
            insta::assert_snapshot!(format!("{family}-{what}"), format!("{line}\n{all}"));
            house.edit(Edit::RemoveMachine(machine.name)).await;
        }
    }
}

/// The other kind of image, as each way to be wired is told to its cloud-init.
#[tokio::test]
async fn a_raw_disk_is_written_and_its_cloud_init_seeded() {
    let house = House::new().await;
    let own = json!({"image": "d/disk.raw.zst", "image_sha256": "AB".repeat(32), "user_data": "#cloud-config\npackages: [vim]\n"});
    for (number, (what, wiring)) in [("plain", json!({"image": "d/disk.img"}))].into_iter().chain(wirings()).enumerate()
    {
        let mut all = own.clone();
        all.as_object_mut().unwrap().extend(wiring.as_object().unwrap().clone());
        let machine =
            house.wired(Family::Image, &format!("raw-{what}"), all, u8::try_from(number).unwrap() + 150).await;
        let (_, files) = house.boot(&machine).await;
        insta::assert_snapshot!(format!("image-raw-{what}"), files[0].1);
    }
}

#[tokio::test]
async fn what_is_no_image_by_its_name_and_what_cloud_init_could_not_read_arm_nothing() {
    let house = House::new().await;
    let broken = "#cloud-config\npackages: [vim\n";
    for (number, (own, why)) in [
        (
            json!({"image": "d/live.iso"}),
            "variable image: \"d/live.iso\" is neither a root filesystem nor a raw disk by its ending (.tar, .raw",
        ),
        (json!({"image": "http://mirror.example/disk.qcow2?x=.raw"}), "disk.qcow2"),
        (json!({"user_data": broken}), "in the variable user_data, line "),
        (json!({"user_data": "packages: [vim]"}), "variable user_data: it is not user-data of cloud-init"),
        (json!({"image_sha256": "abc"}), "variable image_sha256: it is not 64 hexadecimal digits"),
    ]
    .into_iter()
    .enumerate()
    {
        let machine =
            house.wired(Family::Image, &format!("no-{number}"), own, u8::try_from(number).unwrap() + 150).await;
        let error = house.engine.arm(&machine.name, "test").await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_machine_that_is_not_armed_and_one_that_nobody_knows_render_too() {
    let house = House::new().await;
    let known = machine(Family::Image).interfaces[0].mac;
    let script = house.engine.script(known, Ipv4Addr::new(10, 0, 0, 10)).await.unwrap();
    insta::assert_snapshot!("disk-script", script.unwrap());
    let (mac, ip): (Mac, _) = ("52:54:00:00:00:99".parse().unwrap(), Ipv4Addr::new(10, 0, 0, 99));
    let ends_at = house.engine.now().plus_secs(600);
    let lease =
        Lease { network: name("lab"), holder: mac.into(), ip, starts_at: house.engine.now(), ends_at, hostname: None };
    house.engine.store.record(vec![kickstand::boot::Effect::Bind { lease, was: None }]).await.unwrap();
    let stranger =
        house.engine.script("52:54:00:00:00:99".parse().unwrap(), Ipv4Addr::new(10, 0, 0, 99)).await.unwrap();
    insta::assert_snapshot!("show-script", stranger.unwrap());
}

#[tokio::test]
async fn a_broken_template_arms_nothing_and_names_its_line() {
    let house = House::new().await;
    let own = house.folder.path().join("etc/templates/debian");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("preseed.cfg"), "# fine\nd-i x string {{ no_such_variable }}\n").unwrap();
    let error = house.engine.arm(&name("debian-1"), "test").await.unwrap_err().to_string();
    assert!(error.contains("preseed.cfg:2: a variable is not set: `no_such_variable`"), "{error}");
    assert_eq!(house.engine.named(&name("debian-1")).unwrap().state, State::Ready);
}

#[tokio::test]
async fn a_template_that_breaks_after_arming_burns_nothing() {
    let house = House::new().await;
    let engine = &house.engine;
    engine.arm(&name("debian-1"), "test").await.unwrap();
    let own = house.folder.path().join("etc/templates/debian");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("preseed.cfg"), "{{ no_such_variable }}\n").unwrap();
    engine.look_at_templates().await;
    let machine = engine.named(&name("debian-1")).unwrap();
    let (mac, ip) = (machine.interfaces[0].mac, machine.interfaces[0].ip.unwrap());
    let ends_at = engine.now().plus_secs(600);
    let lease =
        Lease { network: name("lab"), holder: mac.into(), ip, starts_at: engine.now(), ends_at, hostname: None };
    engine.store.record(vec![kickstand::boot::Effect::Bind { lease, was: None }]).await.unwrap();
    let script = engine.script(mac, ip).await.unwrap().unwrap();
    assert!(script.contains("boots its own disk"), "{script}");
    let after = engine.named(&name("debian-1")).unwrap();
    assert_eq!((after.state, after.install.unwrap().boots), (State::Armed, 0), "still armed, nothing counted");
}

#[tokio::test]
async fn a_key_that_opens_nothing_and_a_file_that_is_not_there_arm_nothing() {
    let house = House::new().await;
    house.edit(Edit::SetKey(ActivationKey { enabled: false, ..key() })).await;
    let error = house.engine.arm(&name("image-1"), "test").await.unwrap_err().to_string();
    assert!(error.contains("activation key web is disabled"), "{error}");
    house.edit(Edit::SetKey(key())).await;
    std::fs::remove_file(house.folder.path().join("files/d/root.tar.zst")).unwrap();
    let error = house.engine.arm(&name("image-1"), "test").await.unwrap_err().to_string();
    assert!(error.contains("there is no file") && error.contains("root.tar.zst"), "{error}");
    std::fs::remove_file(house.folder.path().join("files/agent/kickstand-agent")).unwrap();
    let error = house.engine.arm(&name("redhat-1"), "test").await.unwrap_err().to_string();
    assert!(error.contains("there is no file") && error.contains("agent/kickstand-agent"), "{error}");
}

#[test]
fn the_semicolon_before_ubuntus_answer_url_ends_no_command_of_a_loader() {
    let templates = Templates::of(kickstand::assets::Assets::all_shipped()).unwrap();
    let argument = "ds=nocloud-net;s=http://10.0.0.1/answer/T/";
    for name in ["pxe/ipxe/install.ipxe", "pxe/grub/install.cfg", "pxe/pxelinux/install.cfg"] {
        let facts = json!({
            "name": "web-1", "profile": "p", "machine": {"name": "web-1"}, "kernel_path": "k", "initrd_path": "i",
            "kernel_url": "http://10.0.0.1/files/k", "initrd_url": "http://10.0.0.1/files/i", "server": "10.0.0.1",
            "http_port": 80, "by": "tftp", "language": "", "arguments": format!("autoinstall {argument} quiet"),
        });
        let text = templates.render(name, &facts, &Whose::default()).unwrap();
        // GRUB alone reads it as the end of a command, and quotes keep it.
        let wanted = if name.contains("grub") {
            format!(" autoinstall '{argument}' quiet;")
        } else {
            format!(" autoinstall {argument} quiet")
        };
        assert!(text.contains(&wanted), "{name}: {text}");
    }
}

#[tokio::test]
async fn an_answer_file_that_its_installer_would_not_take_arms_nothing_and_names_its_line() {
    let house = House::new().await;
    let own = house.folder.path().join("etc/templates/redhat");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("kickstart.ks"), "text\nlnag {{ language }}\n").unwrap();
    let error = house.engine.arm(&name("redhat-1"), "test").await.unwrap_err().to_string();
    let wanted = "templates/redhat/kickstart.ks: as rendered for redhat-1, line 2: \"lnag\" is no kickstart command";
    assert!(error.contains(wanted), "{error}");
    assert_eq!(house.engine.named(&name("redhat-1")).unwrap().state, State::Ready);
    let mac = machine(Family::Redhat).interfaces[0].mac;
    let why = house.engine.why(&mac.into(), None, false).await.unwrap();
    assert!(!format!("{why:?}").contains("lnag"), "it is not armed: its own disk");
    let beside = house.folder.path().join("etc/templates/ubuntu");
    std::fs::create_dir_all(&beside).unwrap();
    std::fs::write(beside.join("meta-data.yaml"), "local-hostname: x\n").unwrap();
    let error = house.engine.arm(&name("ubuntu-1"), "test").await.unwrap_err().to_string();
    assert!(
        error.contains(
            "templates/ubuntu/meta-data.yaml: as rendered for ubuntu-1, line 1: meta-data has no instance-id"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn what_stands_beside_an_answer_file_opens_with_its_token_alone_and_closes_with_it() {
    let house = House::new().await;
    let machine = machine(Family::Ubuntu);
    let (mac, ip) = (machine.interfaces[0].mac, machine.interfaces[0].ip.unwrap());
    house.boot(&machine).await;
    let script = house.engine.script(mac, ip).await.unwrap().unwrap();
    let token = script.split("/answer/").nth(1).unwrap().get(..64).unwrap();
    for file in [Some("nothing"), Some(""), Some("user-data/"), Some("../x")] {
        assert_eq!(house.engine.answer(token, file, ip).await.unwrap(), None, "{file:?}");
    }
    let user_data = house.engine.answer(token, Some("user-data"), ip).await.unwrap().unwrap();
    let meta_data = house.engine.answer(token, Some("meta-data"), ip).await.unwrap().unwrap();
    assert!(meta_data.starts_with("instance-id: "), "{meta_data}");
    let packed = user_data.split(['"', ' ']).filter(|word| word.len() > 200).nth(1).unwrap();
    let late = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, packed).unwrap();
    assert!(String::from_utf8(late).unwrap().contains("\"key\": \""), "the answer file registers");
    let stranger = house.engine.answer(token, Some("meta-data"), Ipv4Addr::new(10, 0, 0, 66)).await.unwrap();
    assert_eq!(stranger, None, "bound to its address");
    assert_eq!(
        house.engine.named(&machine.name).unwrap().state,
        State::Failed,
        "a second claimant freezes the install"
    );
    assert_eq!(house.engine.answer(token, Some("meta-data"), ip).await.unwrap(), None);
}
