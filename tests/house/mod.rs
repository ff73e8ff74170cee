//! An appliance without its wire: every family's distro, profile and machine, and what a boot of them is given.
#![allow(dead_code)]

use base64::Engine as _;
use ipnetwork::Ipv4Network;
use kickstand::assets::Assets;
use kickstand::boot::lifecycle;
use kickstand::engine::{Engine, Parts, Trust};
use kickstand::model::*;
use kickstand::store::{Edit, Store};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;
use uuid::Uuid;

/// An engine on an empty database, with every family's distro and one machine for each.
pub struct House {
    pub engine: Arc<Engine>,
    pub folder: tempfile::TempDir,
}

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A CA that stays the same, so that snapshots do.
pub const CA: &str = include_str!("ca.pem");

pub fn trust() -> Trust {
    let sha256 = kickstand::ca::fingerprint(CA).unwrap();
    Trust { pem: CA.into(), sha256, ends_at: None, addresses: vec![SERVER] }
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn variables(value: serde_json::Value) -> Variables {
    value.as_object().unwrap().clone().into_iter().collect()
}

impl House {
    pub async fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let parts = Parts {
            store,
            assets: Assets { operator: Some(folder.path().join("etc")) },
            files: folder.path().join("files"),
            loaders: vec![],
            http_port: 80,
            https_port: Some(443),
            addresses: vec![SERVER],
            lifetimes: Default::default(),
        };
        let house = House { engine: Engine::new(parts).await.unwrap(), folder };
        house.engine.set_trust(Some(trust()));
        house.furnish().await;
        house
    }

    pub async fn edit(&self, edit: Edit) {
        self.engine.store.edit(edit, "test", self.engine.now()).await.unwrap();
    }

    pub async fn furnish(&self) {
        std::fs::create_dir_all(self.folder.path().join("files/d")).unwrap();
        for file in [
            "vmlinuz",
            "initrd.img",
            "live.squashfs",
            "root.tar.zst",
            "disk.raw.zst",
            "disk.img",
            "live.iso",
            "config.tar.gz",
            "rootfs.img",
        ] {
            std::fs::write(self.folder.path().join("files/d").join(file), "x").unwrap();
        }
        std::fs::create_dir_all(self.folder.path().join("files/agent")).unwrap();
        std::fs::write(self.folder.path().join("files/agent/kickstand-agent"), "x").unwrap();
        self.edit(Edit::AddNetwork(network())).await;
        let storage =
            Network { name: name("storage"), cidr: "10.0.1.0/24".parse().unwrap(), gateway: None, ..network() };
        self.edit(Edit::AddNetwork(storage)).await;
        self.edit(Edit::AddKey(key())).await;
        for family in Family::ALL {
            self.edit(Edit::AddDistro(distro(*family))).await;
            self.edit(Edit::AddProfile(profile(*family))).await;
            self.edit(Edit::AddMachines(vec![machine(*family)])).await;
        }
    }

    /// A machine that a ready-made profile installs, with a distro of its family.
    pub async fn ready(&self, ready: &str, number: u8) -> Machine {
        let what = self.engine.ready(ready).unwrap();
        let mut distro = Distro { name: name(&format!("of-{ready}")), ..distro(what.family) };
        if ready == "flatcar" {
            distro.variables.clear();
        }
        let own = Profile {
            name: name(&format!("from-{ready}")),
            distro: Some(distro.name.clone()),
            template: what.template,
            arguments: what.arguments,
            keys: Names::default(),
            variables: what.variables,
            ..profile(what.family)
        };
        let machine = Machine { profile: Some(own.name.clone()), ..machine_with(&format!("m-{ready}"), number) };
        self.edit(Edit::AddDistro(distro)).await;
        self.edit(Edit::AddProfile(own)).await;
        self.edit(Edit::AddMachines(vec![machine.clone()])).await;
        machine
    }

    /// A machine with three cards and these variables of its own.
    pub async fn wired(&self, family: Family, what: &str, own: serde_json::Value, number: u8) -> Machine {
        let mut machine = machine_with(&format!("{family}-{what}"), number);
        machine.profile = Some(name(family.word()));
        let card = |last: u8, ip: Option<Ipv4Addr>| Interface { mac: Mac([0x52, 0x54, 0, 0, last, number]), ip };
        machine.interfaces.push(card(1, None));
        machine.interfaces.push(card(2, Some(Ipv4Addr::new(10, 0, 1, number))));
        machine.variables = variables(own);
        if let Some(bond) = machine.variables.get_mut("bond") {
            let members: Vec<_> = machine.interfaces.iter().take(2).map(|card| card.mac.to_string()).collect();
            bond["members"] = json!(members);
        }
        self.edit(Edit::AddMachines(vec![machine.clone()])).await;
        machine
    }

    /// What [`House::fetch`] gives, to be read and compared.
    pub async fn boot(&self, machine: &Machine) -> (String, Vec<(String, String)>) {
        let (script, files) = self.fetch(machine).await;
        (masked(&script), files.into_iter().map(|(name, text)| (name, masked(&opened(&text)))).collect())
    }

    /// Arms a machine, leases its address and plays its boot: the script, and the files that it leads to.
    pub async fn fetch(&self, machine: &Machine) -> (String, Vec<(String, String)>) {
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
        (script, files)
    }
}

