//! What a MAC that no record holds gets: silence, a word, a record, or one install.

use crate::rig::{Appliance, Booted};

#[tokio::test]
async fn unknown_machine_gets_silence() {
    let appliance = Appliance::start().await;
    let mut stranger = appliance.machine(0x99);
    assert!(matches!(stranger.power_on().await, Booted::Silence));
    assert_eq!(appliance.json(&["machine", "list"]).await.as_array().unwrap().len(), 0);
    let why = appliance.cli(&["why", "52:54:00:77:00:99"]).await;
    assert!(why.contains("no record holds this MAC") && why.contains("silence"), "{why}");
}

#[tokio::test]
async fn what_was_heard_can_be_adopted() {
    let appliance = Appliance::start().await;
    let mut stranger = appliance.machine(0x99);
    let text = appliance.refused(&["machine", "adopt", "52:54:00:77:00:99"]).await;
    assert!(text.contains("was never heard"), "{text}");
    stranger.power_on().await;
    appliance.cli(&["machine", "adopt", "52:54:00:77:00:99", "--name", "web-9"]).await;
    assert_eq!(appliance.state("web-9").await, "ready");
    assert!(matches!(stranger.power_on().await, Booted::OwnDisk), "now it has an address, and boots its disk");
}

#[tokio::test]
async fn show_says_so_on_the_console_and_makes_no_record() {
    let appliance = Appliance::start().await;
    appliance.cli(&["network", "set", "lab", "--unknown", "show"]).await;
    let mut stranger = appliance.machine(0x99);
    match stranger.power_on().await {
        Booted::Told(text) => assert!(text.contains("does not know this machine: 52:54:00:77:00:99"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(appliance.json(&["machine", "list"]).await.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn discover_lists_it_and_sends_it_to_its_disk() {
    let appliance = Appliance::start().await;
    appliance.cli(&["network", "set", "lab", "--unknown", "discover"]).await;
    let mut stranger = appliance.machine(0x99);
    assert!(matches!(stranger.power_on().await, Booted::OwnDisk));
    assert_eq!(appliance.state("52-54-00-77-00-99").await, "discovered");
    assert!(matches!(appliance.machine(0x98).power_on().await, Booted::OwnDisk));
    assert_eq!(appliance.state("52-54-00-77-00-98").await, "discovered", "each has a record of its own");
    assert_eq!(appliance.state("52-54-00-77-00-99").await, "discovered");
    appliance.cli(&["machine", "adopt", "52:54:00:77:00:99", "--name", "web-9"]).await;
    assert_eq!(appliance.state("web-9").await, "ready");
    assert!(matches!(stranger.power_on().await, Booted::OwnDisk));
}

#[tokio::test]
async fn install_installs_it_exactly_once() {
    let appliance = Appliance::start().await;
    appliance.cli(&["network", "set", "lab", "--unknown", "install", "--profile", "web"]).await;
    let mut stranger = appliance.machine(0x99);
    let installer = stranger.installer().await;
    let key = installer.install().await;
    for _ in 0..3 {
        assert!(matches!(stranger.power_on().await, Booted::OwnDisk), "once");
    }
    assert_eq!(stranger.register(&installer, &key).await.status, 200);
    assert_eq!(appliance.state("52-54-00-77-00-99").await, "registered");
}
