//! A machine that installs by Cobbler's addresses: its answer file, and its reports.

use super::{call, open, post_xml};
use crate::rig::{Appliance, get, key, request};
use serde_json::json;

const PATHS: &[&str] = &[
    "/cblr/svc/op/ks/system/web-1",
    "/cblr/svc/op/autoinstall/system/web-1",
    "/cblr/svc/op/list/what/systems",
    "/cblr/svc/op/nopxe/system/web-1",
    "/cblr/svc/op/trig/mode/post/system/web-1",
    "/cblr/svc/op/settings",
    "/cblr/links/debian-12/x",
    "/cobbler/images/debian-12/vmlinuz",
    "/images/debian-12/vmlinuz",
];

#[tokio::test]
async fn switched_off_none_of_it_is_there() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    for path in PATHS {
        assert_eq!(get(appliance.ip(10), &appliance.url(path), "").await.status, 404, "{path}");
    }
    assert_eq!(post_xml(&appliance, appliance.ip(10), b"<methodCall/>").await.status, 404);
}

#[tokio::test]
async fn a_machine_is_installed_by_name_from_its_own_address_once_it_is_armed() {
    let appliance = Appliance::start_with(open).await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let (own, url) = (appliance.ip(10), appliance.url("/cblr/svc/op/autoinstall/system/web-1"));
    assert_eq!(get(own, &url, "").await.status, 404);
    assert!(appliance.told("refused", "`kickstand machine arm web-1` first").await);
    appliance.cli(&["machine", "arm", "web-1"]).await;
    assert_eq!(get(appliance.ip(11), &url, "").await.status, 404, "from another address");
    assert!(appliance.told("alarm", "was asked for from").await);
    assert_eq!(request(own, "HEAD", &url, "", b"").await.status, 405, "to look is to use");
    assert_eq!(appliance.state("web-1").await, "armed", "nothing is spent yet");

    let first = get(own, &url, "").await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(appliance.state("web-1").await, "installing");
    let again = get(own, &appliance.url("/cblr/svc/op/ks/system/web-1"), "").await;
    assert_eq!(again.text(), first.text(), "the same boot has the same text, by either name");
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["install"]["boots"], 1);
    assert!(appliance.told("answer", "asked for by name, which carries a single-use key of web").await);

    let report =
        crate::rig::Installer { ip: own, script: String::new(), answer_url: url.clone(), server: appliance.url("") };
    assert_eq!(report.report(&first.text(), json!({"stage": "started"})).await.status, 204);
    assert_eq!(get(own, &url, "").await.status, 404, "its installer runs: what asks now is a script of it");
    assert_eq!(report.report(&first.text(), json!({"stage": "done"})).await.status, 204);
    assert_eq!(machine.register(&report, &key(&first.text())).await.status, 200);
    assert_eq!(appliance.state("web-1").await, "registered");
    assert_eq!(get(own, &url, "").await.status, 404);
}

#[tokio::test]
async fn a_profiles_answer_file_is_that_of_the_machine_that_asks() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["profile", "add", "db", "--distro", "debian-12"]).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let url = |profile: &str| appliance.url(&format!("/cblr/svc/op/autoinstall/profile/{profile}"));
    assert_eq!(get(appliance.ip(10), &url("db"), "").await.status, 404, "not its profile");
    assert_eq!(get(appliance.ip(12), &url("web"), "").await.status, 404, "no machine");
    assert_eq!(get(appliance.ip(10), &url("web"), "").await.status, 200);
}

#[tokio::test]
async fn what_koan_reads_before_it_starts_anything_spends_nothing_and_holds_no_secret() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    for from in [10, 66] {
        let koan = "User-Agent: Python-urllib/3.11\r\n";
        let answer = get(appliance.ip(from), &appliance.url("/cblr/svc/op/ks/system/web-1"), koan).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.text().lines().all(|line| line.starts_with('#') || line.starts_with("url ")),
            "{}",
            answer.text()
        );
    }
    assert_eq!(appliance.state("web-1").await, "armed");
}

#[tokio::test]
async fn an_installer_that_never_ends_is_given_its_answer_three_times_by_name() {
    let appliance = Appliance::start_with(|config| {
        open(config);
        config.answers.used_secs = 1;
    })
    .await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let url = appliance.url("/cblr/svc/op/autoinstall/system/web-1");
    let mut texts = Vec::new();
    let fetched = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let answer = get(appliance.ip(10), &url, "").await;
            match answer.status {
                200 => texts.push(answer.text()),
                _ => break answer.status,
            }
        }
    });
    assert_eq!(fetched.await.expect("it ends"), 404);
    texts.dedup();
    assert_eq!(texts.len(), 3, "three boots, each with a token of its own");
    assert_eq!(appliance.state("web-1").await, "failed");
}

#[tokio::test]
async fn reports_by_name_are_believed_of_the_machine_that_installs_alone() {
    let appliance = Appliance::start_with(open).await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let said = async |from: u8, path: &str| {
        get(appliance.ip(from), &appliance.url(&format!("/cblr/svc/op/{path}")), "").await.text()
    };
    let done = "trig/mode/post/system/web-1";
    for path in ["nopxe/system/web-1", done, "nopxe/system/nobody"] {
        assert_eq!(said(10, path).await, "False", "{path}: not armed");
    }
    appliance.cli(&["machine", "arm", "web-1"]).await;
    assert_eq!(said(10, "nopxe/system/web-1").await, "False", "it took no boot");
    machine.installer().await;
    assert_eq!(said(10, "nopxe/system/web-1").await, "False", "its answer file was not fetched");
    assert_eq!(appliance.state("web-1").await, "armed");
    said(10, "autoinstall/system/web-1").await;
    for path in ["nopxe/system/web-1", done, "trig/mode/pre/system/web-1"] {
        assert_eq!(said(11, path).await, "False", "{path}: from elsewhere");
    }
    assert_eq!(appliance.state("web-1").await, "installing");
    assert_eq!(said(10, "trig/mode/pre/system/web-1").await, "True");
    assert_eq!(said(10, "trig/mode/firstboot/system/web-1").await, "True");
    assert_eq!(said(10, "trig/mode/other/system/web-1").await, "False");
    assert_eq!(appliance.state("web-1").await, "installing");
    assert_eq!(said(10, "nopxe/system/web-1").await, "True");
    assert_eq!(appliance.state("web-1").await, "installed");
    assert_eq!(said(10, done).await, "True", "said again, as templates do");
    assert!(call(&appliance, appliance.ip(11), "disable_netboot", &["web-1"]).await.contains("<boolean>0<"));
}

#[tokio::test]
async fn who_starts_an_installer_unarmed_is_told_early() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    get(appliance.ip(10), &appliance.url("/cobbler/images/debian-12/vmlinuz"), "").await;
    assert!(appliance.told("refused", "it will be refused its answer file").await);
}
