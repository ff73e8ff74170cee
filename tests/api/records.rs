//! Networks, ranges, distros, profiles and keys: what is taken, what is refused, and in which words.

use crate::rig::Api;
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_patch_changes_what_it_gives_and_null_clears() {
    let api = Api::start().await;
    let lab = json!({"name": "lab", "cidr": "10.0.0.0/24", "gateway": "10.0.0.254", "dns": ["10.0.0.1"], "domain": "lab.example"});
    api.add("networks", lab).await;
    let (status, after) = api.ask("PATCH", "networks/lab", json!({"gateway": null, "lease_secs": 60})).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    let expected = json!({
        "name": "lab", "cidr": "10.0.0.0/24", "gateway": null, "dns": ["10.0.0.1"], "domain": "lab.example",
        "pools": [], "lease_secs": 60, "profile": null, "unknown": "ignore", "dhcp": after["dhcp"],
        "variables": {}, "secrets": [],
    });
    assert_eq!(after, expected);
    assert_eq!(api.get("networks/lab").await, expected);
    assert_eq!(api.get("networks").await, json!([expected]));
}

#[tokio::test]
async fn a_patch_of_variables_sets_one_and_removes_one() {
    let api = Api::furnished().await;
    let patch = |value: Value| json!({ "variables": value });
    api.ask("PATCH", "profiles/web", patch(json!({"disk": "/dev/vda", "swap": 2}))).await;
    let (_, after) = api.ask("PATCH", "profiles/web", patch(json!({"swap": null, "raid": [1]}))).await;
    assert_eq!(after["variables"], json!({"disk": "/dev/vda", "raid": [1]}));
    assert_eq!(after["distro"], "debian", "the rest stays");
}

#[tokio::test]
async fn secrets_are_written_and_never_shown() {
    let api = Api::furnished().await;
    let patch = json!({"secrets": {"wifi": "hunter2"}, "variables": {"db_password": "hunter2", "disk": "a"}});
    let (status, after) = api.ask("PATCH", "profiles/web", patch).await;
    assert_eq!((status, &after["secrets"]), (StatusCode::OK, &json!(["db_password", "wifi"])));
    assert_eq!(after["variables"], json!({"disk": "a"}));
    assert!(!format!("{after} {}", api.get("profiles").await).contains("hunter2"));
    for bad in [json!({"wifi": 77421}), json!({"wi fi": "hunter2"}), json!(["hunter2"])] {
        let (status, refused) = api.ask("PATCH", "profiles/web", json!({ "secrets": bad })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
        assert!(refused["error"]["field"].as_str().unwrap().starts_with("secrets"), "{refused}");
        assert!(!refused.to_string().contains("hunter2") && !refused.to_string().contains("77421"), "{refused}");
    }
    let patch = json!({"secrets": {"wifi": null}, "variables": {"db_password": null}});
    assert_eq!(api.ask("PATCH", "profiles/web", patch).await.1["secrets"], json!([]));
}

#[tokio::test]
async fn a_refusal_names_the_field_and_how_it_should_look() {
    let api = Api::start().await;
    let cases = [
        (json!({"name": "lab", "cidr": "10.0.0.0/24", "gatewy": "10.0.0.1"}), "gatewy", "unknown field `gatewy`"),
        (json!({"name": "Lab!", "cidr": "10.0.0.0/24"}), "name", "is not a name"),
        (
            json!({"name": "lab", "cidr": "10.0.0.0/24", "pools": ["10.0.0.9-10.0.0.1"]}),
            "pools",
            "write it like 10.0.0.10-10.0.0.50",
        ),
        (json!({"name": "lab", "cidr": "10.0.0.7/24"}), "cidr", "write it like 10.0.0.0/24"),
        (
            json!({"name": "lab", "cidr": "10.0.0.0/24", "unknown": "perhaps"}),
            "unknown",
            "one of ignore, show, discover, install",
        ),
    ];
    for (body, field, words) in cases {
        let (status, error) = api.refused("POST", "networks", body).await;
        assert_eq!(
            (status, error["kind"].as_str(), error["field"].as_str()),
            (422, Some("invalid"), Some(field)),
            "{error}"
        );
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    let (status, error) = api.refused("POST", "networks", json!({"name": "lab"})).await;
    assert_eq!((status, error["message"].as_str()), (422, Some("missing field `cidr`")));
    assert_eq!(api.get("networks").await, json!([]), "nothing half-written");
}

#[tokio::test]
async fn what_is_no_json_is_told_with_its_line() {
    let api = Api::start().await;
    let (status, text) = api.send(crate::rig::ROOT, None, "POST", "/api/v1/keys", "{\n  \"name\": web\n}").await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status.as_u16(), &told["error"]["kind"], &told["error"]["line"]),
        (400, &json!("malformed"), &json!(2)),
        "{text}"
    );
}

