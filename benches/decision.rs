//! One DHCP decision, with a thousand to a hundred thousand machines in the records: each time of another client, so
//! that the caches of the processor help no more than on the wire.

#[path = "dhcp/report.rs"]
#[expect(dead_code, reason = "the other benches judge in other ways")]
mod report;

use criterion::{BenchmarkId, Criterion};
use kickstand::boot::offer::{Message, OfferAsk, OfferFacts};
use kickstand::boot::pool::Pool;
use kickstand::boot::{Ask, Here, lifecycle};
use kickstand::model::*;
use kickstand::store::{Edit, Store};
use report::{Bar, Report};
use std::hint::black_box;
use std::net::Ipv4Addr;
use uuid::Uuid;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
const CASES: [&str; 3] = ["machine discovers", "stranger discovers", "stranger renews"];
const NOW: Time = Time::from_secs(1_800_000_000);

fn network() -> Network {
    Network {
        name: "lab".parse().unwrap(),
        cidr: "10.0.0.0/8".parse().unwrap(),
        gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
        dns: vec![Ipv4Addr::new(10, 0, 0, 2)],
        domain: None,
        pools: vec!["10.128.0.0-10.129.255.255".parse().unwrap()],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Show,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    }
}

fn mac(n: u32) -> Mac {
    let [.., a, b, c] = n.to_be_bytes();
    Mac([0x52, 0x54, 0, a, b, c])
}

fn machine(n: u32) -> Machine {
    let mut machine = lifecycle::newcomer(mac(n), State::Ready, [Uuid::now_v7(), Uuid::now_v7()], NOW);
    machine.name = format!("machine-{n}").parse().unwrap();
    machine.interfaces[0].ip = Some(Ipv4Addr::from(0x0a01_0000 + n));
    machine
}

/// As many machines with a reserved address, and as many leases of others in the pool.
async fn filled(count: u32, folder: &std::path::Path) -> (Store, Pool) {
    let store = Store::open(&format!("sqlite://{}/bench.db", folder.display())).await.unwrap();
    store.edit(Edit::AddNetwork(network()), "bench", NOW).await.unwrap();
    let all: Vec<_> = (0..count).map(machine).collect();
    for some in all.chunks(5000) {
        store.edit(Edit::AddMachines(some.to_vec()), "bench", NOW).await.unwrap();
    }
    let mut pool = Pool::default();
    pool.lay_out([&network()]);
    for n in 0..count {
        let holder = mac(0x80_0000 + n).into();
        let ip = Ipv4Addr::from(0x0a80_0000 + n);
        let network = "lab".parse().unwrap();
        pool.take(&Lease { network, holder, ip, starts_at: NOW, ends_at: NOW.plus_secs(3600), hostname: None });
    }
    pool.move_on(&|_, _| true);
    (store, pool)
}

fn ask(mac: Mac, message: Message) -> OfferAsk {
    OfferAsk {
        message,
        holder: mac.into(),
        client: Client { program: Program::Rom, arch: Some(Arch::X64_UEFI) },
        vendor: "PXEClient:Arch:00007:UNDI:003000".into(),
        user_classes: vec![],
        uuid: None,
        hostname: None,
        client_id: None,
        circuit: None,
        relayed: false,
    }
}

fn decisions(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut group = c.benchmark_group("decision");
    let shelf = shelf();
    for count in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let (store, pool) = runtime.block_on(filled(count, folder.path()));
        let world = store.world();
        let network = world.networks.values().next().unwrap();
        let discover = Message::Discover { wants: None };
        let renew = |n| Message::Renew { ip: Ipv4Addr::from(0x0a80_0000 + n) };
        let each = |make: &dyn Fn(u32) -> OfferAsk| (0..count).map(|n| make(scattered(n, count))).collect::<Vec<_>>();
        let cases = [
            each(&|n| ask(mac(n), discover)),
            each(&|n| ask(mac(0xf0_0000 + n), discover)),
            each(&|n| ask(mac(0x80_0000 + n), renew(n))),
        ];
        for (name, asks) in CASES.iter().zip(cases) {
            let mut all = asks.iter().cycle();
            group.bench_function(BenchmarkId::new(*name, count), |b| {
                b.iter(|| {
                    let ask = all.next().unwrap();
                    let networks = [network];
                    let facts = OfferFacts {
                        networks: &networks,
                        here: Here { ip: Ipv4Addr::new(10, 0, 0, 3), http_port: 80, https_port: None, pinned: None },
                        ours: &[],
                        standing: world.standing_of(&networks, &ask.holder, None, None),
                        records: &*world,
                        pool: &pool,
                        shelf: &shelf,
                        lost_since: None,
                        fresh: &|| [Uuid::nil(); 2],
                    };
                    black_box(ask.decide(facts, NOW))
                });
            });
        }
    }
}

/// What is built in, with iPXE there.
fn shelf() -> Shelf {
    let text = include_str!("../pxe/loaders.toml");
    let loaders = kickstand::loader::manifest::catalogue(&[("loaders.toml", text)]).unwrap();
    let there = |loader: &Loader| loader.name.as_str().starts_with("ipxe");
    let loaders = loaders.into_iter().map(|loader| Shelved { there: there(&loader), loader }).collect();
    let quirks = kickstand::engine::quirks("quirks.toml", include_str!("../pxe/quirks.toml")).unwrap();
    Shelf { loaders, quirks }
}

/// All of them in another order.
fn scattered(n: u32, count: u32) -> u32 {
    (u64::from(n) * 7919 % u64::from(count)) as u32
}

/// What criterion found, beside the figures of the other benches.
fn report() -> anyhow::Result<()> {
    let mut report = Report::default();
    for (case, count) in CASES.iter().flat_map(|case| SIZES.map(|count| (case, count))) {
        let path = format!("{}/../criterion/decision/{case}/{count}/new/estimates.json", env!("CARGO_TARGET_TMPDIR"));
        // With a filter not all were measured.
        let Ok(found) = std::fs::read(path) else { continue };
        let found: serde_json::Value = serde_json::from_slice(&found)?;
        let ns = found["mean"]["point_estimate"].as_f64().unwrap_or(f64::NAN);
        let name = format!("decision.{}.{}k", case.replace(' ', "-"), count / 1000);
        report.add(name, ns / 1000.0, None, "us", Bar::AtMost(5.0));
    }
    report.print();
    report.write()
}

fn main() -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion);
    criterion.final_summary();
    report()
}
