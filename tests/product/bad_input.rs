//! What operators get wrong: one clear error with the place and the remedy, and nothing half-written.

use crate::rig::Appliance;

/// A refused command, and words that its error must have.
async fn refused(appliance: &Appliance, args: &[&str], words: &[&str]) {
    let text = appliance.refused(args).await;
    for word in words {
        assert!(text.contains(word), "kickstand {}: {word:?} is not in: {text}", args.join(" "));
    }
}

#[tokio::test]
async fn nonsense_is_named() {
    let a = Appliance::start().await;
    refused(&a, &["machine", "add", "x", "--mac", "52:54:00:zz:00:01"], &["52:54:00:zz:00:01", "MAC"]).await;
    refused(&a, &["network", "add", "x", "--cidr", "10.0.0.0/33"], &["10.0.0.0/33"]).await;
    refused(&a, &["range", "add", "x", "10.9.9.9-10.9.9.1", "--profile", "web"], &["10.9.9.9-10.9.9.1"]).await;
    refused(&a, &["machine", "add", "No_Good Name", "--mac", "52:54:00:00:00:01"], &["name"]).await;
    assert_eq!(a.json(&["machine", "list"]).await.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn contradictions_name_the_record_that_is_in_the_way() {
    let a = Appliance::start().await;
    a.add_machine("web-1", 10).await;
    let (ip, mac) = (a.ip(10).to_string(), "52:54:00:77:00:0a");
    refused(&a, &["machine", "add", "web-2", "--mac", mac], &[mac, "web-1"]).await;
    refused(&a, &["machine", "add", "web-2", "--mac", "52:54:00:77:00:0b", "--ip", &ip], &[&ip, "web-1"]).await;
    refused(&a, &["machine", "add", "web-1", "--mac", "52:54:00:77:00:0b"], &["web-1"]).await;
    refused(&a, &["machine", "add", "web-2", "--mac", "52:54:00:77:00:0b", "--ip", "192.168.9.9"], &["192.168.9.9"])
        .await;
    let own = a.ip(1).to_string();
    refused(&a, &["machine", "add", "me", "--mac", "52:54:00:77:00:0b", "--ip", &own], &[&own, "own address"]).await;
    refused(&a, &["network", "add", "x", "--cidr", "10.3.0.0"], &["with its prefix"]).await;
    refused(&a, &["network", "set", "lab", "--lease-secs", "0"], &["60 s or more"]).await;
    refused(&a, &["range", "add", "half", &a.span(40, 60), "--profile", "web"], &["web-rack"]).await;
    refused(&a, &["network", "add", "twin", "--cidr", &a.network_cidr()], &["lab"]).await;
    refused(&a, &["profile", "remove", "web"], &["web-rack"]).await;
    refused(&a, &["range", "add", "other", &a.span(60, 70), "--profile", "nothing"], &["nothing"]).await;
    refused(
        &a,
        &["distro", "add", "d", "--family", "image", "--kernel", "no/kernel", "--initrd", "d/initrd.img"],
        &["no/kernel"],
    )
    .await;
}

#[tokio::test]
async fn a_list_of_machines_is_taken_whole_or_not_at_all() {
    let a = Appliance::start().await;
    let file = a.folder.path().join("machines.csv");
    let path = file.display().to_string();
    let row = |name: &str, last: u8| format!("{name},52:54:00:77:01:{last:02x},{}\n", a.ip(last));
    std::fs::write(&file, format!("name,mac,ip\n{}bad,nonsense,1.2.3\n{}", row("a", 11), row("b", 12))).unwrap();
    refused(&a, &["machine", "add", "--csv", &path], &["machines.csv:3"]).await;
    std::fs::write(&file, format!("name,mac,ip\n{}{}", row("a", 11), row("b", 11))).unwrap();
    refused(&a, &["machine", "add", "--csv", &path], &["machines.csv:3"]).await;
    assert_eq!(a.json(&["machine", "list"]).await.as_array().unwrap().len(), 0, "nothing half-written");
    std::fs::write(&file, format!("name,mac,ip\n{}{}", row("a", 11), row("b", 12))).unwrap();
    a.cli(&["machine", "add", "--csv", &path]).await;
    assert_eq!(a.json(&["machine", "list"]).await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_broken_template_arms_nothing_and_names_its_line() {
    let a = Appliance::start().await;
    a.add_machine("web-1", 10).await;
    std::fs::write(a.template("image/install.sh"), "#!/bin/sh\necho {{ no_such_thing }}\n").unwrap();
    refused(&a, &["machine", "arm", "web-1"], &["image/install.sh:2", "no_such_thing"]).await;
    assert_eq!(a.state("web-1").await, "ready");
}

/// The wire does what the check before arming would have said, and `why` says the same.
#[tokio::test]
async fn what_breaks_after_arming_is_not_installed() {
    let a = Appliance::start().await;
    let mut machine = a.add_machine("web-1", 10).await;
    a.cli(&["machine", "arm", "web-1"]).await;
    let file = a.folder.path().join("install.sh");
    std::fs::write(&file, "#!/bin/sh\necho 'open\n").unwrap();
    let set = ["template", "set", "image/install.sh", file.to_str().unwrap()];
    let asked = a.try_cli(&set).await;
    let told = format!("{}{}", String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr));
    assert!(!asked.status.success() && told.contains("1 text would break"), "it is asked about first: {told}");
    a.cli(&[&set[..], &["--yes"]].concat()).await;
    let said = a.cli(&["why", "web-1"]).await;
    assert!(said.contains("own disk instead") && said.contains("image/install.sh"), "{said}");
    let booted = machine.power_on().await;
    assert!(matches!(booted, crate::rig::Booted::OwnDisk), "{booted:?}");
    assert!(a.told("alarm", "not installed, sent to its own disk, still armed").await);
    assert_eq!(a.state("web-1").await, "armed");
    a.cli(&["template", "remove", "image/install.sh", "--yes"]).await;
    machine.installer().await.answer().await;
}

#[tokio::test]
async fn a_machine_that_nothing_speaks_for_is_not_armed() {
    let a = Appliance::start().await;
    a.add_machine("db-1", 60).await;
    refused(&a, &["machine", "arm", "db-1"], &["db-1", "profile: none"]).await;
    refused(&a, &["machine", "arm", "nobody"], &["there is no machine nobody"]).await;
}

#[tokio::test]
async fn a_full_pool_is_silence_with_a_reason() {
    let a = Appliance::start().await;
    a.cli(&["network", "set", "lab", "--unknown", "discover", "--pool", &a.span(100, 101)]).await;
    for last in [0x91, 0x92] {
        a.machine(last).power_on().await;
    }
    assert!(matches!(a.machine(0x93).power_on().await, crate::rig::Booted::Silence));
    assert!(a.told("silence", "no free address for unknown MACs in the pools of network lab: widen them").await);
}
