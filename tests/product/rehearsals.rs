//! `kickstand rehearse`: a second server of the same code, and nothing of it in the first.

use crate::postgres::Fresh;
use crate::rig::Appliance;
use crate::scripts::lay_out;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// The settings of this appliance as a file, for a command that works beside its server.
fn settings(appliance: &Appliance) -> PathBuf {
    let config = &appliance.config;
    let path = appliance.folder.path().join("kickstand.toml");
    let text = format!(
        "[database]\nurl = {:?}\n[server]\nfiles = {:?}\nloaders = {:?}\ntemplates = {:?}\n[secrets]\nkey_file = {:?}\n",
        config.database,
        config.files,
        config.loaders,
        config.templates,
        config.secrets.key_file.as_ref().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    path
}

pub async fn try_rehearse(appliance: &Appliance, args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command.args(["--output", "json", "rehearse", "--config"]).arg(settings(appliance)).args(args);
    tokio::time::timeout(Duration::from_secs(180), command.output()).await.expect("a rehearsal ends").unwrap()
}

async fn rehearse(appliance: &Appliance, args: &[&str]) -> Value {
    let output = try_rehearse(appliance, args).await;
    let error = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{error}"));
    assert_eq!(output.status.success(), report["failed"] == 0, "the exit code tells whether all went well: {text}");
    report
}

/// How many ended so.
fn count(report: &Value, outcome: &str) -> u64 {
    let groups = report["outcomes"].as_array().unwrap().iter();
    groups
        .filter(|group| group["outcome"].as_str().unwrap().contains(outcome))
        .map(|g| g["count"].as_u64().unwrap())
        .sum()
}

/// Every byte below a folder, but for what this test writes itself.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(bytes(&path)),
            kind if kind.is_file() && !path.ends_with("kickstand.toml") => {
                drop(all.insert(path.clone(), std::fs::read(&path).unwrap()));
            }
            _ => {}
        }
    }
    all
}

async fn machines(appliance: &Appliance, count: u8) {
    let mut csv = "name,mac,ip\n".to_owned();
    for last in 10..10 + count {
        csv += &format!("web-{last},52:54:00:77:00:{last:02x},{}\n", appliance.ip(last));
    }
    let path = appliance.folder.path().join("machines.csv");
    std::fs::write(&path, csv).unwrap();
    appliance.cli(&["machine", "add", "--csv", path.to_str().unwrap()]).await;
}

#[tokio::test]
async fn every_machine_installs_goes_to_its_disk_and_registers() {
    let appliance = Appliance::start().await;
    appliance.cli(&["key", "set", "web", "--limit", "100"]).await;
    machines(&appliance, 30).await;
    let report = rehearse(&appliance, &[]).await;
    assert_eq!((&report["clients"], &report["failed"]), (&30.into(), &0.into()), "{report:#}");
    assert_eq!(count(&report, "installs and registers"), 30);
    let groups = report["outcomes"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["profile"] == "web" && group["network"] == "lab"), "{report:#}");
    let firmware: Vec<_> = groups.iter().map(|group| group["firmware"].as_str().unwrap()).collect();
    for word in ["bios", "uefi", "uefi-http", "ipxe"] {
        assert!(firmware.contains(&word), "{firmware:?}");
    }
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|lap| lap["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["address", "loader", "script", "kernel", "answer", "report", "own disk", "registration"]);
}

/// This install would not go on without a CA, nor report to anybody by HTTP.
const BY_HTTPS: &str = r#"#!/bin/sh
{% if "BEGIN CERTIFICATE" not in server_ca or secure_report_url[:8] != "https://" %}{{ there_is_no_ca }}{% endif %}
# {{ secure_report_url }}
{"server": "{{ secure_server_url }}", "key": "{{ key }}"}
"#;

#[tokio::test]
async fn what_follows_the_answer_file_goes_by_https_as_it_will() {
    let appliance = Appliance::start().await;
    std::fs::write(appliance.template("image/install.sh"), BY_HTTPS).unwrap();
    machines(&appliance, 5).await;
    let report = rehearse(&appliance, &[]).await;
    assert_eq!((&report["clients"], &report["failed"]), (&5.into(), &0.into()), "{report:#}");
    assert_eq!(count(&report, "installs and registers"), 5);
    assert!(report["notes"].to_string().contains("a CA that was made for the rehearsal"), "{report:#}");
    assert!(!appliance.folder.path().join("ca.key").exists(), "and no other is made, or read");
}

