//! Two servers on one PostgreSQL: what is written down at one is on the other's wire at once.

use crate::postgres::Fresh;
use crate::rig::{Appliance, Booted, FakeMachine, Rom};
use std::time::{Duration, Instant};

/// A machine on the second node's network.
fn machine(node: &Appliance, last: u8) -> FakeMachine {
    FakeMachine::new(node, format!("52:54:00:78:00:{last:02x}").parse().unwrap(), Rom::Bios)
}

/// The news takes milliseconds: a few tries are many.
async fn soon(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..10 {
        if so().await {
            return;
        }
    }
    panic!("{what}: not within ten tries");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_at_one_node_is_on_the_wire_of_the_other() {
    let database = Fresh::make().await;
    let one = Appliance::with_database(Some(&database.url())).await;
    let two = Appliance::with_database(Some(&database.url())).await;
    one.cli(&["network", "add", "far", "--cidr", &two.network_cidr()]).await;
    let mut machine = machine(&two, 10);
    assert!(matches!(machine.power_on().await, Booted::Silence));

    let ip = two.ip(10).to_string();
    one.cli(&["machine", "add", "web-1", "--mac", &machine.mac.to_string(), "--ip", &ip]).await;
    soon("the other node knows it", async || matches!(machine.power_on().await, Booted::OwnDisk)).await;
    soon("and its lease is known here", async || one.json(&["lease", "list"]).await.to_string().contains(&ip)).await;
    one.cli(&["network", "set", "far", "--unknown", "show"]).await;
    let mut stranger = FakeMachine::new(&two, "52:54:00:78:00:99".parse().unwrap(), Rom::Bios);
    assert!(matches!(stranger.power_on().await, Booted::Silence), "no pool, no address");
    one.cli(&["network", "set", "far", "--pool", &two.span(100, 110)]).await;
    soon("a pool, an address", async || matches!(stranger.power_on().await, Booted::Told(_))).await;
    drop((one, two));
    database.drop().await;
}

/// Printed, not asserted: a busy machine is slow. That it arrives is asserted.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_change_takes_to_the_other_node() {
    let database = Fresh::make().await;
    let one = Appliance::with_database(Some(&database.url())).await;
    let two = Appliance::with_database(Some(&database.url())).await;
    one.cli(&["network", "add", "far", "--cidr", &two.network_cidr()]).await;
    let (here, there) = (&one.running().engine, &two.running().engine);
    let network = here.store.world().networks.values().next().unwrap().clone();
    let mut times = Vec::new();
    for i in 0..200u32 {
        let lease_secs = 1000 + i;
        let edit = kickstand::store::Edit::SetNetwork(kickstand::model::Network { lease_secs, ..network.clone() });
        here.store.edit(edit, "test", here.now()).await.unwrap();
        let since = Instant::now();
        while there.store.world().networks.values().next().map(|network| network.lease_secs) != Some(lease_secs) {
            assert!(since.elapsed() < Duration::from_secs(2), "change {i} did not arrive");
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        times.push(since.elapsed());
    }
    times.sort();
    println!("a change is right on the other node after the commit: p50 {:?}, p99 {:?}", times[100], times[198]);
    drop((one, two));
    database.drop().await;
}
