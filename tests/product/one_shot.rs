//! What makes install loops impossible.

use crate::rig::{Appliance, Booted};
use serde_json::json;

#[tokio::test]
async fn an_installer_that_never_ends_is_served_three_times_and_then_no_more() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let installer = machine.installer().await;
        installer.answer().await;
        tokens.push(installer.answer_url.clone());
        assert_eq!(appliance.state("web-1").await, "installing");
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "each boot has a token of its own");
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    assert_eq!(appliance.state("web-1").await, "failed");
    assert!(appliance.told("state", "was given the installer 3 times and did not finish").await);
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    appliance.cli(&["machine", "arm", "web-1"]).await;
    assert!(matches!(machine.power_on().await, Booted::Installer(_)), "arming starts anew");
}

#[tokio::test]
async fn a_token_of_an_earlier_boot_opens_nothing() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let first = machine.installer().await;
    let first_answer = first.answer().await;
    let second = machine.installer().await;
    assert_eq!(first.fetch().await.status, 404);
    assert_eq!(first.report(&first_answer, json!({"stage": "done"})).await.status, 404, "nor reports");
    assert_eq!(second.fetch().await.status, 200);
}

#[tokio::test]
async fn arming_again_installs_exactly_once_more() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    for _ in 0..2 {
        appliance.cli(&["machine", "arm", "web-1"]).await;
        let installer = machine.installer().await;
        let key = installer.install().await;
        assert_eq!(machine.register(&installer, &key).await.status, 200);
        assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    }
    assert_eq!(appliance.json(&["key", "show", "web"]).await["used"], 1, "systems are counted, not installs");
}

#[tokio::test]
async fn an_installer_that_gives_up_leads_to_the_disk() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let answer = installer.answer().await;
    installer.report(&answer, json!({"stage": "failed", "message": "no disk"})).await;
    assert_eq!(appliance.state("web-1").await, "failed");
    assert!(appliance.told("state", "the installer gave up: no disk").await);
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
}

#[tokio::test]
async fn a_restart_in_the_middle_of_an_install_changes_nothing() {
    let mut appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let mut installer = machine.installer().await;
    let answer = installer.answer().await;
    let old = appliance.running().http[0];
    appliance.restart().await;
    machine.reconnect(&appliance);
    let moved = |text: &str| text.replace(&old.to_string(), &appliance.running().http[0].to_string());
    (installer.answer_url, installer.server) = (moved(&installer.answer_url), moved(&installer.server));
    let answer = moved(&answer);
    assert_eq!(installer.report(&answer, json!({"stage": "done"})).await.status, 204);
    assert_eq!(appliance.state("web-1").await, "installed");
    assert_eq!(machine.register(&installer, &crate::rig::key(&answer)).await.status, 200);
}

#[tokio::test]
async fn of_many_requests_at_once_each_is_counted() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let fetches = (0..20).map(|_| installer.fetch());
    let statuses: Vec<u16> = futures_util::future::join_all(fetches).await.iter().map(|a| a.status).collect();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let record = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!((&record["state"], &record["install"]["boots"]), (&json!("installing"), &json!(1)));
}
