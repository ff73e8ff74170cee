//! The options for everybody.

use crate::rig::{Api, ROOT};
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn options_for_everybody_merge_key_by_key() {
    let api = Api::start().await;
    assert_eq!(api.get("options").await, json!({}));
    let (status, after) = api.ask("PATCH", "options", json!({"ntp-servers": "10.0.0.1", "224": "0x01"})).await;
    assert_eq!((status, after), (StatusCode::OK, json!({"ntp-servers": "10.0.0.1", "224": "0x01"})));
    let (_, after) = api.ask("PATCH", "options", json!({"42": "10.0.0.2", "224": null, "log-servers": null})).await;
    assert_eq!(after, json!({"ntp-servers": "10.0.0.2"}), "a number is the same option, and what is not there is gone");
    assert_eq!(api.get("options").await, after);
    assert!(api.get("events?kind=record").await.to_string().contains("changed the options for everybody"));
}

#[tokio::test]
async fn of_a_bad_change_nothing_is_kept() {
    let api = Api::start().await;
    api.ask("PATCH", "options", json!({"interface-mtu": "9000"})).await;
    for (body, field, words) in [
        (json!({"interface-mtu": "1500", "ntp-servers": "soon"}), "ntp-servers", "IPv4 addresses, with commas"),
        (json!({"interface-mtu": "1500", "nonsense": "1"}), "nonsense", "kickstand option list"),
        (json!({"interface-mtu": "1500", "26": "1400"}), "interface-mtu", "given once"),
        (json!({"interface-mtu": 1500}), "interface-mtu", "expected a string"),
    ] {
        let (status, error) = api.refused("PATCH", "options", body.clone()).await;
        assert_eq!((status, error["field"].as_str()), (422, Some(field)), "{body}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{body}: {error}");
    }
    let long = json!({"224": format!("0x{}", "00".repeat(2000))});
    let (status, error) = api.refused("PATCH", "options", long).await;
    assert!(status == 422 && error.to_string().contains("option 224 of everybody has 2000 bytes"), "{error}");
    assert_eq!(api.get("options").await, json!({"interface-mtu": "9000"}));
    let (status, _) = api.send(ROOT, None, "POST", "/api/v1/options", "{}").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(api.refused("PATCH", "options", json!([])).await.0, 422);
    assert_eq!(api.ask("PATCH", "options", Value::Null).await.0, StatusCode::OK, "an empty change is one");
}
