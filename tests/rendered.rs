//! Every rendered file as a snapshot: the boot scripts, and the answer file of each family.

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

/// An engine on an empty database, with the three families' distros and one machine for each.
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
        for file in ["vmlinuz", "initrd.img", "live.squashfs", "root.tar.zst"] {
            std::fs::write(self.folder.path().join("files/d").join(file), "x").unwrap();
        }
        std::fs::create_dir_all(self.folder.path().join("files/agent")).unwrap();
        std::fs::write(self.folder.path().join("files/agent/kickstand-agent"), "x").unwrap();
        self.edit(Edit::AddNetwork(network())).await;
        self.edit(Edit::AddKey(key())).await;
        for (family, own) in [
            (Family::Image, json!({"live": "d/live.squashfs", "image": "d/root.tar.zst"})),
            (Family::Redhat, json!({"tree": "http://mirror.example/alma/9/BaseOS"})),
            (Family::Debian, json!({"packages": ["vim"], "mirror_host": "mirror.example"})),
        ] {
            self.edit(Edit::AddDistro(distro(family, own))).await;
            self.edit(Edit::AddProfile(profile(family))).await;
            let machine = machine(family);
            self.edit(Edit::AddMachines(vec![machine])).await;
        }
    }

    /// Arms a machine, leases its address and plays its boot: the script, and the answer file that it leads to.
    async fn boot(&self, family: Family) -> (String, String) {
        let (engine, machine) = (&self.engine, machine(family));
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
        let token = script.split("/answer/").nth(1).unwrap().split_whitespace().next().unwrap();
        let answer = engine.answer(token, ip).await.unwrap().expect("its token opens the answer file");
        (masked(&script), masked(&opened(&answer)))
    }
}

/// A script that is carried in base64, in clear: a snapshot is there to be read.
fn opened(answer: &str) -> String {
    let packed = answer.split_whitespace().find(|word| word.len() > 400);
    let Some(packed) = packed else { return answer.to_owned() };
    let text = base64::engine::general_purpose::STANDARD.decode(packed).expect("a long word is base64");
    answer.replace(packed, &format!("<<<{}>>>", String::from_utf8(text).unwrap()))
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

fn distro(family: Family, own: serde_json::Value) -> Distro {
    Distro {
        name: name(family.word()),
        family,
        kernel: "d/vmlinuz".into(),
        initrd: "d/initrd.img".into(),
        arguments: "console=ttyS0".into(),
        variables: variables(own),
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
    let mac = Mac([0x52, 0x54, 0, 0, 0, number]);
    let now = Time::from_secs(1_000_000);
    let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::from_u128(number.into()); 2], now);
    machine.name = name(&format!("{family}-1"));
    machine.interfaces[0].ip = Some(Ipv4Addr::new(10, 0, 0, number));
    machine.profile = Some(name(family.word()));
    machine
}

#[tokio::test]
async fn each_family_renders_its_script_and_its_answer_file() {
    let house = House::new().await;
    for family in Family::ALL {
        let (script, answer) = house.boot(*family).await;
        insta::assert_snapshot!(format!("{family}-script"), script);
        insta::assert_snapshot!(format!("{family}-answer"), answer);
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
