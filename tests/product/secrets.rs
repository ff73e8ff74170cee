//! Who gets what: answer files and keys reach one machine, once, and the API nobody without a right.

use crate::rig::{Appliance, Booted, CREDENTIAL, get, key, post, request};
use serde_json::json;

#[tokio::test]
async fn a_second_claimant_freezes_the_install_and_raises_an_alarm() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    installer.answer().await;
    let thief = get(appliance.ip(66), &installer.answer_url, "").await;
    assert_eq!(thief.status, 404);
    assert_eq!(appliance.state("web-1").await, "failed");
    assert!(appliance.told("alarm", "the install is frozen").await);
    assert_eq!(installer.fetch().await.status, 404);
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
}

#[tokio::test]
async fn a_boot_script_with_a_token_goes_only_to_the_leased_address() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let url = appliance.url("/boot/52-54-00-77-00-0a/script.ipxe");
    assert_eq!(get(appliance.ip(10), &url, "").await.status, 404, "before it has a lease");
    machine.installer().await;
    assert_eq!(get(appliance.ip(66), &url, "").await.status, 404, "from another address");
    assert!(appliance.told("alarm", "which is not its leased address").await);
}

#[tokio::test]
async fn answer_files_are_found_by_token_alone() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    machine.installer().await;
    let guesses = ["web-1", "52-54-00-77-00-0a", &appliance.ip(10).to_string(), &"0".repeat(64), ""];
    let mut bodies = Vec::new();
    for guess in guesses {
        let answer = get(appliance.ip(10), &appliance.url(&format!("/answer/{guess}")), "").await;
        assert_eq!(answer.status, 404, "{guess}");
        bodies.push(answer.body);
    }
    bodies.truncate(4);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "all alike");
}

#[tokio::test]
async fn no_secret_is_ever_printed_or_kept_in_clear() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let answer = installer.answer().await;
    let token = installer.answer_url.rsplit('/').next().unwrap().to_owned();
    let report = answer.split("/report/").nth(1).unwrap()[..64].to_owned();
    installer.report(&answer, json!({"stage": "done"})).await;
    assert_eq!(machine.register(&installer, &key(&answer)).await.status, 200);
    let credential = CREDENTIAL.repeat(32);
    let mut seen = appliance.cli(&["--output", "json", "machine", "show", "web-1"]).await;
    seen += &appliance.cli(&["--output", "json", "events", "--limit", "500"]).await;
    for file in std::fs::read_dir(appliance.folder.path()).unwrap().flatten().filter(|f| f.path().is_file()) {
        seen += &String::from_utf8_lossy(&std::fs::read(file.path()).unwrap());
    }
    for (what, secret) in
        [("token", token), ("report token", report), ("key", key(&answer)), ("credential", credential)]
    {
        assert_eq!(secret.len(), 64, "{what}");
        assert!(!seen.contains(&secret), "the {what} is kept in clear");
    }
}

#[tokio::test]
async fn the_api_on_tcp_answers_nothing_without_a_token() {
    let appliance = Appliance::start().await;
    let (from, url) = (appliance.ip(66), appliance.url("/api/v1/machines"));
    assert_eq!(get(from, &url, "").await.status, 401);
    assert_eq!(get(from, &url, "Authorization: Bearer 00\r\n").await.status, 401);
    let made = appliance.json(&["token", "add", "ci"]).await;
    let bearer = format!("Authorization: Bearer {}\r\n", made["token"].as_str().unwrap());
    assert_eq!(get(from, &url, &bearer).await.status, 200);
    appliance.cli(&["token", "remove", "ci"]).await;
    assert_eq!(get(from, &url, &bearer).await.status, 401);
}

#[tokio::test]
async fn an_earlier_boots_key_opens_nothing_before_or_after() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let first = key(&machine.installer().await.answer().await);
    let installer = machine.installer().await;
    let second = installer.install().await;
    assert_eq!(machine.register_as(&installer, &first, &"aa".repeat(32)).await.status, 403);
    assert_eq!(machine.register(&installer, &second).await.status, 200);
    assert_eq!(machine.register_as(&installer, &first, &"aa".repeat(32)).await.status, 403);
    assert_eq!(appliance.json(&["key", "show", "web"]).await["used"], 1);
}

#[tokio::test]
async fn to_look_is_not_to_take() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let head = request(installer.ip, "HEAD", &installer.answer_url, "", b"").await;
    assert_eq!((head.status, appliance.state("web-1").await.as_str()), (405, "armed"));
    assert_eq!(installer.fetch().await.status, 200);
}

#[tokio::test]
async fn many_registrations_with_one_key_succeed_once() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    let body = |i: u8| json!({"key": key, "credential": format!("{i:02x}").repeat(32), "inventory": {}});
    let bodies: Vec<_> = (0..50).map(body).collect();
    let url = format!("{}/agent/register", installer.server);
    let all = bodies.iter().map(|body| post(installer.ip, &url, "", body));
    let statuses: Vec<u16> = futures_util::future::join_all(all).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}
