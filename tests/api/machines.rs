//! Machines: one and many, armed, adopted and replaced.

use crate::rig::{Api, ROOT, mac, machine};
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_machine_shows_which_profile_and_key_speak_for_it() {
    let api = Api::furnished().await;
    let web1 = api.get("machines/web1").await;
    assert_eq!((&web1["state"], &web1["registered"], &web1["profile"]), (&json!("ready"), &json!(false), &Value::Null));
    assert_eq!((&web1["chosen"]["profile"], &web1["chosen"]["keys"]), (&json!("web"), &json!(["web"])));
    assert!(web1["chosen"]["why"].as_str().unwrap().contains("range rack"), "{web1}");
}

#[tokio::test]
async fn a_taken_mac_or_address_is_told_with_its_holder() {
    let api = Api::furnished().await;
    for (body, taken) in [
        (json!({"name": "web2", "interfaces": [{"mac": mac(1)}]}), mac(1)),
        (json!({"name": "web2", "interfaces": [{"mac": mac(2), "ip": "10.0.0.11"}]}), "10.0.0.11".into()),
    ] {
        let (status, error) = api.refused("POST", "machines", body).await;
        let text = error.to_string();
        assert!(status == 409 && text.contains(&taken) && text.contains("web1"), "{status} {text}");
    }
}

#[tokio::test]
async fn a_batch_is_taken_as_a_whole() {
    let api = Api::furnished().await;
    let all: Vec<_> = (2..=9).map(|n| machine(&format!("web{n}"), n)).collect();
    assert_eq!(api.add("machines/batch", json!(all)).await.as_array().unwrap().len(), 8);
    assert_eq!(api.get("machines").await.as_array().unwrap().len(), 9);
}

#[tokio::test]
async fn a_batch_is_refused_as_a_whole_and_names_everything_that_is_wrong() {
    let api = Api::furnished().await;
    let bad_mac = json!({"name": "web4", "interfaces": [{"mac": "52:54:00", "ip": "10.0.0.300"}]});
    let unknown = json!({"name": "web5", "interfaces": [{"mac": mac(5)}], "colour": "red"});
    let batch = json!([machine("web2", 2), machine("web1", 3), bad_mac, unknown, machine("web6", 2), {"name": "web7"}]);
    let (status, error) = api.refused("POST", "machines/batch", batch).await;
    assert_eq!(status, 409, "{error}");
    let told =
        |n: usize| (error["errors"][n]["index"].as_u64(), error["errors"][n]["message"].as_str().unwrap().to_owned());
    let expected = [
        (1, "taken already"),
        (2, "\"10.0.0.300\" is not an IPv4 address"),
        (2, "is not a MAC address"),
        (3, "unknown field `colour`"),
        (4, "web2 in this very batch"),
        (5, "at least one"),
    ];
    for (n, (index, words)) in expected.into_iter().enumerate() {
        let (at, text) = told(n);
        assert!(at == Some(index) && text.contains(words), "{at:?} {text}");
    }
    assert_eq!(error["errors"].as_array().unwrap().len(), expected.len());
    assert_eq!(api.get("machines").await.as_array().unwrap().len(), 1, "nothing was added");
}

#[tokio::test]
async fn what_only_the_store_can_know_of_a_batch_is_told_by_index_too() {
    let api = Api::furnished().await;
    let foreign = json!({"name": "web3", "interfaces": [{"mac": mac(3)}], "profile": "none"});
    let (status, error) = api.refused("POST", "machines/batch", json!([machine("web2", 2), foreign])).await;
    assert_eq!((status, error["errors"][0]["index"].as_u64()), (404, Some(1)), "{error}");
    assert_eq!(api.get("machines").await.as_array().unwrap().len(), 1, "nothing was added");
}

