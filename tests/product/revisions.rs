//! Revisions on the command line, and by which of them a machine was booted.

use crate::rig::Appliance;
use serde_json::{Value, json};

async fn revision(appliance: &Appliance) -> i64 {
    appliance.json(&["revision", "list", "--limit", "1"]).await[0]["revision"].as_i64().unwrap()
}

/// What is said to standard error, and what to standard output.
async fn said(appliance: &Appliance, args: &[&str]) -> (String, String) {
    let output = appliance.try_cli(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn every_step_of_a_boot_says_by_which_configuration_it_was_decided() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let before = revision(&appliance).await;
    let installer = machine.installer().await;
    appliance.cli(&["option", "set", "ntp-servers=10.0.0.1"]).await;
    let key = installer.install().await;
    machine.power_on().await;
    machine.register(&installer, &key).await;
    assert_eq!(revision(&appliance).await, before + 1, "what a machine lives through is no configuration");
    let events = appliance.json(&["events", "--machine", "web-1", "--limit", "500"]).await;
    let by = |kind: &str| {
        let all = events.as_array().unwrap().iter().filter(|event| event["kind"] == kind);
        all.map(|event| event["revision"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    for kind in ["offer", "script"] {
        assert_eq!(by(kind).first(), Some(&before), "{kind}: {events}");
    }
    for kind in ["answer", "registered", "local"] {
        assert_eq!(by(kind), [before + 1], "{kind}: {events}");
    }
    let why = appliance.cli(&["why", "web-1"]).await;
    let last =
        format!("configuration\n  → revision {}\n    because  revision: changed the options for everybody", before + 1);
    assert!(why.contains(&last), "{why}");
}

#[tokio::test]
async fn a_change_says_first_which_machines_it_touches_and_a_rollback_takes_it_back() {
    let appliance = Appliance::start().await;
    for n in 0..10 {
        appliance.add_machine(&format!("web-{n}"), 10 + n).await;
    }
    let at = revision(&appliance).await;
    let profile = appliance.json(&["profile", "show", "web"]).await;
    let (first, then) = said(&appliance, &["profile", "set", "web", "--arguments", "debug"]).await;
    let names: Vec<_> = (0..8).map(|n| format!("web-{n}")).collect();
    assert_eq!(first, format!("10 of 10 machines get something else: {} and 2 more\n", names.join(", ")));
    assert_eq!(then, "profile web changed\n");
    let (first, _) = said(&appliance, &["profile", "set", "web", "--var", "nobody_names_it=1"]).await;
    assert_eq!(first, "", "no machine, no word");
    let (first, _) = said(&appliance, &["profile", "set", "web", "--arguments", "quiet", "--yes"]).await;
    assert_eq!(first, "");
    let (first, _) = said(&appliance, &["option", "set", "ntp-servers=10.0.0.1"]).await;
    assert!(first.starts_with("10 of 10 machines get something else"), "{first}");
    let (first, _) = said(&appliance, &["option", "unset", "ntp-servers"]).await;
    assert!(first.starts_with("10 of 10 machines get something else"), "{first}");
    let (first, _) = said(&appliance, &["network", "set", "lab", "--unknown", "show"]).await;
    assert_eq!(first, "");
    appliance.refused(&["profile", "remove", "web"]).await;

    let shown = appliance.cli(&["revision", "show", &(at + 1).to_string()]).await;
    for part in ["changed profile web", "root@socket", "-arguments = ", "+arguments = debug"] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let list = appliance.cli(&["revision", "list", "--limit", "6"]).await;
    assert_eq!(list.lines().count(), 7, "{list}");
    let plan = appliance.cli(&["rollback", &at.to_string(), "--dry-run"]).await;
    let head = format!(
        "back to revision {at}: 2 records changed\n  network lab: changed\n  profile web: changed\n10 of 10 machines"
    );
    assert!(plan.starts_with(&head), "{plan}");
    assert_eq!(revision(&appliance).await, at + 6, "a plan changes nothing");
    let (first, then) = said(&appliance, &["rollback", &at.to_string()]).await;
    assert!(first.starts_with(&head), "{first}");
    assert_eq!(then, format!("the configuration is as in revision {at}: 2 records restored, as revision {}\n", at + 7));
    assert_eq!(appliance.json(&["profile", "show", "web"]).await, profile);
    let done = appliance.json(&["rollback", &(at + 6).to_string(), "--yes"]).await;
    assert_eq!((&done["revision"], &done["left"]), (&json!(at + 8), &json!([])), "{done}");
    let refused = appliance.refused(&["rollback", "999", "--yes"]).await;
    assert!(refused.contains("there is no revision 999: `kickstand revision list`"), "{refused}");
    assert_eq!(appliance.json(&["machine", "show", "web-0"]).await["install"], Value::Null);
}

#[tokio::test]
async fn a_machine_that_was_installed_since_stays_and_is_named() {
    let appliance = Appliance::start().await;
    let at = revision(&appliance).await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.add_machine("web-2", 11).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    machine.register(&installer, &key).await;
    let (_, then) = said(&appliance, &["rollback", &at.to_string(), "--yes"]).await;
    assert!(then.contains("\nbut machine web-1 was added since, and stays"), "{then}");
    assert_eq!(appliance.state("web-1").await, "registered");
    appliance.refused(&["machine", "show", "web-2"]).await;
}