#[tokio::test]
async fn a_duplicate_a_record_in_use_and_a_missing_one_are_told_apart() {
    let api = Api::furnished().await;
    let (status, error) = api.refused("POST", "keys", json!({"name": "web"})).await;
    assert_eq!((status, error["kind"].as_str()), (409, Some("conflict")), "{error}");
    let (status, error) = api.refused("DELETE", "distros/debian", Value::Null).await;
    assert_eq!(status, 409);
    assert!(error["message"].as_str().unwrap().contains("profile web"), "{error}");
    let (status, error) = api.refused("GET", "keys/none", Value::Null).await;
    assert_eq!((status, error["kind"].as_str()), (404, Some("missing")), "{error}");
    assert_eq!(api.refused("PATCH", "keys/none", json!({})).await.0, 404);
    assert_eq!(api.refused("GET", "keys/No%20Name", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_range_finds_its_network_and_overlaps_are_refused_by_name() {
    let api = Api::furnished().await;
    assert_eq!(api.get("ranges/rack").await["network"], "lab");
    let outside = json!({"name": "far", "span": "192.168.0.1-192.168.0.9", "profile": "web"});
    let (status, error) = api.refused("POST", "ranges", outside).await;
    assert_eq!((status, error["field"].as_str()), (422, Some("span")), "{error}");
    let across = json!({"name": "mid", "span": "10.0.0.40-10.0.0.60", "profile": "web"});
    let (status, error) = api.refused("POST", "ranges", across).await;
    assert_eq!(status, 422);
    assert!(error["message"].as_str().unwrap().contains("rack"), "{error}");
}

#[tokio::test]
async fn a_distro_whose_kernel_is_not_there_is_refused() {
    let api = Api::start().await;
    let body = json!({"name": "alma", "family": "redhat", "kernel": "alma/vmlinuz", "initrd": "alma/initrd.img"});
    let (status, error) = api.refused("POST", "distros", body).await;
    assert_eq!(status, 422);
    assert!(error["message"].as_str().unwrap().contains("alma/vmlinuz"), "{error}");
    assert_eq!(api.get("distros").await, json!([]));
}

#[tokio::test]
async fn a_key_keeps_its_count_through_a_patch() {
    let api = Api::furnished().await;
    let (_, after) = api.ask("PATCH", "keys/web", json!({"usage_limit": 5, "expires_at": "2030-01-01"})).await;
    assert_eq!((&after["usage_limit"], &after["used"], &after["enabled"]), (&json!(5), &json!(0), &json!(true)));
    assert_eq!(after["expires_at"], "2030-01-01T00:00:00.000Z");
    let (_, after) = api.ask("PATCH", "keys/web", json!({"usage_limit": null, "enabled": false})).await;
    assert_eq!((&after["usage_limit"], &after["enabled"]), (&Value::Null, &json!(false)));
    let (status, _) = api.refused("PATCH", "keys/web", json!({"used": 0})).await;
    assert_eq!(status, 422, "the count is not an operator's to set");
}

#[tokio::test]
async fn the_catalogue_has_ready_made_profiles_and_the_distros_that_they_fit() {
    let api = Api::furnished().await;
    let all = api.get("catalogue").await;
    let names: Vec<_> = all.as_array().unwrap().iter().map(|ready| ready["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"redhat-9") && names.contains(&"esxi") && names.is_sorted(), "{names:?}");
    let debian = api.get("catalogue/debian").await;
    assert_eq!((debian["family"].as_str(), &debian["distros"]), (Some("debian"), &json!(["debian"])));
    let redhat = api.get("catalogue/redhat-7").await;
    assert_eq!(
        (&redhat["variables"], &redhat["distros"]),
        (&json!({"release": "7"}), &json!([])),
        "none of its family"
    );
    let (status, problem) = api.ask("GET", "catalogue/nope", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    assert!(problem.to_string().contains("kickstand profile catalogue"), "{problem}");
}