/// Scripts that are carried in base64, in clear: a snapshot is there to be read.
pub fn opened(answer: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let mut words: Vec<_> =
        answer.split(|c| !is_base64(c)).filter(|word| word.len() > 80 && word.len() % 4 == 0).collect();
    // One may stand inside another by chance: the longer is opened first.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.into_iter().fold(answer.to_owned(), |text, word| {
        let unpacked = base64::engine::general_purpose::STANDARD.decode(word).ok();
        match unpacked.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(script) => text.replace(word, &format!("<<<{}>>>", opened(&script))),
            None => text,
        }
    })
}

/// Secrets and ids are new in each run.
pub fn masked(text: &str) -> String {
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

pub fn network() -> Network {
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
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    }
}

pub fn key() -> ActivationKey {
    ActivationKey::new(name("web"))
}

/// What each family needs.
pub fn own(family: Family) -> serde_json::Value {
    match family {
        Family::Image => json!({"live": "d/live.squashfs", "image": "d/root.tar.zst"}),
        Family::Redhat => json!({"tree": "http://mirror.example/alma/9/BaseOS"}),
        Family::Debian => json!({"packages": ["vim"], "mirror_host": "mirror.example"}),
        Family::Ubuntu => json!({"packages": ["vim"], "iso": "d/live.iso"}),
        Family::Suse => json!({"tree": "http://mirror.example/sles/15"}),
        Family::Agama => json!({"live": "d/live.iso", "product": "SLES"}),
        Family::Ignition => json!({"rootfs": "d/rootfs.img"}),
        Family::Esxi => json!({"tree": "d", "modules": "a.b00 --- c.v00", "root_password_hash": "$6$salt$hash"}),
        Family::Fai => {
            json!({"live": "d/live.squashfs", "config_space": "d/config.tar.gz", "classes": ["FAIBASE", "DEBIAN"]})
        }
    }
}

pub fn distro(family: Family) -> Distro {
    Distro {
        name: name(family.word()),
        family,
        kernel: "d/vmlinuz".into(),
        initrd: "d/initrd.img".into(),
        arguments: "console=ttyS0".into(),
        variables: variables(own(family)),
        secrets: Default::default(),
        loader: None,
    }
}

pub fn profile(family: Family) -> Profile {
    Profile {
        name: name(family.word()),
        parent: None,
        distro: Some(name(family.word())),
        template: None,
        arguments: String::new(),
        keys: name("web").into(),
        variables: variables(json!({
            "kernel_arguments": "console=ttyS0",
            "root_password_hash": "$6$salt$hash",
            "ssh_authorized_keys": ["ssh-ed25519 AAAA it's me"],
        })),
        secrets: Default::default(),
        options: OptionSet::default(),
        loader: None,
        disk_boot: None,
    }
}

pub fn machine(family: Family) -> Machine {
    let number = Family::ALL.iter().position(|f| *f == family).unwrap() as u8 + 10;
    Machine { profile: Some(name(family.word())), ..machine_with(&format!("{family}-1"), number) }
}

pub fn machine_with(called: &str, number: u8) -> Machine {
    let mac = Mac([0x52, 0x54, 0, 0, 0, number]);
    let now = Time::from_secs(1_000_000);
    let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::from_u128(number.into()); 2], now);
    machine.name = name(called);
    machine.interfaces[0].ip = Some(Ipv4Addr::new(10, 0, 0, number));
    machine
}

/// Ways to be wired, by name.
pub fn wirings() -> [(&'static str, serde_json::Value); 3] {
    let serial = "ttyS0,115200n8";
    [
        ("static", json!({"addressing": "static", "serial_console": serial})),
        ("vlan", json!({"vlan": 12})),
        (
            "bond",
            json!({"addressing": "static", "vlan": "12", "serial_console": serial, "bond": {"name": "bond0", "mode": "802.3ad"}}),
        ),
    ]
}