#[tokio::test]
async fn an_armed_machine_shows_no_secret() {
    let api = Api::furnished().await;
    let (status, armed) = api.ask("POST", "machines/web1/arm", Value::Null).await;
    assert_eq!((status, &armed["state"]), (StatusCode::OK, &json!("armed")), "{armed}");
    assert_eq!(armed["install"]["boots"], 0);
    let text = armed.to_string();
    assert!(["token", "hash", "credential", "report"].iter().all(|word| !text.contains(word)), "{text}");
    let (_, disarmed) = api.ask("POST", "machines/web1/disarm", Value::Null).await;
    assert_eq!(disarmed["state"], "ready");
    assert_eq!(api.refused("POST", "machines/none/arm", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_replacement_keeps_the_system_and_arms_nothing_by_itself() {
    let api = Api::furnished().await;
    let before = api.get("machines/web1").await;
    let (status, after) = api.ask("POST", "machines/web1/replace", json!({"mac": mac(7)})).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    assert_eq!((&after["id"], &after["state"]), (&before["id"], &json!("ready")));
    assert_eq!(after["interfaces"][0], json!({"mac": mac(7), "ip": "10.0.0.11", "leased": null}));
    api.add("machines", machine("web2", 2)).await;
    let (status, error) = api.refused("POST", "machines/web1/replace", json!({"mac": mac(2)})).await;
    assert!(status == 409 && error.to_string().contains("web2"), "{error}");
}

#[tokio::test]
async fn a_card_that_was_never_heard_is_not_adopted() {
    let api = Api::furnished().await;
    let (status, error) = api.refused("POST", "machines/adopt", json!({"mac": mac(9), "name": "web9"})).await;
    assert_eq!((status, error["kind"].as_str()), (404, Some("missing")), "{error}");
    assert_eq!(api.refused("POST", "machines/adopt", json!({"mac": mac(9), "name": "batch"})).await.0, 422);
    assert_eq!(api.refused("POST", "machines", machine("adopt", 3)).await.0, 422);
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_batch_a_larger_one() {
    let api = Api::start().await;
    let large = " ".repeat((1 << 20) + 1);
    let (status, text) = api.send(ROOT, None, "POST", "/api/v1/machines", large.clone()).await;
    assert_eq!((status.as_u16(), text.contains("\"too_large\"")), (413, true), "{text}");
    let (status, text) = api.send(ROOT, None, "POST", "/api/v1/machines/batch", format!("{large}[]")).await;
    assert_eq!((status.as_u16(), text.as_str()), (201, "[]"));
}

#[tokio::test]
async fn why_tells_the_questions_in_order() {
    let api = Api::furnished().await;
    api.ask("POST", "machines/web1/arm", Value::Null).await;
    let scenes = api.get(&format!("why/{}?arch=uefi", mac(1))).await;
    let questions: Vec<_> =
        scenes.as_array().unwrap().iter().map(|scene| scene["question"].as_str().unwrap()).collect();
    assert_eq!(questions[..2], ["address and first program", "script"], "{scenes}");
    assert!(scenes.to_string().contains("snponly.efi"), "{scenes}");
    assert_eq!(api.refused("GET", &format!("why/{}?arch=sparc", mac(1)), Value::Null).await.0, 422);
    assert_eq!(api.refused("GET", "why/nonsense", Value::Null).await.0, 404);
}

#[tokio::test]
async fn why_tells_what_each_word_is_for() {
    let api = Api::furnished().await;
    api.add("profiles", json!({"name": "base", "distro": "debian"})).await;
    api.add("distros", json!({"name": "other", "family": "debian", "kernel": "debian/linux", "initrd": "debian/initrd.gz", "variables": {"mirror_host": "mirror.example"}})).await;
    let set = async |path: &str, what: Value| {
        let (status, answer) = api.ask("PATCH", path, what).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    };
    set("profiles/web", json!({"parent": "base", "distro": "other"})).await;
    set("networks/lab", json!({"profile": "base"})).await;
    set("machines/web1", json!({"profile": "web"})).await;
    api.ask("POST", "machines/web1/arm", Value::Null).await;
    let scenes = api.get(&format!("why/{}?arch=uefi", mac(1))).await;
    let without = |question: &str| -> Vec<String> {
        let scenes = scenes.as_array().unwrap().iter();
        let scene = scenes.into_iter().find(|scene| scene["question"] == question).unwrap();
        let told =
            |other: &Value| format!("{}: {}", other["what"].as_str().unwrap(), other["answer"].as_str().unwrap());
        scene["without"].as_array().unwrap().iter().map(told).collect()
    };
    let first = without("address and first program");
    assert!(first[0].starts_with("the arming of machine web1: 10.0.0.11 for 3600 s, then "), "{first:?}");
    assert_eq!(first[1], "address 10.0.0.11 of machine web1: 10.0.0.100 for 3600 s, then snponly.efi by TFTP");
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!(without("script"), ["the arming of machine web1: its own disk"], "the range names the same profile");
    assert_eq!(
        without("answer file"),
        ["distro other of profile web: templates/debian/preseed.cfg, for distro debian"]
    );
    assert_eq!(without("registration"), ["key web of profile web: none"]);
    set("ranges/rack", json!({"profile": "base"})).await;
    let scenes = api.get(&format!("why/{}?arch=uefi", mac(1))).await;
    assert_eq!(scenes[1]["without"][1]["answer"], "the installer of profile base", "{scenes}");
}

#[tokio::test]
async fn why_writes_the_first_answer_out() {
    let api = Api::furnished().await;
    api.ask("PATCH", "networks/lab", json!({"dns": ["10.0.0.3"]})).await;
    api.ask("POST", "machines/web1/arm", Value::Null).await;
    let text = async |arch: &str| {
        let scenes = api.get(&format!("why/{}?arch={arch}", mac(1))).await;
        scenes[0]["text"].as_str().unwrap_or_else(|| panic!("{scenes}")).to_owned()
    };
    insta::assert_snapshot!(text("uefi").await);
    let http = text("uefi-http").await;
    assert!(
        http.contains("= HTTPClient") && http.contains("= http://10.0.0.1/loader/") && !http.contains("10.0.0.3"),
        "{http}"
    );
}
