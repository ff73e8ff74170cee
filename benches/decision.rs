//! One DHCP decision, with a thousand to a hundred thousand machines in the records.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kickstand::boot::offer::{Message, OfferAsk, OfferFacts};
use kickstand::boot::pool::Pool;
use kickstand::boot::{Ask, Here, lifecycle};
use kickstand::model::*;
use kickstand::store::{Edit, Store};
use std::hint::black_box;
use std::net::Ipv4Addr;
use uuid::Uuid;

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
    for count in [1_000, 10_000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let (store, pool) = runtime.block_on(filled(count, folder.path()));
        let world = store.world();
        let network = world.networks.values().next().unwrap();
        let discover = Message::Discover { wants: None };
        let renew = Message::Renew { ip: Ipv4Addr::from(0x0a80_0007) };
        let cases = [
            ("machine discovers", ask(mac(count / 2), discover)),
            ("stranger discovers", ask(mac(0xff_ffff), discover)),
            ("stranger renews", ask(mac(0x80_0007), renew)),
        ];
        for (name, ask) in cases {
            group.bench_with_input(BenchmarkId::new(name, count), &ask, |b, ask| {
                b.iter(|| {
                    let networks = [network];
                    let facts = OfferFacts {
                        networks: &networks,
                        here: Here { ip: Ipv4Addr::new(10, 0, 0, 3), http_port: 80 },
                        ours: &[],
                        standing: world.standing_of(&networks, &ask.holder, None, None),
                        records: &*world,
                        pool: &pool,
                        lost_since: None,
                        fresh: [Uuid::nil(); 2],
                    };
                    black_box(ask.decide(facts, NOW))
                });
            });
        }
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
