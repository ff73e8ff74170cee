//! What operators see: lists, why, events, tables.

use crate::rig::Appliance;

#[tokio::test]
async fn why_says_which_rule_leads_where() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    let why = appliance.cli(&["why", "52:54:00:77:00:0a"]).await;
    assert!(why.contains("own disk: machine web-1 is ready, not armed"), "{why}");
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let why = appliance.cli(&["why", "52:54:00:77:00:0a", "--arch", "uefi"]).await;
    for part in [
        "reserved for 52:54:00:77:00:0a",
        "snponly.efi",
        "web, named by range web-rack",
        "without  the arming of machine web-1: its own disk",
    ] {
        assert!(why.contains(part), "{part:?} is not in {why}");
    }
    assert!(
        appliance.cli(&["why", "web-1", "--armed"]).await.contains("the installer of profile web"),
        "it is, already"
    );
    let record = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!(record["install"]["boots"], 0, "a question changes nothing");
}

#[tokio::test]
async fn every_list_speaks_json_and_says_what_to_do_when_it_is_empty() {
    let appliance = Appliance::empty().await;
    for noun in ["network", "range", "distro", "profile", "key", "machine", "lease", "token"] {
        assert_eq!(appliance.json(&[noun, "list"]).await, serde_json::json!([]), "{noun}");
        assert!(!appliance.cli(&[noun, "list"]).await.trim().is_empty(), "{noun}");
    }
}

#[tokio::test]
async fn the_timeline_has_every_step_of_an_install() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    machine.power_on().await;
    machine.register(&installer, &key).await;
    let events = appliance.json(&["events", "--machine", "web-1", "--limit", "500"]).await;
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    for kind in ["lease", "loader", "script", "kernel", "answer", "progress", "state", "local", "registered"] {
        assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
    }
    let shown = appliance.cli(&["watch", "web-1", "--until", "registered", "--timeout", "5s"]).await;
    assert!(shown.contains("registered"), "{shown}");
}

#[tokio::test]
async fn why_shows_what_a_machine_would_be_given_without_its_secrets() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    let hash = "root_password_hash=$6$salt$canary-5b1e";
    appliance.cli(&["machine", "set", "web-1", "--secret", hash, "--var", "timezone=Europe/Berlin"]).await;
    let unarmed = appliance.cli(&["why", "web-1"]).await;
    assert!(unarmed.contains("own disk") && !unarmed.contains("registration"), "{unarmed}");
    let armed = appliance.cli(&["why", "web-1", "--armed"]).await;
    for part in ["boot=kickstand", "timezone = \"Europe/Berlin\", from machine web-1", "single-use key of web"] {
        assert!(armed.contains(part), "{part:?} is not in {armed}");
    }
    let answer = appliance.cli(&["why", "web-1", "--armed", "--at", "answer"]).await;
    assert!(answer.contains("#!/bin/sh") && answer.contains("«root_password_hash»"), "{answer}");
    assert!(answer.contains("/report/«report»") && answer.contains("«key»"), "{answer}");
    let offer = appliance.cli(&["why", "web-1", "--at", "address"]).await;
    assert!(offer.contains("option 51: dhcp-lease-time = ") && offer.contains("yiaddr = "), "{offer}");
    let script = appliance.cli(&["why", "web-1", "--armed", "--at", "script", "--firmware", "uefi"]).await;
    assert!(script.contains("#!ipxe") && script.contains("/answer/«token»"), "{script}");
    let all = appliance.json(&["why", "web-1", "--armed"]).await.to_string();
    assert!(!(all + &armed + &answer).contains("canary-5b1e"));
    let refused = appliance.refused(&["why", "web-1", "--at", "nonsense"]).await;
    assert!(refused.contains("it has address and first program, script"), "{refused}");
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["state"], "ready", "a question changes nothing");
}

#[tokio::test]
async fn answer_files_are_read_by_their_installers_tools() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    let hash = "root_password_hash=$6$salt$canary-7c2e";
    appliance.cli(&["machine", "set", "web-1", "--secret", hash]).await;
    let said = appliance.json(&["check", "answers"]).await;
    assert_eq!(
        said,
        serde_json::json!([
            {"machine": "web-1", "file": "answer file", "tool": "sh", "fine": true, "said": "fine"},
        ])
    );
    let shipped = include_str!("../../templates/image/install.sh");
    let own = appliance.template("image/install.sh");
    std::fs::write(&own, format!("{shipped}if [ {{{{ root_password_hash|shq }}}} ]\n")).unwrap();
    let table = async |name: &str| {
        let done = appliance.try_cli(&["check", "answers", name]).await;
        assert!(!done.status.success());
        String::from_utf8(done.stdout).unwrap()
    };
    let said = table("web-1").await;
    assert!(said.contains("yntax error") && !said.contains("canary-"), "{said}");
    std::fs::write(&own, "{{ nonsense }}").unwrap();
    let said = table("web-1").await;
    assert!(said.contains("nonsense") && said.contains("install.sh"), "{said}");
    assert!(table("web-9").await.contains("web-9"));
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["state"], "ready", "a question changes nothing");
}
