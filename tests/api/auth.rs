//! Who may ask: nobody learns anything without a credential.

use crate::rig::{Api, ROOT};
use axum::http::StatusCode;
use kickstand::http::auth::Peer;
use serde_json::{Value, json};

const TCP: fn() -> Option<Peer> = || Some(Peer::Tcp("10.0.0.9:4000".parse().unwrap()));

/// Every address of the API with a method that it knows, then some that are not there.
const ADDRESSES: &[(&str, &str)] = &[
    ("GET", "/api/v1/networks"),
    ("POST", "/api/v1/networks"),
    ("GET", "/api/v1/networks/lab"),
    ("PATCH", "/api/v1/networks/lab"),
    ("DELETE", "/api/v1/networks/lab"),
    ("GET", "/api/v1/ranges"),
    ("PATCH", "/api/v1/ranges/rack"),
    ("GET", "/api/v1/classes"),
    ("POST", "/api/v1/classes"),
    ("GET", "/api/v1/classes/phones"),
    ("PATCH", "/api/v1/classes/phones"),
    ("DELETE", "/api/v1/classes/phones"),
    ("GET", "/api/v1/reservations"),
    ("POST", "/api/v1/reservations"),
    ("GET", "/api/v1/reservations/10.0.0.60"),
    ("PATCH", "/api/v1/reservations/10.0.0.60"),
    ("DELETE", "/api/v1/reservations/10.0.0.60"),
    ("GET", "/api/v1/options"),
    ("PATCH", "/api/v1/options"),
    ("GET", "/api/v1/distros"),
    ("DELETE", "/api/v1/distros/debian"),
    ("GET", "/api/v1/profiles"),
    ("GET", "/api/v1/profiles/web"),
    ("GET", "/api/v1/keys"),
    ("POST", "/api/v1/keys"),
    ("GET", "/api/v1/machines"),
    ("GET", "/api/v1/machines/web1"),
    ("POST", "/api/v1/machines/batch"),
    ("POST", "/api/v1/machines/adopt"),
    ("POST", "/api/v1/machines/web1/arm"),
    ("POST", "/api/v1/machines/web1/disarm"),
    ("POST", "/api/v1/machines/web1/replace"),
    ("GET", "/api/v1/leases"),
    ("GET", "/api/v1/leases/10.0.0.11"),
    ("DELETE", "/api/v1/leases/10.0.0.11"),
    ("GET", "/api/v1/captures/52-54-00-00-00-01"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/sightings"),
    ("GET", "/api/v1/events?wait_ms=60000"),
    ("GET", "/api/v1/why/52:54:00:00:00:01"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/ci"),
    ("DELETE", "/api/v1/retired/52-54-00-00-00-01"),
    ("GET", "/api/v1/status"),
    ("PUT", "/api/v1/networks"),
    ("GET", "/api"),
    ("GET", "/api/"),
    ("GET", "/api//v1"),
    ("GET", "/api/v1"),
    ("GET", "/api/v1/"),
    ("GET", "/api/v1/secrets"),
    ("GET", "/api/v2/networks"),
    ("GET", "/api/v1/machines/web1/arm/more"),
    ("GET", "/api/v1/networks/%ff"),
];

#[tokio::test]
async fn a_stranger_gets_the_same_answer_at_every_address() {
    let api = Api::furnished().await;
    let stranger = Some(Peer::Socket { uid: 4_000_000 });
    let mut answers = std::collections::BTreeSet::new();
    for (method, path) in ADDRESSES {
        for (peer, header) in [
            (None, None),
            (stranger, None),
            (TCP(), None),
            (TCP(), Some("Bearer 0000")),
            (TCP(), Some("Basic cm9vdDpyb290")),
            (TCP(), Some("Bearer")),
            (TCP(), Some("")),
        ] {
            let (status, body) = api.send(peer, header, method, path, "{\"name\": \"x\"}").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} {peer:?} {header:?}: {body}");
            answers.insert(body);
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let told: Value = serde_json::from_str(answers.first().unwrap()).unwrap();
    assert_eq!(told["error"]["kind"], "unauthorized");
}

#[tokio::test]
async fn what_lies_beside_the_api_is_not_guarded_by_it() {
    let api = Api::start().await;
    for path in ["/", "/boot/x", "/apis", "/v1/networks"] {
        let (status, _) = api.send(TCP(), None, "GET", path, "").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn those_addresses_are_there_for_root() {
    let api = Api::furnished().await;
    for (method, path) in ADDRESSES.iter().take_while(|(method, _)| *method != "PUT") {
        let path = path.replace("60000", "1");
        let (status, body) = api.send(ROOT, None, method, &path, "[]").await;
        let told = status.is_success() || body.contains("\"error\"");
        assert!(
            told && status != StatusCode::METHOD_NOT_ALLOWED && !body.contains("docs/api.md"),
            "{method} {path}: {status} {body}"
        );
    }
    let (status, body) = api.send(ROOT, None, "PUT", "/api/v1/networks", "").await;
    assert_eq!((status.as_u16(), body.contains("\"method\"")), (405, true), "{body}");
    let (status, body) = api.send(ROOT, None, "GET", "/api/v1/secrets", "").await;
    assert_eq!((status.as_u16(), body.contains("\"missing\"")), (404, true), "{body}");
}

#[tokio::test]
async fn a_token_opens_tcp_until_it_is_removed_and_signs_what_it_changes() {
    let api = Api::start().await;
    let fresh = api.add("tokens", json!({"name": "ci"})).await;
    let token = fresh["token"].as_str().unwrap();
    assert_eq!(token.len(), 64, "256 bits");
    let header = format!("Bearer {token}");
    let body = json!({"name": "web"}).to_string();
    let (status, answer) = api.send(TCP(), Some(&header), "POST", "/api/v1/keys", body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let events = api.get("events").await.to_string();
    assert!(events.contains("token ci"), "{events}");
    let listed = api.get("tokens").await;
    assert_eq!(listed[0]["name"], "ci");
    let hash = kickstand::model::Secret::new(token).hash().to_string();
    for text in [events, listed.to_string()] {
        assert!(!text.contains(token) && !text.contains(&hash), "{text}");
    }
    assert_eq!(api.ask("DELETE", "tokens/ci", Value::Null).await.0, StatusCode::NO_CONTENT);
    let (status, _) = api.send(TCP(), Some(&header), "GET", "/api/v1/keys", "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(api.refused("DELETE", "tokens/ci", Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_service_s_own_user_may_use_the_socket_but_a_token_does_not_help_a_stranger_there() {
    use std::os::unix::fs::MetadataExt;
    let api = Api::start().await;
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    let (status, _) = api.send(Some(Peer::Socket { uid: own }), None, "GET", "/api/v1/status", "").await;
    assert_eq!(status, StatusCode::OK);
    let token = api.add("tokens", json!({"name": "ci"})).await["token"].as_str().unwrap().to_owned();
    let stranger = Some(Peer::Socket { uid: 4_000_000 });
    let (status, _) = api.send(stranger, Some(&format!("Bearer {token}")), "GET", "/api/v1/status", "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}
