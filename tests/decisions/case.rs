//! A row of a decision table, and how it becomes facts and a question.

use kickstand::boot::announce::{AnnounceFacts, Announced, Card};
use kickstand::boot::autoinstall::{AutoinstallAsk, AutoinstallFacts};
use kickstand::boot::file::{FileAsk, FileFacts};
use kickstand::boot::leave::LeaveAsk;
use kickstand::boot::lifecycle::Ticket;
use kickstand::boot::offer::{Message, OfferAsk, OfferFacts};
use kickstand::boot::pool::Pool;
use kickstand::boot::register::{RegisterAsk, RegisterFacts};
use kickstand::boot::reinstall::{CheckInAsk, ReinstallAsk, ReinstallFacts, StartsAsk};
use kickstand::boot::report::{NamedReportAsk, ReportAsk, ReportFacts, Stage};
use kickstand::boot::script::{Hindrance, ScriptAsk, ScriptFacts};
use kickstand::boot::{Ask, Decision, Effect, Here, Records, Standing, Step};
use kickstand::loader::manifest;
use kickstand::model::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// Every row happens at this moment.
const NOW: Time = Time::from_secs(1_000_000);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub says: String,
    /// Substrings that the reply, the reasons or the effects must show.
    pub expect: Vec<String>,
    #[serde(default)]
    pub never: Vec<String>,
    #[serde(default)]
    ask: String,
    ip: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    program: Option<Program>,
    arch: Option<u16>,
    unknown: Option<Unknown>,
    pool: Option<String>,
    /// The network's default profile.
    default: Option<Name>,
    #[serde(default)]
    ranges: Vec<(Span, Name)>,
    machine: Option<Row>,
    #[serde(default)]
    retired: bool,
    /// MAC, address, seconds until the lease ends (negative: ago).
    #[serde(default)]
    leases: Vec<(Mac, Ipv4Addr, i64)>,
    /// Another machine's reservation.
    reserved: Option<Ipv4Addr>,
    key: Option<Key>,
    /// That the answer file carries.
    #[serde(default)]
    secrets: Vec<String>,
    /// Records that packets made before.
    #[serde(default)]
    newcomers: u64,
    /// Of the network: what its settings say beside the defaults.
    #[serde(default)]
    dhcp: Dhcp,
    /// More pools, and whom they serve.
    #[serde(default)]
    pools: Vec<Pooled>,
    /// A second network on the same wire, 10.0.1.0/24, with this pool.
    second: Option<Pooled>,
    #[serde(default)]
    relayed: bool,
    id: Option<String>,
    circuit: Option<String>,
    user_class: Option<String>,
    #[serde(default)]
    vendor: String,
    /// A reservation for such clients.
    kept: Option<(Mark, Ipv4Addr)>,
    /// An address that is held.
    held: Option<Held>,
    /// Seconds since the database was lost.
    lost: Option<i64>,
    #[serde(default)]
    ca_lost: bool,
    #[serde(default)]
    options: OptionSet,
    #[serde(default)]
    class: Option<(Match, OptionSet)>,
    /// Of the loader that asks for its script.
    language: Option<Language>,
    /// The loaders whose files are there; U-Boot needs none.
    there: Option<Vec<Name>>,
    #[serde(default)]
    quirks: Vec<Quirk>,
    /// What the profile `web` says.
    #[serde(default)]
    web: Own,
    /// What the distro of the profile `web` says.
    distro_loader: Option<Name>,
    /// The file that is asked for, and by what.
    name: Option<String>,
    by: Option<By>,
    /// Which life of the running system asks.
    #[serde(default = "first")]
    life: u8,
    /// The card that it names; by default the machine's own.
    mac: Option<Mac>,
    /// The profile that it would have.
    wants: Option<Name>,
    carried: Option<Carried>,
    /// A key of its permits that it installs itself anew.
    #[serde(default)]
    permits: bool,
    #[serde(default)]
    off_net: bool,
    /// It knows its machine's name alone.
    #[serde(default)]
    by_name: bool,
    announced: Option<Said>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    name: String,
    #[serde(default)]
    hostname: String,
    /// Each with its name, MAC and address.
    cards: Vec<(String, String, String)>,
    /// The settings let nobody announce itself.
    #[serde(default)]
    closed: bool,
}

