//! Every rendered file as a snapshot: the boot scripts, and the answer files of each family and each ready-made profile.

use base64::Engine as _;
use ipnetwork::Ipv4Network;
use kickstand::assets::Assets;
use kickstand::boot::lifecycle;
use kickstand::engine::{Engine, Parts};
use kickstand::model::*;
use kickstand::store::{Edit, Store};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;
use uuid::Uuid;

/// An engine on an empty database, with every family's distro and one machine for each.
struct House {
    engine: Arc<Engine>,
    folder: tempfile::TempDir,
}

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn variables(value: serde_json::Value) -> Variables {
    value.as_object().unwrap().clone().into_iter().collect()
}

impl House {
    async fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let parts = Parts {
            store,
            assets: Assets { operator: Some(folder.path().join("etc")) },
            files: folder.path().join("files"),
            loaders: vec![],
            http_port: 80,
            https_port: None,
            addresses: vec![SERVER],
        };
        let house = House { engine: Engine::new(parts).await.unwrap(), folder };
        house.furnish().await;
        house
    }

    async fn edit(&self, edit: Edit) {
        self.engine.store.edit(edit, "test", self.engine.now()).await.unwrap();
    }

    async fn furnish(&self) {
        std::fs::create_dir_all(self.folder.path().join("files/d")).unwrap();
        for file in ["vmlinuz", "initrd.img", "live.squashfs", "root.tar.zst", "live.iso", "config.tar.gz", "rootfs.img"] {
            std::fs::write(self.folder.path().join("files/d").join(file), "x").unwrap();
        }
        std::fs::create_dir_all(self.folder.path().join("files/agent")).unwrap();
        std::fs::write(self.folder.path().join("files/agent/kickstand-agent"), "x").unwrap();
        self.edit(Edit::AddNetwork(network())).await;
        self.edit(Edit::AddKey(key())).await;
        for family in Family::ALL {
            self.edit(Edit::AddDistro(distro(*family))).await;
            self.edit(Edit::AddProfile(profile(*family))).await;
            self.edit(Edit::AddMachines(vec![machine(*family)])).await;
        }
    }

    /// Arms a machine, leases its address and plays its boot: the script, and the files that it leads to.
    async fn boot(&self, machine: &Machine) -> (String, Vec<(String, String)>) {
        let engine = &self.engine;
        engine.arm(&machine.name, "test").await.unwrap();
        let (mac, ip) = (machine.interfaces[0].mac, machine.interfaces[0].ip.unwrap());
        let lease = Lease {
            network: name("lab"),
            holder: mac.into(),
            ip,
            starts_at: engine.now(),
            ends_at: engine.now().plus_secs(600),
            hostname: None,
        };
        engine.store.record(vec![kickstand::boot::Effect::Bind { lease, was: None }]).await.unwrap();
        let script = engine.script(mac, ip).await.unwrap().expect("an armed machine gets a script");
        let token = script.split("/answer/").nth(1).unwrap().split_whitespace().next().unwrap().get(..64).unwrap();
        let profile = engine.named(&machine.name).unwrap().profile.unwrap();
        let family = {
            let world = engine.store.world();
            let profile = &world.profiles[&profile];
            world.distros[profile.distro.as_ref().unwrap()].family
        };
        let row = kickstand::family::row(family);
        let mut files = vec![("answer".to_owned(), engine.answer(token, None, ip).await.unwrap().expect("it opens"))];
        for file in row.more {
            let text = engine.answer(token, Some(file.name), ip).await.unwrap().expect("it opens those beside it");
            files.push((file.name.to_owned(), text));
        }
        if !row.name.is_empty() {
            assert_eq!(engine.answer(token, Some(row.name), ip).await.unwrap().unwrap(), files[0].1);
        }
        (masked(&script), files.into_iter().map(|(name, text)| (name, masked(&opened(&text)))).collect())
    }
}

/// Scripts that are carried in base64, in clear: a snapshot is there to be read.
fn opened(answer: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let words: Vec<_> = answer.split(|c| !is_base64(c)).filter(|word| word.len() > 80 && word.len() % 4 == 0).collect();
    words.into_iter().fold(answer.to_owned(), |text, word| {
        let unpacked = base64::engine::general_purpose::STANDARD.decode(word).ok();
        match unpacked.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(script) => text.replace(word, &format!("<<<{}>>>", opened(&script))),
            None => text,
        }
    })
}

/// Secrets and ids are new in each run.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        out += if run.len() == 64 { "<secret>" } else { &run };
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

