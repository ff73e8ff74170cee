//! Events: filtered, followed, and waited for.

use crate::rig::{Api, machine};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn events_are_narrowed_by_machine_kind_and_place() {
    let api = Api::furnished().await;
    api.add("machines", machine("web2", 2)).await;
    api.ask("POST", "machines/web2/arm", json!(null)).await;
    let of = api.get("events?machine=web2&kind=state").await;
    let of = of.as_array().unwrap();
    assert_eq!(of.len(), 1, "{of:?}");
    assert_eq!((&of[0]["machine"], &of[0]["kind"]), (&json!("web2"), &json!("state")));
    assert!(of[0]["text"].as_str().unwrap().contains("root@socket"), "{of:?}");
    let last = of[0]["id"].as_str().unwrap();
    assert_eq!(api.get(&format!("events?after={last}")).await, json!([]));
    assert_eq!(api.get("events?limit=2").await.as_array().unwrap().len(), 2);
    assert_eq!(api.refused("GET", "events?machine=none", json!(null)).await.0, 404);
    assert_eq!(api.refused("GET", "events?colour=red", json!(null)).await.0, 422);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_first_event_that_fits() {
    let api = Api::furnished().await;
    let last = api.get("events?limit=1").await[0]["id"].as_str().unwrap().to_owned();
    let started = Instant::now();
    let path = format!("events?machine=web1&after={last}&wait_ms=20000");
    let waiting = api.get(&path);
    let acting = async {
        api.add("keys", json!({"name": "other"})).await;
        api.ask("POST", "machines/web1/arm", json!(null)).await;
    };
    let (events, ()) = tokio::join!(waiting, acting);
    assert_eq!(events[0]["machine"], "web1", "{events}");
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_long_poll_without_an_event_ends_empty() {
    let api = Api::furnished().await;
    let last = api.get("events?limit=1").await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.get(&format!("events?after={last}&wait_ms=20")).await, json!([]));
}
