//! A foreign server, played by dnsmasq: found when it is asked and heard when it answers others.

use crate::rig::{Running, Space, cable};
use kickstand::dhcp::rogue::{Neighbours, Rogue, Watch};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 9);
const OFFERS: &str = "10.99.0.100,10.99.0.150,1h";

fn dnsmasq(space: &Space, folder: &std::path::Path) -> Running {
    space.ip(&format!("address add {THEIRS}/24 dev eth0"));
    let leases = format!("--dhcp-leasefile={}", folder.join("leases").display());
    let range = format!("--dhcp-range={OFFERS}");
    let args = ["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--port=0", "--no-ping"];
    space.spawn("dnsmasq", &[&args[..], &[&leases, &range]].concat())
}

fn assert_is_dnsmasq(rogue: &Rogue, space: &Space) {
    assert_eq!((rogue.interface.as_str(), rogue.server_ip), ("eth0", THEIRS));
    assert_eq!(rogue.server_mac, space.mac("eth0"));
    let [.., last] = rogue.offered.unwrap().octets();
    assert!((100..=150).contains(&last), "{rogue:?}");
}

/// What a watch reports, and when. It ends with the test's runtime.
fn watch_for(every: Duration, neighbours: Neighbours) -> mpsc::UnboundedReceiver<Rogue> {
    let (report, reports) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let report = move |rogue| drop(report.send(rogue));
    let watch = Watch { interface: "eth0".into(), every, neighbours: move || neighbours.clone(), report };
    tokio::spawn(async move {
        watch.run(stopped).await;
        drop(stop);
    });
    reports
}

fn ours(ips: &[Ipv4Addr]) -> Neighbours {
    Neighbours { ours: ips.to_vec(), expected: false }
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_foreign_server_is_asked_for_and_named_once() {
    let ((server, other), folder) = (cable(), tempfile::tempdir().unwrap());
    server.ip(&format!("address add {OURS}/24 dev eth0"));
    let _dnsmasq = dnsmasq(&other, folder.path());
    let (mac, rogue) = (server.mac("eth0"), server.inside(asked));
    assert_is_dnsmasq(&rogue, &other);
    let leases = std::fs::read_to_string(folder.path().join("leases")).unwrap_or_default();
    assert!(!leases.contains(&mac.to_string()), "a question takes no lease: {leases}");
}

async fn asked() -> Rogue {
    let (every, start) = (Duration::from_secs(1), Instant::now());
    let mut reports = watch_for(every, ours(&[OURS]));
    // These hear the answers to the first one's questions.
    let mut known = watch_for(every, ours(&[OURS, THEIRS]));
    let mut expected = watch_for(every, Neighbours { ours: vec![OURS], expected: true });
    let rogue = timeout(Duration::from_secs(10), reports.recv()).await.expect("within 10 s").unwrap();
    println!("found after {:?}", start.elapsed());
    sleep(Duration::from_secs(3)).await;
    for quiet in [&mut reports, &mut known, &mut expected] {
        assert!(matches!(quiet.try_recv(), Err(mpsc::error::TryRecvError::Empty)));
    }
    rogue
}

/// A switch, a foreign server and a client on it: what the server tells the client is heard before anybody asks.
#[test]
#[ignore = "network namespaces: make wire"]
fn a_foreign_server_is_heard_when_it_answers_others() {
    let (switch, folder) = (Space::new(), tempfile::tempdir().unwrap());
    switch.ip("link add br0 type bridge stp_state 0 forward_delay 0");
    switch.ip("link set br0 up");
    let spaces = ["p0", "p1", "p2"].map(|port| {
        let space = Space::new();
        space.join("eth0", &switch, port);
        switch.ip(&format!("link set {port} master br0"));
        space
    });
    let [server, other, client] = &spaces;
    let _dnsmasq = dnsmasq(other, folder.path());
    let (say, listening) = std::sync::mpsc::channel();
    let heard = server.start(move || async move {
        let mut reports = watch_for(Duration::from_secs(3600), ours(&[OURS]));
        sleep(Duration::from_millis(100)).await;
        say.send(()).unwrap();
        timeout(Duration::from_secs(4), reports.recv()).await.expect("before the first question").unwrap()
    });
    listening.recv().unwrap();
    client.run("busybox udhcpc", &["-B", "-i", "eth0", "-f", "-n", "-q", "-t", "8", "-T", "1", "-s", "/bin/true"]);
    assert_is_dnsmasq(&heard.join().unwrap(), other);
}

/// An interface that is not there yet, or goes and comes back, is watched when it is there.
#[test]
#[ignore = "network namespaces: make wire"]
fn a_watch_outlives_its_interface() {
    let ((server, other), folder) = (cable(), tempfile::tempdir().unwrap());
    server.ip("link set eth0 down");
    let watching = server.start(|| async {
        let mut reports = watch_for(Duration::from_secs(1), ours(&[OURS]));
        timeout(Duration::from_secs(30), reports.recv()).await.expect("after the link came up").unwrap()
    });
    let _dnsmasq = dnsmasq(&other, folder.path());
    std::thread::sleep(Duration::from_millis(500));
    server.ip("link set eth0 up");
    assert_is_dnsmasq(&watching.join().unwrap(), &other);
}