#[tokio::test]
async fn a_broken_template_is_named_with_its_line_its_step_and_its_machine() {
    let appliance = Appliance::start().await;
    let template = appliance.template("broken.sh");
    std::fs::write(&template, "# {{ report_url }}\n\n{{ rack_of_this_machine }}\n").unwrap();
    appliance.cli(&["profile", "add", "broken", "--parent", "web", "--template", "broken.sh"]).await;
    machines(&appliance, 4).await;
    appliance.cli(&["machine", "set", "web-12", "--profile", "broken"]).await;
    let report = rehearse(&appliance, &[]).await;
    assert_eq!((&report["clients"], &report["failed"]), (&4.into(), &1.into()), "{report:#}");
    assert_eq!(count(&report, "installs and registers"), 3);
    let failure = &report["failures"][0];
    assert_eq!((&failure["step"], &failure["machines"][0]), (&"script".into(), &"web-12".into()));
    let text = failure["text"].as_str().unwrap();
    assert!(text.contains("broken.sh:3:") && text.contains("rack_of_this_machine"), "{text}");
    assert!(!text.contains("127.1."), "an address of the stage is no address that people know: {text}");

    let report = rehearse(&appliance, &["--machines", "web-1[01],web-10,profile=broken"]).await;
    assert_eq!((&report["clients"], &report["failed"]), (&2.into(), &1.into()), "{report:#}");
    let none = try_rehearse(&appliance, &["--machines", "db-*"]).await;
    assert!(String::from_utf8_lossy(&none.stderr).contains("no machine is db-*"), "{none:?}");
}

#[tokio::test]
async fn all_come_through_though_a_fifth_of_the_packets_is_lost() {
    let appliance = Appliance::start().await;
    appliance.cli(&["key", "set", "web", "--limit", "100"]).await;
    machines(&appliance, 8).await;
    let report = rehearse(&appliance, &["--loss", "20", "--seed", "7"]).await;
    assert_eq!(report["failed"], 0, "{report:#}");
    assert_eq!(count(&report, "installs and registers"), 8);
    assert!(report["packets_sent_again"].as_u64().unwrap() > 20, "{report:#}");
}

