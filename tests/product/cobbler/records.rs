//! What anybody is told of records, and that none of it is a secret.

use super::files::set_template;
use super::{call, is_fault, object, open, text};
use crate::rig::{Appliance, get};

#[tokio::test]
async fn anonymous_answers_never_carry_a_secret() {
    const CANARY: &str = "canary-7f3a";
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    let secret = |name: &str| format!("{name}={CANARY}-{name}");
    appliance.cli(&["machine", "set", "web-1", "--secret", &secret("power_pass")]).await;
    appliance
        .cli(&["profile", "set", "web", "--secret", &secret("redhat_management_key"), "--secret", &secret("virt_path")])
        .await;
    appliance.cli(&["distro", "set", "debian-12", "--secret", &secret("ks_meta")]).await;
    set_template(&appliance, "{{ power_pass }}").await;
    appliance.cli(&["profile", "set", "web", "--var", r#"template_files={"motd.txt":"/etc/motd"}"#]).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let mut all = Vec::new();
    for kind in ["systems", "profiles", "distros", "images", "repos", "menus", "systems_since"] {
        all.push(call(&appliance, appliance.ip(66), &format!("get_{kind}"), &[]).await);
    }
    for from in [10, 66] {
        for (method, params) in [
            ("get_system_as_rendered", &["web-1"][..]),
            ("get_profile_as_rendered", &["web"]),
            ("get_distro_as_rendered", &["debian-12"]),
            ("get_system", &["web-1"]),
            ("get_profile", &["web"]),
            ("find_system_by_dns_name", &["web-1.lab"]),
            ("get_settings", &[]),
            ("get_config_data", &["web-1"]),
            ("get_repo_config_for_system", &["web-1"]),
            ("get_template_file_for_system", &["web-1", "/etc/motd"]),
            ("generate_autoinstall", &["", "web-1"]),
            ("get_item_names", &["system"]),
        ] {
            all.push(call(&appliance, appliance.ip(from), method, params).await);
        }
        for path in [
            "template/system/web-1/path/_etc_motd",
            "yum/system/web-1",
            "settings",
            "list/what/systems",
            "autodetect",
            "events",
        ] {
            all.push(get(appliance.ip(from), &appliance.url(&format!("/cblr/svc/op/{path}")), "").await.text());
        }
        let koan = "User-Agent: Python-urllib/3\r\n";
        all.push(get(appliance.ip(from), &appliance.url("/cblr/svc/op/ks/system/web-1"), koan).await.text());
    }
    assert!(all.iter().any(|said| said.contains("web-1")), "something is said");
    let leak = all.iter().find(|said| said.contains(CANARY));
    assert!(leak.is_none(), "{leak:?}");
    let rendered = call(&appliance, appliance.ip(66), "get_system_as_rendered", &["web-1"]).await;
    assert!(rendered.contains("<name>power_pass</name><value><string></string>"), "{rendered}");
    assert_eq!(appliance.state("web-1").await, "armed", "and nothing is spent");
}

#[tokio::test]
async fn systems_are_listed_with_both_keys_of_each_card() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "add", "web-2", "--mac", "52:54:00:77:00:0b"]).await;
    let said = call(&appliance, appliance.ip(66), "get_systems", &[]).await;
    for part in [
        "web-1",
        "web-2",
        "52:54:00:77:00:0b",
        &appliance.ip(10).to_string(),
        "<name>ip_address</name><value><string></string>",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(said.ends_with("</methodResponse>\n") && !said.contains("nil"));
    assert!(call(&appliance, appliance.ip(66), "get_images", &[]).await.contains("<array><data>\n</data></array>"));
    assert!(
        call(&appliance, appliance.ip(66), "get_system_as_rendered", &["nobody"]).await.contains("<struct>\n</struct>")
    );
    assert!(call(&appliance, appliance.ip(66), "get_system", &["nobody"]).await.contains("<string>~</string>"));
    let unfit = call(&appliance, appliance.ip(66), "get_system_as_rendered", &["web-2"]).await;
    assert!(is_fault(&unfit, "web-2 can not be installed as it is"), "it has no profile: {unfit}");
    for name in ["web-1", "web-1.lab.test"] {
        let said = call(&appliance, appliance.ip(66), "find_system_by_dns_name", &[name]).await;
        assert!(said.contains("<name>system_name</name><value><string>web-1</string>"), "{said}");
    }
    let by = object(&[("mac_address", text("52:54:00:77:00:0B"))]);
    assert!(call(&appliance, appliance.ip(66), "find_system", &[&by]).await.contains("web-2"));
    assert!(
        !call(&appliance, appliance.ip(66), "find_system", &[&object(&[("comment", text(""))])]).await.contains("web")
    );
}

#[tokio::test]
async fn a_machine_is_detected_by_its_cards_and_by_its_address() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    appliance.add_machine("web-2", 11).await;
    let url = appliance.url("/cblr/svc/op/autodetect");
    let said = async |from: u8, headers: &str| get(appliance.ip(from), &url, headers).await.text();
    assert_eq!(said(10, "").await, "web-1");
    let mac = |number: u8, last: &str| format!("X-RHN-Provisioning-MAC-{number}: eth0 52:54:00:77:00:{last}\r\n");
    assert_eq!(said(10, &mac(0, "0B")).await, "web-2", "a card says more than an address");
    assert!(said(66, "").await.starts_with("FAILED: no match"));
    assert_eq!(said(66, &(mac(0, "0a") + &mac(1, "0b"))).await, "FAILED: multiple matches");
    appliance.cli(&["machine", "arm", "web-1"]).await;
    assert_eq!(get(appliance.ip(10), &appliance.url("/cblr/svc/op/find_autoinstall"), "").await.status, 200);
}
