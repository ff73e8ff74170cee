//! Classes: what a client must be like, and what it is told.

use crate::rig::Api;
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_class_is_kept_as_it_is_given_and_changed_field_by_field() {
    let api = Api::furnished().await;
    let phones = json!({"name": "phones", "network": "lab", "program": "system", "arch": 11, "vendor": "Cisco", "user_class": "voice",
        "mac": "52:54:00", "circuit": "eth0/1", "options": {"tftp-server-name": "10.0.0.9"}});
    assert_eq!(api.add("classes", phones.clone()).await, phones);
    assert_eq!(api.get("classes").await, json!([phones]));
    let patch = json!({"network": null, "arch": null, "vendor": "Polycom", "options": {"tftp-server-name": null, "160": "\"x\""}});
    let (status, after) = api.ask("PATCH", "classes/phones", patch).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!((&after["network"], &after["arch"], &after["vendor"]), (&Value::Null, &Value::Null, &json!("Polycom")));
    assert_eq!((&after["user_class"], &after["options"]), (&json!("voice"), &json!({"160": "0x78"})));
    assert_eq!(api.ask("DELETE", "classes/phones", Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.get("classes").await, json!([]));
}

#[tokio::test]
async fn a_class_without_a_criterion_is_everybody() {
    let api = Api::start().await;
    let all = api.add("classes", json!({"name": "all"})).await;
    assert_eq!((&all["program"], &all["mac"], &all["options"]), (&Value::Null, &Value::Null, &json!({})));
}

#[tokio::test]
async fn a_class_that_nobody_could_be_in_is_refused() {
    let api = Api::furnished().await;
    for (body, field, words) in [
        (json!({"name": "x", "program": "bios"}), "program", "one of rom, http, ipxe, system"),
        (json!({"name": "x", "arch": 70000}), "arch", "70000"),
        (json!({"name": "x", "vendor": ""}), "vendor", "or null for any"),
        (json!({"name": "x", "vendor": "Zürich"}), "vendor", "is like no client"),
        (json!({"name": "x", "user_class": "u".repeat(65)}), "user_class", "1 to 64"),
        (json!({"name": "x", "mac": "52:54:0"}), "mac", "write it like 52:54:00"),
        (json!({"name": "x", "circuit": ""}), "circuit", "1 to 255 bytes"),
        (json!({"name": "x", "options": {"ntp-servers": "x"}}), "options.ntp-servers", "IPv4 addresses"),
        (json!({"name": "x", "match": {}}), "match", "unknown field `match`"),
    ] {
        let (status, error) = api.refused("POST", "classes", body.clone()).await;
        assert_eq!((status, error["field"].as_str()), (422, Some(field)), "{body}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{body}: {error}");
    }
    let (status, error) = api.refused("POST", "classes", json!({"name": "x", "network": "none"})).await;
    assert!(status == 404 && error.to_string().contains("no network none"), "{error}");
    assert_eq!(api.get("classes").await, json!([]));
}

#[tokio::test]
async fn a_class_holds_its_network_and_its_name() {
    let api = Api::start().await;
    api.add("networks", json!({"name": "lab", "cidr": "10.0.0.0/24"})).await;
    api.add("classes", json!({"name": "phones", "network": "lab"})).await;
    let (status, error) = api.refused("DELETE", "networks/lab", Value::Null).await;
    assert!(status == 409 && error.to_string().contains("used by class phones"), "{error}");
    assert_eq!(api.refused("POST", "classes", json!({"name": "phones"})).await.0, 409);
    assert_eq!(api.refused("PATCH", "classes/none", json!({})).await.0, 404);
    let (status, error) = api.refused("GET", "classes/none", Value::Null).await;
    assert!(status == 404 && error.to_string().contains("kickstand class list"), "{error}");
}