#[tokio::test]
async fn the_real_server_and_its_database_notice_nothing() {
    let mut appliance = Appliance::start().await;
    machines(&appliance, 3).await;
    let records = async |appliance: &Appliance| {
        let mut all = Vec::new();
        for noun in ["machine", "lease", "key", "network", "profile", "sighting"] {
            all.push(appliance.json(&[noun, "list"]).await);
        }
        all.push(appliance.json(&["events", "--limit", "500"]).await);
        all
    };
    let (before, on_disk) = (records(&appliance).await, bytes(appliance.folder.path()));
    assert_eq!(rehearse(&appliance, &[]).await["failed"], 0);
    assert_eq!(rehearse(&appliance, &["--count", "5"]).await["clients"], 5);
    assert_eq!(records(&appliance).await, before);
    let changed = |now: &BTreeMap<PathBuf, Vec<u8>>, before: &BTreeMap<PathBuf, Vec<u8>>| {
        let all = now.keys().chain(before.keys());
        // Readers mark their place in the index of the log, which is memory and no record.
        let changed =
            all.filter(|path| now.get(*path) != before.get(*path) && !path.to_string_lossy().ends_with("-shm"));
        changed.cloned().collect::<Vec<_>>()
    };
    assert_eq!(changed(&bytes(appliance.folder.path()), &on_disk), Vec::<PathBuf>::new());

    appliance.running.take().unwrap().stop().await;
    let log = appliance.folder.path().join("kickstand.db-wal");
    for _ in 0..500 {
        // SQLite closes the file on a thread of its own.
        if !log.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stopped = bytes(appliance.folder.path());
    assert_eq!(rehearse(&appliance, &[]).await["failed"], 0, "no server need run");
    let now = bytes(appliance.folder.path());
    assert_eq!(
        now.keys().collect::<Vec<_>>(),
        stopped.keys().collect::<Vec<_>>(),
        "not even an index of its log is made"
    );
    assert_eq!(changed(&now, &stopped), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn no_secret_is_opened_and_the_key_is_not_needed() {
    let canary = "hunter2-canary";
    let appliance = Appliance::start().await;
    let template = appliance.template("telling.sh");
    let text = "#!/bin/sh\n# {{ report_url }}\n{% if db_password != 'rehearsal-db-password' %}{{ no_such_thing }}{% endif %}\n";
    std::fs::write(&template, text).unwrap();
    appliance.cli(&["profile", "add", "telling", "--parent", "web", "--template", "telling.sh"]).await;
    appliance.cli(&["profile", "set", "telling", "--secret", &format!("db_password={canary}")]).await;
    machines(&appliance, 2).await;
    appliance.cli(&["machine", "set", "web-10", "--profile", "telling"]).await;
    std::fs::remove_file(appliance.config.secrets.key_file.as_ref().unwrap()).unwrap();
    let output = try_rehearse(&appliance, &[]).await;
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "what a template saw was the fake: {told}");
    assert!(told.contains("secrets were replaced by fakes") && !told.contains(canary), "{told}");
    let key_file = appliance.config.secrets.key_file.as_ref().unwrap();
    assert!(!key_file.exists(), "and no key was made in its place");
}

#[tokio::test]
async fn newcomers_get_what_their_network_gives_to_strangers() {
    let appliance = Appliance::start().await;
    let report = rehearse(&appliance, &["--count", "3"]).await;
    assert_eq!((count(&report, "gets nothing"), &report["failed"]), (3, &0.into()), "{report:#}");
    assert!(report["outcomes"][0]["outcome"].as_str().unwrap().contains("silence (ignore)"), "{report:#}");

    appliance.cli(&["network", "set", "lab", "--unknown", "show"]).await;
    let report = rehearse(&appliance, &["--count", "10"]).await;
    assert_eq!(count(&report, "is told that nobody knows it"), 10, "{report:#}");

    appliance.cli(&["network", "set", "lab", "--unknown", "install", "--profile", "web"]).await;
    appliance.cli(&["network", "set", "lab", "--pool", &appliance.span(100, 200)]).await;
    appliance.cli(&["key", "set", "web", "--limit", "40"]).await;
    let report = rehearse(&appliance, &["--count", "50"]).await;
    assert_eq!(report["clients"], 50);
    assert_eq!((count(&report, "installs and registers"), &report["failed"]), (40, &10.into()), "{report:#}");
    let text = report["failures"].to_string();
    assert!(text.contains("has been used 40 of 40 times"), "a limit that a storm exceeds is found: {text}");
}

#[tokio::test]
async fn each_firmware_goes_the_way_of_its_loader() {
    let appliance = Appliance::start().await;
    lay_out(&appliance);
    appliance.cli(&["key", "set", "web", "--limit", "100"]).await;
    machines(&appliance, 6).await;
    for (name, loader) in [("web-10", "pxelinux"), ("web-11", "debian-12-secure"), ("web-12", "extlinux")] {
        appliance.cli(&["machine", "set", name, "--loader", loader]).await;
    }
    let report = rehearse(&appliance, &["--machines", "web-10,web-11,web-12"]).await;
    assert_eq!(report["failed"], 0, "{report:#}");
    let mut ways: Vec<_> = report["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["firmware"].as_str().unwrap(), group["loader"].as_str().unwrap_or("its own")))
        .collect();
    ways.sort_unstable();
    assert_eq!(ways, [("bios", "pxelinux"), ("u-boot", "its own"), ("uefi", "debian-12-secure")]);

    let report = rehearse(&appliance, &["--machines", "web-13", "--firmware", "arm64"]).await;
    let text = report["failures"][0]["text"].as_str().unwrap();
    assert!(text.contains("no boot loader for boot ROM, arm64 UEFI is there"), "{text}");

    std::fs::write(appliance.config.loaders[0].join("debian-12-secure/grubx64.efi"), [8; 1000]).unwrap();
    let report = rehearse(&appliance, &["--machines", "web-11"]).await;
    let failure = &report["failures"][0];
    assert_eq!(failure["step"], "loader");
    assert!(failure["text"].as_str().unwrap().contains("debian-12-secure/grubx64.efi"), "{failure}");
}

#[tokio::test]
async fn a_network_behind_a_relay_is_reached_and_one_without_a_server_is_not() {
    let appliance = Appliance::start().await;
    for (name, cidr) in [("far", "10.20.0.0/24"), ("lost", "10.30.0.0/24")] {
        appliance
            .cli(&[
                "network",
                "add",
                name,
                "--cidr",
                cidr,
                "--profile",
                "web",
                "--gateway",
                &cidr.replace(".0/24", ".1"),
            ])
            .await;
    }
    appliance.cli(&["network", "set", "far", "--relay", "10.20.0.1"]).await;
    for (name, last) in [("a", 1), ("b", 2)] {
        let network = if name == "a" { 20 } else { 30 };
        let (mac, ip) = (format!("52:54:00:77:01:{last:02x}"), format!("10.{network}.0.10"));
        appliance.cli(&["machine", "add", name, "--mac", &mac, "--ip", &ip]).await;
    }
    let report = rehearse(&appliance, &[]).await;
    assert_eq!((count(&report, "installs and registers"), &report["failed"]), (1, &1.into()), "{report:#}");
    let failure = &report["failures"][0];
    assert_eq!((&failure["step"], &failure["machines"][0]), (&"address".into(), &"b".into()));
    let text = failure["text"].as_str().unwrap();
    assert!(text.contains("no interface of this server has an address on network lost (10.30.0.0/24)"), "{text}");
}

#[tokio::test]
async fn an_answer_file_that_reports_nothing_and_a_kernel_that_is_not_there_are_found() {
    let appliance = Appliance::start().await;
    std::fs::write(appliance.template("mute.sh"), "#!/bin/sh\n# nobody is told\n").unwrap();
    appliance.cli(&["profile", "add", "mute", "--parent", "web", "--template", "mute.sh"]).await;
    machines(&appliance, 2).await;
    appliance.cli(&["machine", "set", "web-10", "--profile", "mute"]).await;
    let report = rehearse(&appliance, &[]).await;
    let failure = &report["failures"][0];
    assert_eq!(
        (&failure["step"], &failure["machines"]),
        (&"report".into(), &serde_json::json!(["web-10"])),
        "{report:#}"
    );
    std::fs::remove_file(appliance.config.files.join("d/initrd.img")).unwrap();
    let report = rehearse(&appliance, &["--machines", "web-11"]).await;
    assert!(report["failures"][0]["text"].as_str().unwrap().contains("d/initrd.img"), "{report:#}");
}

#[tokio::test]
async fn a_database_that_is_shared_is_only_read() {
    let database = Fresh::make().await;
    let appliance = Appliance::with_database(Some(&database.url())).await;
    let lab = appliance.network_cidr();
    appliance.cli(&["network", "add", "lab", "--cidr", &lab, "--pool", &appliance.span(100, 110)]).await;
    let before = appliance.json(&["events", "--limit", "500"]).await;
    let report = rehearse(&appliance, &["--count", "2", "--firmware", "bios"]).await;
    assert_eq!(count(&report, "gets nothing"), 2, "{report:#}");
    assert_eq!(appliance.json(&["events", "--limit", "500"]).await, before);
    assert_eq!(appliance.json(&["sighting", "list"]).await, serde_json::json!([]));
}

#[tokio::test]
async fn firmware_with_a_quirk_fails_where_it_is_not_heeded() {
    let appliance = Appliance::start().await;
    let quirk =
        "[[quirk]]\nname = \"windows\"\nsays = \"loses blocks\"\nmatch = { mac = \"52:54:00:77\" }\nwindow = 1\n";
    let own = appliance.config.templates.join("pxe");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("quirks.toml"), quirk).unwrap();
    machines(&appliance, 1).await;
    let report = rehearse(&appliance, &["--firmware", "uefi"]).await;
    assert_eq!((count(&report, "installs and registers"), &report["failed"]), (1, &0.into()), "{report:#}");
}