fn first() -> u8 {
    1
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Own {
    loader: Option<Name>,
    disk_boot: Option<DiskBoot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    state: State,
    ip: Option<Ipv4Addr>,
    profile: Option<Name>,
    #[serde(default)]
    boots: u8,
    /// The address that the current boot's token is bound to.
    boot: Option<Ipv4Addr>,
    #[serde(default = "long_ago")]
    served_secs_ago: i64,
    #[serde(default)]
    answered: bool,
    #[serde(default)]
    answered_secs_ago: i64,
    #[serde(default)]
    reported: bool,
    #[serde(default)]
    expired: bool,
    #[serde(default)]
    repeats: u8,
    loader: Option<Name>,
    disk_boot: Option<DiskBoot>,
    product: Option<String>,
    /// What it was before it was armed.
    #[serde(default = "ready")]
    before: State,
    #[serde(default)]
    inside_only: bool,
    /// Which life of its running system took the current boot; none: its firmware did.
    life: Option<u8>,
    way: Option<Way>,
    /// The keys that it came in with.
    joined: Option<Names>,
}

fn ready() -> State {
    State::Ready
}

fn life(number: u8) -> Uuid {
    Uuid::from_u128(number.into())
}

fn became(step: &Step) -> String {
    let boot = step.install.as_ref().and_then(|install| install.boot.as_ref());
    let token = boot.map(|boot| format!(", token until {} s", boot.expires_at.secs_since(NOW)));
    let reported = boot.and_then(|boot| boot.reported_at).map(|_| ", reported");
    let boots = step.install.as_ref().map_or(0, |i| i.boots);
    format!("becomes {} boots {boots}{}{}", step.state, token.unwrap_or_default(), reported.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    ip: Ipv4Addr,
    why: HoldWhy,
    /// How much longer.
    secs: i64,
    /// How often in a row.
    times: u32,
    of: Option<Holder>,
}

fn long_ago() -> i64 {
    300
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    #[serde(default)]
    spent: bool,
    #[serde(default)]
    expired: bool,
    #[serde(default)]
    other_install: bool,
    #[serde(default)]
    gone: bool,
    #[serde(default)]
    disabled: bool,
    limit: Option<u32>,
    #[serde(default)]
    used: u32,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn mac() -> Mac {
    "52:54:00:00:00:01".parse().unwrap()
}

fn here() -> Here {
    Here { ip: Ipv4Addr::new(10, 0, 0, 1), http_port: 80, https_port: None, pinned: None }
}

/// Its name, state and profile, and its cards with their addresses.
fn shown(machine: &Machine) -> String {
    let ip = |card: &Interface| card.ip.map(|ip| format!(" at {ip}")).unwrap_or_default();
    let cards: Vec<_> = machine.interfaces.iter().map(|card| format!("{}{}", card.mac, ip(card))).collect();
    format!("{} {} {} {}", machine.name, machine.state, machine.profile.as_ref().unwrap(), cards.join(" "))
}

fn told<R: Debug>(decision: Decision<R>) -> Vec<String> {
    let mut lines = vec![format!("{:?}", decision.reply)];
    lines.extend(decision.why.iter().map(|reason| format!("why {reason}")));
    lines.extend(decision.effects.iter().map(|effect| match effect {
        Effect::Tell(tale) => format!("tells {}: {}", tale.kind, tale.text),
        Effect::Step(step) => became(step),
        Effect::Enlist(machine) => format!("enlists {} {}", machine.name, machine.state),
        other => format!("{other:?}"),
    }));
    lines
}

impl Case {
    fn network(&self) -> Network {
        Network {
            name: name("lab"),
            cidr: "10.0.0.0/24".parse().unwrap(),
            gateway: Some(Ipv4Addr::new(10, 0, 0, 254)),
            dns: vec![],
            domain: None,
            pools: match self.pool.as_deref() {
                Some("") => vec![],
                Some(text) => vec![text.parse().unwrap()],
                None if !self.pools.is_empty() => self.pools.clone(),
                None => vec!["10.0.0.100-10.0.0.102".parse().unwrap()],
            },
            lease_secs: 600,
            profile: self.default.clone(),
            unknown: self.unknown.unwrap_or(Unknown::Ignore),
            variables: Default::default(),
            secrets: Default::default(),
            dhcp: self.dhcp.clone(),
        }
    }

    /// The other network on the wire.
    fn second(&self) -> Option<Network> {
        let pool = self.second?;
        let dhcp = Dhcp { link: Some(self.network().link().clone()), ..Dhcp::default() };
        let cidr = "10.0.1.0/24".parse().unwrap();
        Some(Network { name: name("annex"), cidr, gateway: None, pools: vec![pool], dhcp, ..self.network() })
    }

    fn machine(&self) -> Option<Machine> {
        let row = self.machine.as_ref()?;
        let boot = row.boot.map(|ip| Boot {
            token: Hash([1; 32]),
            report: Hash([2; 32]),
            ip,
            served_at: Time::from_secs(NOW.0 / 1_000_000 - row.served_secs_ago),
            expires_at: if row.expired { NOW } else { NOW.plus_secs(600) },
            answered_at: row.answered.then(|| Time::from_secs(NOW.0 / 1_000_000 - row.answered_secs_ago)),
            reported_at: row.reported.then_some(NOW),
            profile: None,
            repeats: row.repeats,
            inside: row
                .life
                .map(|number| Box::new(Inside { mac: mac(), life: life(number), way: row.way, carried: None })),
        });
        let mut machine =
            kickstand::boot::lifecycle::newcomer(mac(), row.state, [Uuid::from_u128(7), Uuid::from_u128(8)], NOW);
        machine.name = name("web-1");
        machine.interfaces[0].ip = row.ip;
        machine.profile = row.profile.clone();
        machine.loader = row.loader.clone();
        machine.disk_boot = row.disk_boot;
        machine.joined = row.joined.clone().unwrap_or_default();
        machine.inventory = row.product.as_ref().map(|product| serde_json::json!({ "product": product }));
        let arming = Install::new(Uuid::from_u128(8), NOW, row.before);
        machine.install = Some(Install { boots: row.boots, boot, inside_only: row.inside_only, ..arming });
        Some(machine)
    }

    /// The loaders that are built in.
    fn shelf(&self) -> Shelf {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/pxe/loaders.toml")).unwrap();
        let usual = || vec![name("ipxe-bios"), name("ipxe-x64")];
        let there = self.there.clone().unwrap_or_else(usual);
        let shelved =
            |loader: Loader| Shelved { there: loader.files.is_empty() || there.contains(&loader.name), loader };
        let loaders = manifest::catalogue(&[("loaders.toml", &text)]).unwrap();
        Shelf { loaders: loaders.into_iter().map(shelved).collect(), quirks: self.quirks.clone() }
    }

    fn profiles(&self) -> BTreeMap<Name, Profile> {
        let web = Profile {
            name: name("web"),
            parent: None,
            distro: Some(name("debian")),
            template: None,
            arguments: String::new(),
            keys: Names::default(),
            variables: Variables::new(),
            secrets: Default::default(),
            options: OptionSet::default(),
            loader: self.web.loader.clone(),
            disk_boot: self.web.disk_boot,
        };
        BTreeMap::from([(web.name.clone(), web)])
    }

    fn distros(&self) -> BTreeMap<Name, Distro> {
        let debian = Distro {
            name: name("debian"),
            family: Family::Image,
            kernel: "d/vmlinuz".into(),
            initrd: "d/initrd.img".into(),
            arguments: String::new(),
            variables: Variables::new(),
            secrets: Default::default(),
            loader: self.distro_loader.clone(),
        };
        BTreeMap::from([(debian.name.clone(), debian)])
    }

    pub fn file(&self) -> Vec<String> {
        let leases: Vec<_> = self.leases.iter().map(|lease| self.lease(lease)).collect();
        let lease = leases.iter().find(|lease| Some(lease.ip) == self.ip);
        let ask = FileAsk { name: self.name.clone().unwrap(), from: self.ip, by: self.by.unwrap_or(By::Tftp) };
        told(ask.decide(FileFacts { shelf: &self.shelf(), lease }, NOW))
    }

    fn tombstone(&self) -> Tombstone {
        Tombstone {
            mac: mac(),
            machine: MachineId(Uuid::from_u128(7)),
            replaced_by: "52:54:00:00:00:99".parse().unwrap(),
            at: NOW,
        }
    }

    fn standing<'a>(&self, machine: &'a Option<Machine>, tombstone: &'a Tombstone) -> Standing<'a> {
        match machine {
            Some(machine) => Standing::Machine(machine),
            None if self.retired => Standing::Retired(tombstone),
            None => Standing::Unknown,
        }
    }

    fn ranges(&self) -> Vec<Range> {
        let range = |(i, (span, profile)): (usize, &(Span, Name))| Range {
            name: name(&format!("range-{i}")),
            network: name("lab"),
            span: *span,
            profile: profile.clone(),
            options: OptionSet::default(),
            variables: Default::default(),
            secrets: Default::default(),
        };
        self.ranges.iter().enumerate().map(range).collect()
    }

    fn lease(&self, (mac, ip, secs): &(Mac, Ipv4Addr, i64)) -> Lease {
        let ends_at = Time(NOW.0 + secs * 1_000_000);
        Lease {
            network: name(if ip.octets()[2] == 1 { "annex" } else { "lab" }),
            holder: (*mac).into(),
            ip: *ip,
            starts_at: NOW,
            ends_at,
            hostname: None,
        }
    }

    fn message(&self) -> Message {
        let ip = self.ip.unwrap_or(Ipv4Addr::UNSPECIFIED);
        match self.ask.as_str() {
            "discover" => Message::Discover { wants: self.ip },
            "select" => Message::Select { server: self.server.unwrap_or(here().ip), ip },
            "reboot" => Message::Reboot { ip },
            "renew" => Message::Renew { ip },
            "rebind" => Message::Rebind { ip },
            "boot" => Message::Boot { ip: self.ip },
            "decline" => Message::Decline { ip },
            "release" => Message::Release { ip },
            "inform" => Message::Inform { ip },
            other => panic!("{}: ask is {other:?}", self.says),
        }
    }

    pub fn offer(&self) -> Vec<String> {
        let (machine, tombstone) = (self.machine(), self.tombstone());
        let (first, second) = (self.network(), self.second());
        let networks: Vec<_> = std::iter::once(&first).chain(&second).collect();
        let mut pool = Pool::default();
        pool.lay_out(networks.iter().copied());
        let leases: Vec<_> = self.leases.iter().map(|lease| self.lease(lease)).collect();
        leases.iter().for_each(|lease| pool.take(lease));
        let books = Books::of(self, leases);
        let client = Client { program: self.program.unwrap_or(Program::Rom), arch: Some(Arch(self.arch.unwrap_or(0))) };
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().into());
        let id: Option<Box<[u8]>> = bytes(&self.id);
        let ask = OfferAsk {
            message: self.message(),
            // A client with an identifier alone stands for one without a usable MAC.
            holder: id.clone().map_or(Holder::Card(mac()), Holder::Id),
            client,
            vendor: self.vendor.clone(),
            user_classes: self.user_class.iter().cloned().collect(),
            uuid: None,
            hostname: None,
            client_id: id,
            circuit: bytes(&self.circuit),
            relayed: self.relayed,
        };
        let standing = match (self.standing(&machine, &tombstone), &books.kept) {
            (Standing::Unknown, Some(kept)) => Standing::Reserved(kept),
            (standing, _) => standing,
        };
        let facts = OfferFacts {
            networks: &networks,
            here: here(),
            ours: &[],
            standing,
            records: &books,
            pool: &pool,
            shelf: &self.shelf(),
            lost_since: self.lost.map(|secs| Time(NOW.0 - secs * 1_000_000)),
            fresh: &|| [Uuid::from_u128(1), Uuid::from_u128(2)],
        };
        told(ask.decide(facts, NOW))
    }

    pub fn script(&self) -> Vec<String> {
        let (network, machine, tombstone, ranges) = (self.network(), self.machine(), self.tombstone(), self.ranges());
        let profiles = self.profiles();
        let lease = self.leases.first().map(|lease| self.lease(lease));
        let from = self.ip.unwrap();
        let facts = ScriptFacts {
            standing: self.standing(&machine, &tombstone),
            network: &network,
            lease: lease.as_ref(),
            ranges: &ranges,
            profiles: &profiles,
            shelf: &self.shelf(),
            hindrance: self.lost.map(|_| Hindrance::Database).or(self.ca_lost.then_some(Hindrance::Ca)),
            ticket: Ticket { token: Hash([3; 32]), report: Hash([4; 32]), ip: from, lives_secs: 600 },
        };
        let language = self.language.unwrap_or(Language::Ipxe);
        told(ScriptAsk { mac: mac(), from, language }.decide(facts, NOW))
    }

    pub fn answer(&self) -> Vec<String> {
        let machine = self.machine();
        let ask = AutoinstallAsk { token: Hash([1; 32]), from: self.ip.unwrap() };
        let usual = vec![(mac(), Ipv4Addr::new(10, 0, 0, 10), 60)];
        let leases = if self.leases.is_empty() { &usual } else { &self.leases };
        let boot = self.machine.as_ref().and_then(|row| row.boot);
        let lease = leases.iter().find(|(_, ip, _)| boot.is_none_or(|boot| boot == *ip)).map(|lease| self.lease(lease));
        let (machine, key) = (machine.as_ref(), self.install_key());
        let mut lines = told(ask.decide(
            AutoinstallFacts { machine, lease: lease.as_ref(), file: Some("answer file"), key, lives_secs: 60 },
            NOW,
        ));
        let names: Vec<String> = self.secrets.clone();
        let released = machine.and_then(|machine| ask.released(machine, &names, NOW));
        lines.extend(released.map(|effect| format!("releases {effect:?}")));
        lines
    }

    pub fn report(&self) -> Vec<String> {
        let machine = self.machine();
        let stage = match self.ask.as_str() {
            "started" => Stage::Started,
            "done" => Stage::Done,
            "failed" => Stage::Failed { message: "no disk".into() },
            "progress" => Stage::Progress { percent: 40, message: "unpacking".into() },
            "inventory" => Stage::Inventory(serde_json::json!({"cpus": 2})),
            other => panic!("{}: ask is {other:?}", self.says),
        };
        let from = self.ip.unwrap();
        if self.by_name {
            return told(NamedReportAsk { from, stage }.decide(machine.as_ref().unwrap(), NOW));
        }
        let ask = ReportAsk { report: Hash([2; 32]), from, stage };
        told(ask.decide(ReportFacts { machine: machine.as_ref() }, NOW))
    }

    pub fn leave(&self) -> Vec<String> {
        let ask = LeaveAsk { from: self.ip.unwrap(), credential: Hash([6; 32]) };
        told(ask.decide(&self.machine().unwrap(), NOW))
    }

    pub fn announce(&self) -> Vec<String> {
        let (machine, said) = (self.machine(), self.announced.as_ref().unwrap());
        let card = |(name, mac, ip): &(String, String, String)| {
            let (mac, ip) = (mac.clone(), ip.clone());
            Card { is_bridge: name == "bridge", name: name.clone(), mac, ip }
        };
        let leases: Vec<_> = self.leases.iter().map(|lease| self.lease(lease)).collect();
        let books = Books::of(self, leases.clone());
        let facts = AnnounceFacts {
            is_open: !said.closed,
            from: self.ip.unwrap(),
            is_on_net: !self.off_net,
            lease: leases.first(),
            records: &books,
            is_taken: &|name| machine.as_ref().is_some_and(|machine| machine.name == *name),
            is_known: &|card| card == mac() && (self.retired || machine.is_some()),
            ids: [Uuid::from_u128(1), Uuid::from_u128(2)],
        };
        let cards = said.cards.iter().map(card).collect();
        let (name, hostname) = (said.name.clone(), said.hostname.clone());
        let made = Announced { name, profile: "web".into(), hostname, cards }.record(&facts, NOW);
        vec![match made {
            Ok(machine) => format!("Ok({})", shown(&machine)),
            Err(no) => format!("Err({no:?})"),
        }]
    }

    pub fn reinstall(&self) -> Vec<String> {
        let (machine, from, life) = (self.machine().unwrap(), self.ip.unwrap(), life(self.life));
        match self.ask.as_str() {
            "check-in" => told(CheckInAsk { from, life, up_secs: 60 }.decide(&machine, NOW)),
            "reinstall" => self.anew(&machine, from, life),
            "fails" => {
                let way = Err("12 MB free in /boot, 40 needed".into());
                told(StartsAsk { from, life, way }.decide(&machine, NOW))
            }
            other => {
                let way = other.strip_prefix("starts ").unwrap_or_else(|| panic!("{}: ask is {other:?}", self.says));
                told(StartsAsk { from, life, way: Ok(way.parse().unwrap()) }.decide(&machine, NOW))
            }
        }
    }

    fn anew(&self, machine: &Machine, from: Ipv4Addr, life: Uuid) -> Vec<String> {
        let (network, ranges, own) = (self.network(), self.ranges(), name("own"));
        let lease = self.leases.first().map(|lease| self.lease(lease));
        let facts = ReinstallFacts {
            machine,
            network: (!self.off_net).then_some(&network),
            lease: lease.as_ref(),
            permitted_by: self.permits.then_some(&own),
            profiles: &self.profiles(),
            ranges: &ranges,
            hindrance: self.lost.map(|_| Hindrance::Database).or(self.ca_lost.then_some(Hindrance::Ca)),
            install: Uuid::from_u128(9),
            ticket: Ticket { token: Hash([3; 32]), report: Hash([4; 32]), ip: from, lives_secs: 600 },
        };
        let (profile, carried) = (self.wants.clone(), self.carried.clone());
        let ask = ReinstallAsk { from, life, mac: self.mac.unwrap_or_else(mac), profile, carried };
        told(ask.decide(facts, NOW))
    }

    pub fn register(&self) -> Vec<String> {
        let (machine, key) = (self.machine(), self.install_key());
        let activation = self.key.as_ref().filter(|key| !key.gone).map(|key| ActivationKey {
            usage_limit: key.limit,
            used: key.used,
            enabled: !key.disabled,
            ..ActivationKey::new(name("web"))
        });
        let keys = activation.map(|key| (key.name.clone(), key)).into_iter().collect();
        let ask = RegisterAsk {
            key: Hash([5; 32]),
            from: Ipv4Addr::new(10, 0, 0, 10),
            inventory: serde_json::json!({}),
            credential: Hash([6; 32]),
        };
        let facts = RegisterFacts { install_key: key.as_ref(), keys: &keys, machine: machine.as_ref() };
        told(ask.decide(facts, NOW))
    }

    fn install_key(&self) -> Option<InstallKey> {
        let key = self.key.as_ref()?;
        Some(InstallKey {
            hash: Hash([5; 32]),
            keys: name("web").into(),
            machine: MachineId(Uuid::from_u128(7)),
            install: Uuid::from_u128(if key.other_install { 9 } else { 8 }),
            expires_at: if key.expired { NOW } else { NOW.plus_secs(60) },
            spent_at: key.spent.then_some(NOW),
        })
    }
}

/// The records that a row speaks of.
struct Books {
    reserved: Option<Ipv4Addr>,
    kept: Option<Reservation>,
    hold: Option<Hold>,
    leases: Vec<Lease>,
    newcomers: u64,
    ranges: Vec<Range>,
    profiles: BTreeMap<Name, Profile>,
    distros: BTreeMap<Name, Distro>,
    keys: BTreeMap<Name, ActivationKey>,
    classes: BTreeMap<Name, Class>,
    options: OptionSet,
}

impl Books {
    fn of(case: &Case, leases: Vec<Lease>) -> Books {
        let kept =
            case.kept.clone().map(|(by, ip)| Reservation { ip, network: name("lab"), by, description: "".into() });
        let hold = case.held.as_ref().map(|held| Hold {
            network: name("lab"),
            ip: held.ip,
            until: Time(NOW.0 + held.secs * 1_000_000),
            why: held.why,
            holder: held.of.clone(),
            times: held.times,
        });
        let class =
            case.class.clone().map(|(matches, options)| Class { name: name("such"), network: None, matches, options });
        Books {
            reserved: case.reserved,
            kept,
            hold,
            leases,
            newcomers: case.newcomers,
            ranges: case.ranges(),
            profiles: case.profiles(),
            distros: case.distros(),
            keys: BTreeMap::new(),
            classes: class.into_iter().map(|class| (class.name.clone(), class)).collect(),
            options: case.options.clone(),
        }
    }
}

impl Records for Books {
    fn reserved(&self, ip: Ipv4Addr) -> Option<Mac> {
        (self.reserved == Some(ip)).then(|| "52:54:00:00:00:77".parse().unwrap())
    }

    fn reservation(&self, _: &Name, mark: &Mark) -> Option<&Reservation> {
        self.kept.as_ref().filter(|kept| kept.by == *mark)
    }

    fn reservation_at(&self, ip: Ipv4Addr) -> Option<&Reservation> {
        self.kept.as_ref().filter(|kept| kept.ip == ip)
    }

    fn hold(&self, ip: Ipv4Addr) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| hold.ip == ip)
    }

    fn lease(&self, network: &Name, holder: &Holder) -> Option<&Lease> {
        self.leases.iter().find(|lease| lease.network == *network && lease.holder == *holder)
    }

    fn newcomers(&self) -> u64 {
        self.newcomers
    }

    fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    fn profiles(&self) -> &BTreeMap<Name, Profile> {
        &self.profiles
    }

    fn distros(&self) -> &BTreeMap<Name, Distro> {
        &self.distros
    }

    fn keys(&self) -> &BTreeMap<Name, ActivationKey> {
        &self.keys
    }

    fn classes(&self) -> &BTreeMap<Name, Class> {
        &self.classes
    }

    fn options(&self) -> &OptionSet {
        &self.options
    }
}
