//! An engine on a database, with a folder of templates and a few machines.

use ipnetwork::Ipv4Network;
use kickstand::assets::Assets;
use kickstand::boot::lifecycle;
use kickstand::engine::{Engine, From, Parts};
use kickstand::model::*;
use kickstand::store::{Edit, EventFilter, Store};
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub const TEMPLATE: &str = "templates/debian/web.cfg";

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub struct House {
    pub engine: Arc<Engine>,
    /// None where the operator has none.
    pub etc: Option<std::path::PathBuf>,
}

impl House {
    pub async fn open(url: &str, etc: Option<&Path>) -> House {
        let parts = Parts {
            store: Store::open(url).await.unwrap(),
            assets: Assets { operator: etc.map(Path::to_owned) },
            files: "/nowhere".into(),
            loaders: vec![],
            http_port: 80,
            https_port: None,
            addresses: vec![Ipv4Addr::new(10, 0, 0, 1)],
            lifetimes: Default::default(),
        };
        House { engine: Engine::new(parts).await.unwrap(), etc: etc.map(Path::to_owned) }
    }

    pub async fn close(self) {
        self.engine.store.clone().close().await;
    }

    pub async fn edit(&self, edit: Edit) {
        self.engine.store.edit(edit, "test", self.engine.now()).await.unwrap();
    }

    /// Three machines of profile `web`, of which one has a password, and one without any profile.
    pub async fn furnish(&self) {
        self.edit(Edit::AddNetwork(network())).await;
        self.edit(Edit::AddDistro(distro())).await;
        self.edit(Edit::AddProfile(profile("base", None, None))).await;
        self.edit(Edit::AddProfile(profile("web", Some("base"), Some("debian/web.cfg")))).await;
        for (n, profile) in [(1, Some("web")), (2, Some("web")), (3, Some("web")), (4, None)] {
            self.edit(Edit::AddMachines(vec![machine(n, profile)])).await;
        }
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.engine.book().text(name).map(|(text, _)| text.to_owned())
    }

    pub fn from(&self, name: &str) -> Option<From> {
        self.engine.book().text(name).map(|(_, from)| from)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.etc.as_ref().unwrap().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub async fn look(&self) {
        self.engine.look_at_templates().await;
    }

    /// What is told of this kind, the oldest first.
    pub async fn told(&self, kind: Kind) -> Vec<String> {
        let filter = EventFilter { machine: None, mac: None, kinds: vec![kind], after: None, since: None, limit: 1000 };
        self.engine.store.events(&filter).await.unwrap().into_iter().map(|event| event.text).collect()
    }

    /// How long it took until this is in use.
    pub async fn until(&self, name: &str, text: &str) -> Duration {
        let began = Instant::now();
        while self.text(name).as_deref() != Some(text) {
            assert!(began.elapsed() < Duration::from_secs(5), "{name} is {:?}", self.text(name));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        began.elapsed()
    }
}

fn network() -> Network {
    Network {
        name: name("lab"),
        cidr: Ipv4Network::new(Ipv4Addr::new(10, 0, 0, 0), 24).unwrap(),
        gateway: None,
        dns: vec![],
        domain: None,
        pools: vec![],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Ignore,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    }
}

fn distro() -> Distro {
    Distro {
        name: name("debian-12"),
        family: Family::Debian,
        kernel: "d/linux".into(),
        initrd: "d/initrd.gz".into(),
        arguments: String::new(),
        variables: json!({"mirror_host": "mirror.example"}).as_object().unwrap().clone().into_iter().collect(),
        secrets: Default::default(),
        loader: None,
    }
}

fn profile(own: &str, parent: Option<&str>, template: Option<&str>) -> Profile {
    Profile {
        name: name(own),
        parent: parent.map(name),
        distro: parent.is_none().then(|| name("debian-12")),
        template: template.map(str::to_owned),
        arguments: String::new(),
        keys: Names::default(),
        variables: Variables::new(),
        secrets: Default::default(),
        options: OptionSet::default(),
        loader: None,
        disk_boot: None,
    }
}

fn machine(n: u8, profile: Option<&str>) -> Machine {
    let mac = Mac([0x52, 0x54, 0, 0, 0, n]);
    let mut machine =
        lifecycle::newcomer(mac, State::Ready, [Uuid::now_v7(), Uuid::now_v7()], Time::from_secs(1_800_000_000));
    machine.name = name(&format!("web-{n}"));
    machine.profile = profile.map(name);
    machine.interfaces[0].ip = Some(Ipv4Addr::new(10, 0, 0, 10 + n));
    if n == 3 {
        machine.variables.insert("root_password_hash".into(), json!("$6$salt$hunter2"));
    }
    machine
}