fn network() -> Network {
    Network {
        name: name("lab"),
        cidr: "10.0.0.0/24".parse::<Ipv4Network>().unwrap(),
        gateway: Some(Ipv4Addr::new(10, 0, 0, 254)),
        dns: vec![Ipv4Addr::new(10, 0, 0, 53)],
        domain: Some(name("lab.example")),
        pools: vec![],
        lease_secs: 600,
        profile: None,
        unknown: Unknown::Show,
        dhcp: Dhcp::default(),
    }
}

fn key() -> ActivationKey {
    ActivationKey {
        name: name("web"),
        description: String::new(),
        groups: vec![],
        usage_limit: None,
        used: 0,
        expires_at: None,
        enabled: true,
    }
}

/// What each family needs.
fn own(family: Family) -> serde_json::Value {
    match family {
        Family::Image => json!({"live": "d/live.squashfs", "image": "d/root.tar.zst"}),
        Family::Redhat => json!({"tree": "http://mirror.example/alma/9/BaseOS"}),
        Family::Debian => json!({"packages": ["vim"], "mirror_host": "mirror.example"}),
        Family::Ubuntu => json!({"packages": ["vim"], "iso": "d/live.iso"}),
        Family::Suse => json!({"tree": "http://mirror.example/sles/15"}),
        Family::Agama => json!({"live": "d/live.iso", "product": "SLES"}),
        Family::Ignition => json!({"rootfs": "d/rootfs.img"}),
        Family::Esxi => json!({"tree": "d", "modules": "a.b00 --- c.v00", "root_password_hash": "$6$salt$hash"}),
        Family::Fai => json!({"live": "d/live.squashfs", "config_space": "d/config.tar.gz", "classes": ["FAIBASE", "DEBIAN"]}),
    }
}

fn distro(family: Family) -> Distro {
    Distro {
        name: name(family.word()),
        family,
        kernel: "d/vmlinuz".into(),
        initrd: "d/initrd.img".into(),
        arguments: "console=ttyS0".into(),
        variables: variables(own(family)),
        loader: None,
    }
}

fn profile(family: Family) -> Profile {
    Profile {
        name: name(family.word()),
        parent: None,
        distro: Some(name(family.word())),
        template: None,
        arguments: String::new(),
        key: Some(name("web")),
        variables: variables(json!({
            "kernel_arguments": "console=ttyS0",
            "root_password_hash": "$6$salt$hash",
            "ssh_authorized_keys": ["ssh-ed25519 AAAA it's me"],
        })),
        options: OptionSet::default(),
        loader: None,
        disk_boot: None,
    }
}

fn machine(family: Family) -> Machine {
    let number = Family::ALL.iter().position(|f| *f == family).unwrap() as u8 + 10;
    Machine { profile: Some(name(family.word())), ..machine_with(&format!("{family}-1"), number) }
}

fn machine_with(called: &str, number: u8) -> Machine {
    let mac = Mac([0x52, 0x54, 0, 0, 0, number]);
    let now = Time::from_secs(1_000_000);
    let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::from_u128(number.into()); 2], now);
    machine.name = name(called);
    machine.interfaces[0].ip = Some(Ipv4Addr::new(10, 0, 0, number));
    machine
}

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
    let all = house.engine.ready_made().unwrap();
    assert!(Family::ALL.iter().all(|family| all.iter().any(|(_, ready)| ready.family == *family)), "one for each family");
    for (number, (ready, what)) in all.into_iter().enumerate() {
        let distro_name = format!("of-{ready}");
        let mut distro = Distro { name: name(&distro_name), ..distro(what.family) };
        if ready == "flatcar" {
            distro.variables.clear();
        }
        house.edit(Edit::AddDistro(distro)).await;
        let bare = Profile { key: None, variables: what.variables, arguments: what.arguments, template: what.template, ..profile(what.family) };
        let own = Profile { name: name(&ready), distro: Some(name(&distro_name)), ..bare };
        if house.engine.store.world().profiles.contains_key(&own.name) {
            house.edit(Edit::SetProfile(own)).await;
        } else {
            house.edit(Edit::AddProfile(own)).await;
        }
        let number = u8::try_from(number).unwrap() + 100;
        let mut machine = machine_with(&format!("m-{ready}"), number);
        machine.profile = Some(name(&ready));
        house.edit(Edit::AddMachines(vec![machine.clone()])).await;
        let (_, files) = house.boot(&machine).await;
        insta::assert_snapshot!(format!("profile-{ready}"), files[0].1);
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
