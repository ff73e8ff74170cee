//! A sequence of packets against a world and its pools: whatever came before, the next client is answered.
//!
//! Before each packet stand three bytes: how it arrives, and its length.

#![no_main]

use kickstand::assets::Assets;
use kickstand::boot::lifecycle::newcomer;
use kickstand::boot::pool::Pool;
use kickstand::dhcp::desk::{self, Heard};
use kickstand::dhcp::place::Arrival;
use kickstand::engine::{self, Engine, Parts};
use kickstand::model::*;
use kickstand::store::{Edit, Store};
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};
use tokio::runtime::Runtime;

const NOW: Time = Time::from_secs(1_800_000_000);
const OURS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 9, 0, 2), Ipv4Addr::new(10, 20, 0, 2)];

/// Made once: the world is only read. Its store lives in the runtime.
static SERVER: LazyLock<(Runtime, Arc<Engine>)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = runtime.block_on(engine());
    (runtime, engine)
});

async fn engine() -> Arc<Engine> {
    let folder = tempfile::tempdir().unwrap().keep();
    let store = Store::open(&format!("sqlite://{}/kickstand.db", folder.display())).await.unwrap();
    for edit in records() {
        store.edit(edit, "fuzz", NOW).await.unwrap();
    }
    let (files, loaders, addresses) = (folder, vec![], OURS.to_vec());
    let assets = Assets { operator: None };
    let parts = Parts {
        store,
        assets,
        files,
        loaders,
        http_port: 80,
        https_port: None,
        addresses,
        lifetimes: Default::default(),
    };
    Engine::new(parts).await.unwrap()
}

fn records() -> Vec<Edit> {
    let mut machine = newcomer("52:54:00:12:34:57".parse().unwrap(), State::Ready, Default::default(), NOW);
    machine.interfaces[0].ip = Some(Ipv4Addr::new(10, 9, 0, 50));
    let reserved = Reservation {
        ip: Ipv4Addr::new(10, 9, 0, 51),
        network: "lab".parse().unwrap(),
        by: "circuit:\"eth1\"".parse().unwrap(),
        description: String::new(),
    };
    let class = Class {
        name: "roms".parse().unwrap(),
        network: None,
        matches: Match { program: Some(Program::Rom), ..Match::default() },
        options: options("224", "0x01"),
    };
    vec![
        Edit::AddNetwork(network("lab", "10.9.0.0/24", "10.9.0.15-10.9.0.19", None)),
        Edit::AddNetwork(network("annex", "10.10.0.0/24", "10.10.0.15-10.10.0.19", Some("lab"))),
        Edit::AddNetwork(Network {
            unknown: Unknown::Install,
            variables: Default::default(),
            secrets: Default::default(),
            ..network("far", "10.20.0.0/24", "10.20.0.15-10.20.0.16", None)
        }),
        Edit::AddMachines(vec![machine]),
        Edit::AddReservation(reserved),
        Edit::AddClass(class),
    ]
}

fn options(option: &str, value: &str) -> OptionSet {
    let mut set = OptionSet::default();
    set.put(option, value).unwrap();
    set
}

fn network(name: &str, cidr: &str, pool: &str, link: Option<&str>) -> Network {
    let relays = vec!["10.9.0.254/32".parse().unwrap(), "10.20.0.0/24".parse().unwrap()];
    let options = options("classless-static-route", "10.1.0.0/16 10.9.0.9");
    Network {
        name: name.parse().unwrap(),
        cidr: cidr.parse().unwrap(),
        gateway: None,
        dns: vec![OURS[0]],
        domain: Some("lab.example".parse().unwrap()),
        pools: vec![pool.parse().unwrap()],
        lease_secs: 600,
        profile: None,
        unknown: Unknown::Show,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp { relays, snooping: true, link: link.map(|l| l.parse().unwrap()), options, ..Dhcp::default() },
    }
}

#[derive(Default)]
struct Desk {
    pools: HashMap<Name, Pool>,
    /// Seconds since the beginning.
    passed: u32,
}

impl Desk {
    fn hear(&mut self, bytes: &[u8], arrival: Arrival<'_>, boot_port: bool) -> Option<Vec<u8>> {
        let (_, engine) = &*SERVER;
        let heard = Heard::read(bytes, arrival, boot_port, &engine.store.world()).ok()?;
        let link = heard.place.link.clone();
        let fresh = || engine::pool(&engine.store.world(), &link, 0);
        let pool = self.pools.entry(link.clone()).or_insert_with(fresh);
        let answer = desk::answer(engine, pool, &heard, NOW.plus_secs(self.passed))?;
        answer.outgoing.map(|out| out.bytes)
    }
}

fuzz_target!(|input: &[u8]| {
    let (mut desk, mut rest) = (Desk::default(), input);
    while let [how, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let from = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 9, 0, 15), Ipv4Addr::new(10, 20, 0, 15)];
        let arrival = Arrival {
            ours: if how & 1 == 0 { &OURS } else { &OURS[1..] },
            from: from[usize::from(how >> 1) % 3],
            relays_only: how & 8 != 0,
        };
        desk.hear(&tail[..len], arrival, how & 16 != 0);
        desk.passed += u32::from(how >> 5) * 100;
        rest = &tail[len..];
    }
    lives(&mut desk);
});

/// A machine with an address of its own, after all that.
fn lives(desk: &mut Desk) {
    let arrival = Arrival { ours: &OURS, from: Ipv4Addr::UNSPECIFIED, relays_only: false };
    // Every lease has ended by then.
    desk.passed += 100_000;
    for (kind, wanted) in [(1, 2), (3, 5)] {
        let answer = desk.hear(&question(kind), arrival, false).expect("the next client is answered");
        assert_eq!(answer[240..243], [53, 1, wanted]);
        assert_eq!(answer[16..20], [10, 9, 0, 50]);
    }
}

fn question(kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[28..34].copy_from_slice(&[0x52, 0x54, 0, 0x12, 0x34, 0x57]);
    bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
    bytes.extend([53, 1, kind]);
    if kind == 3 {
        bytes.extend([54, 4, 10, 9, 0, 2, 50, 4, 10, 9, 0, 50]);
    }
    bytes.push(255);
    bytes
}
