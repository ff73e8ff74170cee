//! Templates on the command line: what operators type, what they are told, and what it does to machines.

use crate::rig::Appliance;
use serde_json::Value;
use std::time::{Duration, Instant};

const INSTALL: &str = "#!ipxe\necho {{ machine.name|ipxe }} goes\nboot {{ kernel_url|ipxe_word }}\n";

#[tokio::test]
async fn a_text_is_compared_set_rolled_back_and_removed() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    appliance.add_machine("web-2", 11).await;
    let file = appliance.folder.path().join("install.ipxe");
    std::fs::write(&file, INSTALL).unwrap();
    let (name, file) = ("pxe/ipxe/install.ipxe", file.to_str().unwrap());
    let diff = appliance.cli(&["template", "diff", name, file]).await;
    assert!(diff.starts_with("2 machines are touched\n"), "{diff}");
    for part in ["+echo web-1 goes", "1 machine, install script of ipxe: web-2", "--- now"] {
        assert!(diff.contains(part), "{part}: {diff}");
    }
    let unasked = appliance.refused(&["template", "set", name, file]).await;
    assert!(unasked.contains("2 machines are touched") && unasked.contains("say --yes"), "{unasked}");
    let set = appliance.cli(&["template", "set", name, file, "--yes"]).await;
    assert_eq!(set, "template pxe/ipxe/install.ipxe set: version 1\n");
    assert_eq!(appliance.cli(&["template", "show", name]).await, INSTALL);
    let diff = appliance.cli(&["template", "diff", name]).await;
    assert!(diff.starts_with("--- built in\n+++ stored\n"), "{diff}");
    std::fs::write(file, "#!ipxe\nexit\n").unwrap();
    appliance.cli(&["template", "set", name, file, "--yes"]).await;
    let back = appliance.cli(&["template", "rollback", name, "1", "--yes"]).await;
    assert_eq!(back, "template pxe/ipxe/install.ipxe is as in version 1: version 3\n");
    assert_eq!(appliance.cli(&["template", "show", name, "--version", "2"]).await, "#!ipxe\nexit\n");
    let unasked = appliance.refused(&["template", "remove", name]).await;
    let hint = "2 machines are touched; look at it with `kickstand template diff pxe/ipxe/install.ipxe`, and say --yes";
    assert!(unasked.contains(hint), "{unasked}");
    assert_eq!(appliance.cli(&["template", "show", name]).await, INSTALL);
    let removed = appliance.cli(&["template", "remove", name, "--yes"]).await;
    assert_eq!(removed, "template pxe/ipxe/install.ipxe removed\n");
    let history = appliance.json(&["template", "history", name]).await;
    let from: Vec<&str> = history.as_array().unwrap().iter().map(|v| v["from"].as_str().unwrap()).collect();
    assert_eq!(from, ["stored", "stored", "stored", "removed"]);
    let list = appliance.json(&["template", "list"]).await;
    let is_it = |view: &&Value| view["name"] == name;
    assert_eq!(list.as_array().unwrap().iter().find(is_it).unwrap()["from"], "built in");
    assert!(list.as_array().unwrap().iter().all(|view| view.get("text").is_none()));
    // What is not there any more stops nobody who would not miss it.
    std::fs::write(file, "nobody names it\n").unwrap();
    appliance.cli(&["template", "set", "own.sh", file]).await;
    let removed = appliance.cli(&["template", "remove", "own.sh"]).await;
    assert_eq!(removed, "no machine is touched\ntemplate templates/own.sh removed\n");
    let again = appliance.refused(&["template", "remove", "own.sh"]).await;
    assert!(again.contains("there is no template templates/own.sh"), "{again}");
}

#[tokio::test]
async fn what_would_not_render_is_told_first_and_nothing_is_taken_unasked() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    let file = appliance.folder.path().join("own.sh");
    std::fs::write(&file, "fine\n{{ colour }}\n").unwrap();
    let file = file.to_str().unwrap();
    let diff = appliance.cli(&["template", "diff", "image/install.sh", file]).await;
    assert!(diff.starts_with("1 machine is touched, and 1 text would break\n"), "{diff}");
    assert!(
        diff.contains("web-1") && diff.contains("templates/image/install.sh:2: a variable is not set: `colour`"),
        "{diff}"
    );
    appliance.refused(&["template", "set", "image/install.sh", file]).await;
    std::fs::write(file, "{% if %}\n").unwrap();
    let broken = appliance.refused(&["template", "set", "image/install.sh", file, "--yes"]).await;
    assert!(broken.contains("templates/image/install.sh:1: "), "{broken}");
    let missing = appliance.refused(&["template", "show", "image/none.sh"]).await;
    assert!(missing.contains("there is no template templates/image/none.sh"), "{missing}");
    let toml = appliance.refused(&["template", "show", "image/defaults.toml"]).await;
    assert!(toml.contains("is no name of a template"), "{toml}");
}

#[tokio::test]
async fn a_file_is_in_use_at_once_and_what_is_broken_is_told_with_its_line() {
    let appliance = Appliance::start().await;
    let file = appliance.template("image/install.sh");
    std::fs::write(&file, "one\n").unwrap();
    let began = Instant::now();
    while appliance.cli(&["template", "show", "image/install.sh"]).await != "one\n" {
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    std::fs::write(&file, "one\n{% for %}\n").unwrap();
    let told = appliance.told("alarm", &format!("{}:2: ", file.display())).await;
    assert!(told, "{}", appliance.json(&["events", "--kind", "alarm"]).await);
    assert_eq!(appliance.cli(&["template", "show", "image/install.sh"]).await, "one\n");
    let own = appliance.folder.path().join("own.sh");
    std::fs::write(&own, "two\n").unwrap();
    let refused = appliance.refused(&["template", "set", "image/install.sh", own.to_str().unwrap(), "--yes"]).await;
    assert!(refused.contains(file.to_str().unwrap()), "{refused}");
}
