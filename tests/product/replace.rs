//! 2 a.m.: the failed machine's record gets a new card, and stays the same system.

use crate::rig::{Appliance, Booted, CREDENTIAL, post};
use serde_json::json;

#[tokio::test]
async fn new_metal_becomes_the_same_system_and_the_old_gets_nothing() {
    let appliance = Appliance::start().await;
    let mut old = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = old.installer().await;
    let key = installer.install().await;
    assert_eq!(old.register(&installer, &key).await.status, 200);
    let bearer = format!("Authorization: Bearer {}\r\n", CREDENTIAL.repeat(32));
    let inventory = format!("{}/agent/inventory", installer.server);
    assert_eq!(post(appliance.ip(10), &inventory, &bearer, &json!({"cpus": 4})).await.status, 204);
    let before = appliance.json(&["machine", "show", "web-1"]).await;

    appliance.cli(&["machine", "replace", "web-1", "--mac", "52:54:00:77:00:aa"]).await;
    assert_eq!(appliance.state("web-1").await, "ready", "it arms nothing");
    assert_eq!(
        post(appliance.ip(10), &inventory, &bearer, &json!({"cpus": 4})).await.status,
        401,
        "the old agent is out"
    );
    assert!(matches!(old.power_on().await, Booted::Silence));
    assert!(appliance.told("alarm", "the replaced card 52:54:00:77:00:0a").await);
    assert!(appliance.cli(&["why", "52:54:00:77:00:0a"]).await.contains("was replaced by 52:54:00:77:00:aa"));

    let reused = appliance.refused(&["machine", "add", "other", "--mac", "52:54:00:77:00:0a"]).await;
    assert!(reused.contains("gets no role again") && reused.contains("machine forget"), "{reused}");
    assert!(appliance.refused(&["machine", "adopt", "52:54:00:77:00:0a"]).await.contains("was replaced by"));

    appliance.cli(&["machine", "arm", "web-1"]).await;
    let mut new = appliance.machine(0xaa);
    let installer = new.installer().await;
    assert_eq!(installer.ip, appliance.ip(10), "the same address");
    let key = installer.install().await;
    assert_eq!(new.register(&installer, &key).await.status, 200);
    let after = appliance.json(&["machine", "show", "web-1"]).await;
    for same in ["id", "name", "profile", "created_at"] {
        assert_eq!(before[same], after[same], "{same} stays");
    }
    assert_eq!(after["state"], "registered");
}

#[tokio::test]
async fn a_mended_card_may_have_a_role_again_when_an_operator_says_so() {
    let appliance = Appliance::start().await;
    let mut old = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "replace", "web-1", "--mac", "52:54:00:77:00:aa"]).await;
    assert!(matches!(old.power_on().await, Booted::Silence));
    appliance.cli(&["machine", "forget", "52:54:00:77:00:0a"]).await;
    appliance.cli(&["machine", "add", "web-2", "--mac", "52:54:00:77:00:0a"]).await;
    assert!(matches!(old.power_on().await, Booted::OwnDisk));
}

#[tokio::test]
async fn replace_with_arm_installs_at_once() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "replace", "web-1", "--mac", "52:54:00:77:00:aa", "--arm"]).await;
    assert!(matches!(appliance.machine(0xaa).power_on().await, Booted::Installer(_)));
}

#[tokio::test]
async fn a_mac_of_another_record_is_refused_by_name() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    appliance.add_machine("web-2", 11).await;
    let text = appliance.refused(&["machine", "replace", "web-1", "--mac", "52:54:00:77:00:0b"]).await;
    assert!(text.contains("web-2"), "{text}");
    assert!(matches!(appliance.machine(10).power_on().await, Booted::OwnDisk), "nothing changed");
}
