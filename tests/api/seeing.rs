//! What lets people see: leases page by page, one address, packets as a file, metrics.

use crate::rig::{Api, ROOT, mac};
use kickstand::boot::Effect;
use kickstand::capture::{Direction, Note, pcap};
use kickstand::http::auth::Peer;
use kickstand::metrics::{Dropped, Silence};
use kickstand::model::{Hold, HoldWhy, Lease, Mac, Time};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

fn lease(api: &Api, number: u32, secs: i64) -> Lease {
    let now = api.engine.now();
    let [a, b, c, d] = number.to_be_bytes();
    Lease {
        network: "lab".parse().unwrap(),
        holder: Mac([2, 0, a, b, c, d]).into(),
        ip: Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number),
        starts_at: now,
        ends_at: Time(now.0 + secs * 1_000_000),
        hostname: None,
    }
}

async fn bind(api: &Api, leases: Vec<Lease>) {
    let effects = leases.into_iter().map(|lease| vec![Effect::Bind { lease, was: None }]).collect();
    for ended in api.engine.store.record_all(effects).settled().await {
        ended.unwrap();
    }
}

fn ips(answer: &Value) -> Vec<String> {
    answer.as_array().unwrap().iter().map(|lease| lease["ip"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn leases_come_in_the_order_of_their_addresses_page_by_page_and_narrowed() {
    let api = Api::furnished().await;
    api.add("networks", json!({"name": "other", "cidr": "10.1.0.0/24", "pools": ["10.1.0.100-10.1.0.199"]})).await;
    let elsewhere = Lease { network: "other".parse().unwrap(), ip: [10, 1, 0, 100].into(), ..lease(&api, 120, 600) };
    let mut leases: Vec<_> = [130, 110, 120].map(|n| lease(&api, n, 600)).into();
    leases.extend([lease(&api, 115, -5), elsewhere]);
    bind(&api, leases).await;
    let all = ["10.0.0.110", "10.0.0.115", "10.0.0.120", "10.0.0.130", "10.1.0.100"];
    assert_eq!(ips(&api.get("leases").await), all);
    assert_eq!(ips(&api.get("leases?limit=2").await), all[..2]);
    assert_eq!(ips(&api.get("leases?limit=2&after=10.0.0.115").await), all[2..4]);
    assert_eq!(ips(&api.get("leases?after=10.1.0.100").await), [""; 0]);
    assert_eq!(ips(&api.get("leases?network=other").await), all[4..]);
    assert_eq!(ips(&api.get("leases?active=true&limit=2").await), ["10.0.0.110", "10.0.0.120"]);
    assert_eq!(ips(&api.get("leases?mac=02-00-00-00-00-78").await), ["10.0.0.120", "10.1.0.100"]);
    assert_eq!(api.refused("GET", "leases?network=none", Value::Null).await.0, 404);
    assert_eq!(api.refused("GET", "leases?colour=red", Value::Null).await.0, 422);
}

#[tokio::test]
async fn an_address_tells_all_that_is_known_of_it_and_can_be_released() {
    let api = Api::furnished().await;
    let web1 = Lease { holder: mac(1).parse().unwrap(), hostname: Some("box".into()), ..lease(&api, 11, 600) };
    bind(&api, vec![web1]).await;
    let held = Hold {
        network: "lab".parse().unwrap(),
        ip: [10, 0, 0, 150].into(),
        until: Time(api.engine.now().0 + 600_000_000),
        why: HoldWhy::Declined,
        holder: None,
        times: 3,
    };
    api.engine.store.record_all(vec![vec![Effect::Avoid(held)]]).settled().await.remove(0).unwrap();
    let shown = api.get("leases/10.0.0.11").await;
    assert_eq!(shown["lease"]["machine"], "web1", "{shown}");
    assert_eq!((&shown["lease"]["active"], &shown["lease"]["hostname"]), (&json!(true), &json!("box")));
    assert_eq!(shown["reserved"], json!({"machine": "web1", "mac": mac(1)}));
    assert_eq!((&shown["pooled"], &shown["hold"]), (&json!(false), &Value::Null));
    assert!(shown["events"].to_string().contains("added machine web1"), "{shown}");
    let shown = api.get("leases/10.0.0.150").await;
    assert_eq!((&shown["lease"], &shown["pooled"]), (&Value::Null, &json!(true)));
    assert_eq!((&shown["hold"]["why"], &shown["hold"]["times"]), (&json!("declined"), &json!(3)), "{shown}");
    assert_eq!((&shown["hold"]["active"], &shown["events"]), (&json!(true), &json!([])));

    for ip in ["10.0.0.11", "10.0.0.150"] {
        assert_eq!(api.ask("DELETE", &format!("leases/{ip}"), Value::Null).await.0, 204, "{ip}");
        let (status, error) = api.refused("DELETE", &format!("leases/{ip}"), Value::Null).await;
        assert!(status == 404 && error["message"].as_str().unwrap().contains("nothing to release"), "{error}");
    }
    let shown = [api.get("leases/10.0.0.11").await, api.get("leases/10.0.0.150").await];
    assert!(shown.iter().all(|s| s["lease"]["active"] != true && s["hold"]["active"] != true), "{shown:?}");
    let told = api.get("events?kind=record&limit=2").await;
    let told = told[0]["text"].as_str().unwrap();
    assert!(told.starts_with("root@socket ") && told.contains("10.0.0.11") && told.contains(&mac(1)), "{told}");
    assert_eq!(api.refused("GET", "leases/192.168.0.1", Value::Null).await.0, 404);
    assert_eq!(api.refused("GET", "leases/nonsense", Value::Null).await.0, 404);
}

#[tokio::test]
async fn packets_of_a_mac_come_as_a_file_and_of_nobody_else() {
    let api = Api::furnished().await;
    let (from, to) = (SocketAddrV4::new([0; 4].into(), 68), SocketAddrV4::new([255; 4].into(), 67));
    let note = Note::new(api.engine.now(), Direction::In, from, to, &[7; 300]);
    api.engine.captures.note(mac(1).parse().unwrap(), note, true);
    let path = format!("/api/v1/captures/{}", mac(1).replace(':', "-"));
    let (head, bytes) = api.fetch(&path).await;
    assert_eq!(head["content-type"], "application/vnd.tcpdump.pcap");
    assert_eq!(head["content-disposition"], "attachment; filename=\"52-54-00-00-00-01.pcap\"");
    let records = pcap::records(&bytes).unwrap();
    assert_eq!(&*pcap::read(&records[0]).unwrap().payload, [7; 300]);
    let (status, error) = api.refused("GET", "captures/52-54-00-00-00-02", Value::Null).await;
    assert!(status == 404 && error["message"].as_str().unwrap().contains("is remembered"), "{error}");
}

#[tokio::test]
async fn metrics_are_for_operators_and_count_what_was_asked() {
    let api = Api::furnished().await;
    bind(&api, vec![lease(&api, 100, 600), lease(&api, 101, -1), lease(&api, 20, 600)]).await;
    api.send(Some(Peer::Tcp("10.0.0.9:4000".parse().unwrap())), None, "GET", "/metrics", "").await;
    let (head, bytes) = api.fetch("/metrics").await;
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(head["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        "kickstand_http_requests_total{route=\"metrics\",status=\"4xx\"} 1",
        "kickstand_http_requests_total{route=\"api\",status=\"2xx\"} 6",
        "kickstand_pool_addresses{network=\"lab\",state=\"size\"} 100",
        "kickstand_pool_addresses{network=\"lab\",state=\"leased\"} 1",
        "kickstand_pool_addresses{network=\"lab\",state=\"free\"} 99",
        "kickstand_machines{state=\"ready\"} 1",
        "kickstand_database_lost 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
    }
    let token = api.add("tokens", json!({"name": "prometheus"})).await["token"].as_str().unwrap().to_owned();
    let tcp = Some(Peer::Tcp("10.0.0.9:4000".parse().unwrap()));
    assert_eq!(api.send(tcp, Some(&format!("Bearer {token}")), "GET", "/metrics", "").await.0, 200);
    assert_eq!(api.send(ROOT, None, "POST", "/metrics", "").await.0, 405);
}

#[tokio::test]
async fn the_manual_has_a_row_for_each_metric_and_for_no_other() {
    let api = Api::furnished().await;
    let text = String::from_utf8(api.fetch("/metrics").await.1).unwrap();
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let name = |(name, kind): (&str, &str)| format!("{name}{}", if kind == "counter" { "_total" } else { "" });
    let told: BTreeSet<String> = families.map(name).collect();
    let page = include_str!("../../docs/monitoring.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `kickstand_")?.split('`').next());
    assert_eq!(rows.map(|name| format!("kickstand_{name}")).collect::<BTreeSet<_>>(), told);
    for word in [Silence::WORDS, Dropped::WORDS].concat() {
        assert!(page.contains(&format!("`{word}`")), "docs/monitoring.md does not say what {word} means");
    }
}
