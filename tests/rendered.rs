//! Every rendered file as a snapshot: the boot scripts, and the answer files of each family and each ready-made profile.

mod house;

use house::*;
use kickstand::model::*;
use kickstand::store::Edit;
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
    std::fs::write(own.join("preseed.cfg"), "{% if %}\n").unwrap();
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
