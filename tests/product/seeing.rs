//! What people see of DHCP: every packet is counted and kept, every lease can be shown and freed.

use crate::rig::{Appliance, Booted, get};
use kickstand::capture::{Direction, pcap};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UdpSocket, UnixStream};

/// As `curl --unix-socket` asks.
async fn metrics(appliance: &Appliance) -> String {
    let mut stream = UnixStream::connect(&appliance.config.socket).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: kickstand\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text
}

/// The value of a series.
fn value(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is missing:\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn each_packet_is_counted_and_each_answer_timed() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    assert!(matches!(appliance.machine(99).power_on().await, Booted::Silence), "nobody knows it");
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(b"nonsense", appliance.running().dhcp[0]).await.unwrap();
    assert!(matches!(machine.power_on().await, Booted::OwnDisk), "nonsense was read before this");
    // An answer is counted when it was sent: its client may ask here before that.
    let mut text = metrics(&appliance).await;
    for _ in 0..100 {
        if value(&text, "kickstand_dhcp_replies_total{reply=\"ack\"}") == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        text = metrics(&appliance).await;
    }
    for (series, expected) in [
        ("kickstand_dhcp_packets_total{message=\"discover\"}", 3),
        ("kickstand_dhcp_packets_total{message=\"request\"}", 2),
        ("kickstand_dhcp_packets_total{message=\"other\"}", 0),
        ("kickstand_dhcp_replies_total{reply=\"offer\"}", 2),
        ("kickstand_dhcp_replies_total{reply=\"ack\"}", 2),
        ("kickstand_dhcp_replies_total{reply=\"silence\",why=\"role\"}", 1),
        ("kickstand_dhcp_dropped_total{why=\"malformed\"}", 1),
        ("kickstand_dhcp_latency_seconds_count{reply=\"offer\"}", 2),
        ("kickstand_dhcp_latency_seconds_bucket{le=\"+Inf\",reply=\"ack\"}", 2),
        ("kickstand_dhcp_latency_seconds_bucket{le=\"0.00005\",reply=\"ack\"}", 0),
        ("kickstand_dhcp_queue{wire=\"lab\",queue=\"requests\"}", 0),
        ("kickstand_pool_addresses{network=\"lab\",state=\"size\"}", 11),
        ("kickstand_pool_addresses{network=\"lab\",state=\"free\"}", 11),
        ("kickstand_machines{state=\"ready\"}", 1),
        ("kickstand_database_lost", 0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}\n{text}");
    }
    assert_eq!(get(appliance.ip(66), &appliance.url("/metrics"), "").await.status, 401, "not for machines");
}

#[tokio::test]
async fn the_packets_of_a_machine_are_shown_and_saved() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    machine.power_on().await;
    appliance.machine(99).power_on().await;
    let mac = machine.mac.to_string();
    let seen = appliance.json(&["capture", "web-1"]).await;
    let told: Vec<_> = seen.as_array().unwrap().iter().map(|p| [&p["direction"], &p["message"]]).collect();
    assert_eq!(told, [["in", "DISCOVER"], ["out", "OFFER"], ["in", "REQUEST"], ["out", "ACK"]], "{seen:#}");
    assert_eq!(
        (&seen[3]["address"], &seen[3]["server"]),
        (&text(appliance.ip(10)), &text(appliance.ip(1))),
        "{seen:#}"
    );
    assert_eq!((&seen[0]["xid"], &seen[0]["options"][0]), (&text("00001001"), &text("arch=BIOS")), "{seen:#}");
    let path = appliance.folder.path().join("web-1.pcap");
    let said = appliance.cli(&["capture", &mac, "-w", path.to_str().unwrap()]).await;
    assert!(said.starts_with("4 packets in "), "{said}");
    let saved = std::fs::read(&path).unwrap();
    let piped = appliance.try_cli(&["capture", &mac]).await.stdout;
    assert_eq!(saved, piped, "in a pipe the same bytes");
    let notes: Vec<_> = pcap::records(&saved).unwrap().iter().filter_map(pcap::read).collect();
    assert_eq!(
        notes.iter().map(|note| note.direction == Direction::Out).collect::<Vec<_>>(),
        [false, true, false, true]
    );
    let stranger = appliance.json(&["capture", "52:54:00:77:00:63"]).await;
    assert_eq!(stranger.as_array().unwrap().len(), 1, "what is left unanswered is kept, too: {stranger:#}");
    let said = appliance.refused(&["capture", "52:54:00:77:00:42"]).await;
    assert!(said.contains("no DHCP packet of 52:54:00:77:00:42 is remembered"), "{said}");
}

fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

#[tokio::test]
async fn a_lease_is_listed_shown_and_released_to_somebody_else() {
    let appliance = Appliance::start().await;
    appliance.cli(&["network", "set", "lab", "--pool", &appliance.span(100, 100), "--unknown", "show"]).await;
    let mut first = appliance.machine(40);
    let ip = first.system_address().await.expect("an address of the pool").ip;
    assert!(appliance.machine(41).system_address().await.is_none(), "there is but one");
    let ip = ip.to_string();
    let mac = first.mac.to_string();
    let listed = appliance.json(&["lease", "list", "--network", "lab", "--active"]).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["ip"], &listed[0]["mac"]), (1, &text(&ip), &text(&mac)));
    let shown = appliance.cli(&["lease", "show", &mac]).await;
    for words in [&ip, "leased", "in a pool", "offered to", "for operating system"] {
        assert!(shown.contains(words), "{words} is missing:\n{shown}");
    }
    appliance.cli(&["lease", "release", &ip]).await;
    assert_eq!(appliance.json(&["lease", "list", "--active"]).await, Value::Array(Vec::new()));
    let second = appliance.machine(41).system_address().await.expect("it is free").ip;
    assert_eq!(second.to_string(), ip);
    assert!(appliance.refused(&["lease", "show", &mac]).await.contains("has no lease"), "it is another's by now");
    assert!(appliance.told("record", &mac).await, "who released it stands in history");
}
