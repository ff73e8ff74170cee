//! What clients of Cobbler are told and given, and what nobody is.

use crate::rig::{Answer, Appliance, get, key, request};
use kickstand::config::{Cobbler, Config};
use serde_json::json;
use std::net::Ipv4Addr;

/// Everything of it.
fn open(config: &mut Config) {
    let logs = Some(config.files.with_file_name("logs"));
    config.cobbler = Cobbler { serve: true, register: true, logs };
}

async fn post_xml(appliance: &Appliance, from: Ipv4Addr, body: &[u8]) -> Answer {
    request(from, "POST", &appliance.url("/cobbler_api"), "Content-Type: text/xml\r\n", body).await
}

/// A call; each parameter as the inside of a value.
async fn call(appliance: &Appliance, from: Ipv4Addr, method: &str, params: &[&str]) -> String {
    let params: String = params.iter().map(|value| format!("<param><value>{value}</value></param>")).collect();
    let body = format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    );
    let answer = post_xml(appliance, from, body.as_bytes()).await;
    assert_eq!(answer.status, 200, "{method}: {}", answer.text());
    dechunked(&answer)
}

/// The body, also of an answer that came in pieces.
fn dechunked(answer: &Answer) -> String {
    if !answer.head.to_lowercase().contains("transfer-encoding: chunked") {
        return answer.text();
    }
    let (mut rest, mut whole) = (answer.text(), String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        whole += &after[..size];
        rest = after[size..].trim_start_matches("\r\n").to_owned();
        if size == 0 {
            break;
        }
    }
    whole
}

fn text(value: &str) -> String {
    format!("<string>{value}</string>")
}

fn object(members: &[(&str, String)]) -> String {
    let members =
        members.iter().map(|(name, value)| format!("<member><name>{name}</name><value>{value}</value></member>"));
    format!("<struct>{}</struct>", members.collect::<String>())
}

fn card(mac: &str, ip: &str) -> String {
    object(&[
        ("mac_address", text(mac)),
        ("ip_address", text(ip)),
        ("netmask", text("?")),
        ("bridge", "<int>0</int>".into()),
    ])
}

fn is_fault(answer: &str, said: &str) -> bool {
    answer.contains("<fault>") && answer.contains("<name>faultCode</name><value><int>1</int>") && answer.contains(said)
}

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
    appliance.add_machine("web-1", 10).await;
    let said = async |from: u8, path: &str| {
        get(appliance.ip(from), &appliance.url(&format!("/cblr/svc/op/{path}")), "").await.text()
    };
    let done = "trig/mode/post/system/web-1";
    for path in ["nopxe/system/web-1", done, "nopxe/system/nobody"] {
        assert_eq!(said(10, path).await, "False", "{path}: not armed");
    }
    appliance.cli(&["machine", "arm", "web-1"]).await;
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

#[tokio::test]
async fn files_come_by_cobblers_names_and_no_path_leads_out() {
    let appliance = Appliance::start_with(open).await;
    std::fs::create_dir_all(appliance.config.files.join("d/tree/images")).unwrap();
    std::fs::write(appliance.config.files.join("d/tree/images/a"), "inside").unwrap();
    std::fs::write(appliance.folder.path().join("secret.txt"), "outside").unwrap();
    appliance.cli(&["distro", "set", "debian-12", "--var", "tree=d/tree"]).await;
    let fetched = async |path: &str| get(appliance.ip(66), &appliance.url(path), "").await;
    for path in ["/cobbler/images/debian-12/vmlinuz", "/images/debian-12/vmlinuz"] {
        assert_eq!(fetched(path).await.body.len(), 70_000, "{path}");
    }
    for path in [
        "/cblr/links/debian-12/images/a",
        "/cobbler/links/debian-12/images/a",
        "/cobbler/distro_mirror/debian-12/images/a",
    ] {
        assert_eq!(fetched(path).await.text(), "inside", "{path}");
    }
    for path in [
        "/cobbler/images/debian-12/root.tar.zst",
        "/cobbler/images/nobody/vmlinuz",
        "/cobbler/images/..%2f..%2fkickstand.db/vmlinuz",
        "/cobbler/images/debian-12/..%2fvmlinuz",
        "/cblr/links/debian-12/../../../secret.txt",
        "/cblr/links/debian-12/..%2f..%2f..%2fsecret.txt",
        "/cblr/links/debian-12/%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "/cblr/links/debian-12/images/%00",
        "/cblr/links/debian-12//etc/passwd",
        "/cblr/links/debian-12/",
        "/cblr/svc/op/template/system/..%2f..%2f/path/_etc_passwd",
        "/cblr/svc/op/script/system/web-1/?script=/etc/passwd",
        "/cblr/svc/op/debug/profile/web",
        "/cblr/svc/op/index",
        "/cobbler/misc/anamon",
    ] {
        let answer = fetched(path).await;
        assert!(matches!(answer.status, 404 | 400), "{path}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("outside") && !answer.text().contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn templated_files_are_for_the_machines_own_address() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    set_template(&appliance, "I am {{ machine.name }}\n").await;
    let files = r#"template_files={"motd.txt":"/etc/my_motd"}"#;
    appliance.cli(&["profile", "set", "web", "--var", files]).await;
    let url = |path: &str| appliance.url(&format!("/cblr/svc/op/template/system/web-1/path/{path}"));
    assert_eq!(get(appliance.ip(10), &url("_etc_my__motd"), "").await.text(), "I am web-1\n");
    assert_eq!(get(appliance.ip(11), &url("_etc_my__motd"), "").await.status, 404);
    assert_eq!(get(appliance.ip(10), &url("_etc_passwd"), "").await.status, 404);
    let said = call(&appliance, appliance.ip(66), "get_system_as_rendered", &["web-1"]).await;
    assert!(said.contains("<string>motd.txt=/etc/my_motd </string>"), "{said}");
}

/// The operator's `motd.txt`.
async fn set_template(appliance: &Appliance, text: &str) {
    let file = appliance.folder.path().join("motd");
    std::fs::write(&file, text).unwrap();
    appliance.cli(&["template", "set", "motd.txt", file.to_str().unwrap()]).await;
}

fn announced(name: &str, profile: &str, cards: &[(&str, String)]) -> String {
    object(&[("name", text(name)), ("profile", text(profile)), ("hostname", text("")), ("interfaces", object(cards))])
}

#[tokio::test]
async fn a_system_that_announces_itself_is_discovered_and_boots_nothing() {
    let appliance = Appliance::start_with(open).await;
    let from = appliance.ip(20);
    let cards = [
        ("lo", card("?", "?")),
        ("eth0", card("52:54:00:aa:00:01", &from.to_string())),
        ("eth1", card("52:54:00:aa:00:02", &appliance.ip(1).to_string())),
    ];
    let said = call(&appliance, from, "register_new_system", &[&announced("Web-9.lab", "web", &cards)]).await;
    assert!(said.contains("<int>0</int>") && !said.contains("fault"), "{said}");
    let record = appliance.json(&["machine", "show", "web-9.lab"]).await;
    assert_eq!(
        (&record["state"], &record["profile"], &record["key"]),
        (&json!("discovered"), &json!("web"), &json!(null))
    );
    assert_eq!(record["interfaces"][0]["ip"], json!(from), "the address that it speaks from");
    assert_eq!(record["interfaces"][1]["ip"], json!(null), "not one that it claims");
    let rendered = call(&appliance, from, "get_system_as_rendered", &["web-9.lab"]).await;
    assert!(rendered.contains("<name>netboot_enabled</name><value><boolean>0</boolean>"), "{rendered}");
    assert!(appliance.told("state", "web-9.lab announced itself and is discovered").await);
}

#[tokio::test]
async fn an_announcement_that_can_not_be_is_refused_in_cobblers_words() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    let eth0 = |mac: &str, ip: &str| [("eth0", card(mac, ip))];
    let many: Vec<_> = (0..64).map(|n| (format!("eth{n}"), card(&format!("52:54:00:bb:00:{n:02x}"), "?"))).collect();
    let many: Vec<_> = many.iter().map(|(name, card)| (name.as_str(), card.clone())).collect();
    let own = appliance.ip(10).to_string();
    for (what, said) in [
        (announced("", "web", &eth0("52:54:00:aa:00:01", "?")), "no system name submitted"),
        (announced("a", "", &eth0("52:54:00:aa:00:01", "?")), "profile not submitted"),
        (announced("a", "web", &[]), "no interfaces submitted"),
        (announced("a", "web", &[("lo", card("?", "?"))]), "no interfaces submitted"),
        (announced("a", "web", &many), "too many interfaces submitted"),
        (announced("web-1", "web", &eth0("52:54:00:aa:00:01", "?")), "system name conflicts"),
        (announced("a", "web", &eth0("52:54:00:aa:00:01", "10.0.0.1/8")), "no CIDR ips are allowed"),
        (announced("a", "web", &eth0("", "?")), "missing MAC address for interface eth0"),
        (announced("a", "web", &eth0("52:54:00:77:00:0a", "?")), "mac conflict: 52:54:00:77:00:0a"),
        (announced("a", "web", &eth0("52:54:00:aa:00:01", &own)), "ip conflict: "),
        (announced("a", "nobody", &eth0("52:54:00:aa:00:01", "?")), "there is no profile nobody"),
        (announced("../a", "web", &eth0("52:54:00:aa:00:01", "?")), "not a name"),
        (announced("a", "web", &eth0("not-a-mac", "?")), "not a MAC"),
        ("<string>a</string>".into(), "no system name submitted"),
    ] {
        let answer = call(&appliance, appliance.ip(20), "register_new_system", &[&what]).await;
        assert!(is_fault(&answer, "&lt;class 'cobbler.cexceptions.CX'&gt;:'"), "{answer}");
        assert!(answer.contains(said) || said.starts_with("not a"), "{said}: {answer}");
    }
    assert_eq!(appliance.json(&["machine", "list"]).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn registration_is_a_switch_of_its_own() {
    let appliance = Appliance::start_with(|config| config.cobbler.serve = true).await;
    let said = announced("a", "web", &[("eth0", card("52:54:00:aa:00:01", "?"))]);
    let answer = call(&appliance, appliance.ip(20), "register_new_system", &[&said]).await;
    assert!(is_fault(&answer, "registration is disabled in cobbler settings"), "{answer}");
}

fn piece(machine: &str, file: &str, size: i64, offset: i64, data: &str) -> [String; 5] {
    let int = |number| format!("<int>{number}</int>");
    [text(machine), text(file), int(size), int(offset), format!("<base64>{data}</base64>")]
}

async fn upload(appliance: &Appliance, from: u8, piece: [String; 5]) -> bool {
    let params = piece.each_ref().map(String::as_str);
    call(appliance, appliance.ip(from), "upload_log_data", &params).await.contains("<boolean>1</boolean>")
}

#[tokio::test]
async fn logs_are_taken_from_the_machine_that_installs_alone() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    let first = || piece("web-1", "anaconda.log", 3, 0, "YWJj");
    assert!(!upload(&appliance, 10, first()).await, "not armed");
    appliance.cli(&["machine", "arm", "web-1"]).await;
    get(appliance.ip(10), &appliance.url("/cblr/svc/op/autoinstall/system/web-1"), "").await;
    assert!(!upload(&appliance, 11, first()).await, "from elsewhere");
    assert!(upload(&appliance, 10, first()).await);
    assert!(upload(&appliance, 10, piece("web-1", "anaconda.log", 6, -1, "ZGVm")).await);
    assert!(upload(&appliance, 10, piece("web-1", "tmp+install.log", 3, 0, "YWJj")).await);
    let folder = appliance.folder.path().join("logs");
    assert_eq!(std::fs::read_to_string(folder.join("web-1/anaconda.log")).unwrap(), "abcdef");
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &str| std::fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("web-1"), mode("web-1/anaconda.log")), (0o700, 0o600));
    assert!(appliance.told("file", "log anaconda.log, 6 bytes so far").await);
}

#[tokio::test]
async fn a_call_is_xml_and_so_large() {
    let appliance = Appliance::start_with(open).await;
    let ping = b"<methodCall><methodName>ping</methodName></methodCall>";
    let url = appliance.url("/cobbler_api");
    let form = request(appliance.ip(66), "POST", &url, "Content-Type: text/plain\r\n", ping).await;
    assert_eq!(form.status, 400, "what a page of another site can send");
    assert!(post_xml(&appliance, appliance.ip(66), ping).await.text().contains("<boolean>1</boolean>"));
    assert_eq!(get(appliance.ip(66), &url, "").await.status, 405);
    let large = [&b"<methodCall><methodName>"[..], &vec![b'x'; 600 * 1024]].concat();
    assert!(matches!(post_xml(&appliance, appliance.ip(66), &large).await.status, 400 | 413));
    for hostile in [
        &b""[..],
        b"\xff\xfe<methodCall/>",
        b"<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><methodCall><methodName>&x;</methodName></methodCall>",
        b"<methodCall><methodName>ping",
        b"{}",
    ] {
        let answer = post_xml(&appliance, appliance.ip(66), hostile).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.text().contains("root:"));
    }
}

#[tokio::test]
async fn a_call_in_chunks_is_a_call() {
    let appliance = Appliance::start_with(open).await;
    let mut talk = crate::rig::Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
    talk.say("POST /cobbler_api HTTP/1.1\r\nHost: k\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await;
    for part in ["<methodCall><method", "Name>ping</methodName>", "</methodCall>"] {
        talk.say(&format!("{:x}\r\n{part}\r\n", part.len())).await;
    }
    talk.say("0\r\n\r\n").await;
    let answer = talk.hear(false).await;
    assert!(answer.status == 200 && answer.text().contains("<boolean>1</boolean>"), "{}", answer.text());
}

/// get_shared_secret() gave -1 where it failed, and login took -1 for the password of "".
#[tokio::test]
async fn cve_2024_47533_no_user_and_no_password_logs_in() {
    let appliance = Appliance::start_with(open).await;
    for (user, password) in [
        (text(""), "<int>-1</int>".to_owned()),
        (text(""), text("-1")),
        (text(""), text("")),
        (text("cobbler"), text("cobbler")),
        (text("testing"), text("testing")),
        ("<nil/>".into(), "<nil/>".into()),
        ("<boolean>1</boolean>".into(), "<boolean>1</boolean>".into()),
    ] {
        let answer = call(&appliance, appliance.ip(66), "login", &[&user, &password]).await;
        assert!(is_fault(&answer, "login failed"), "{user} {password}: {answer}");
    }
    assert!(call(&appliance, appliance.ip(66), "token_check", &["x"]).await.contains("<boolean>0</boolean>"));
}

/// The name of a script was a path to a template, which ran as Python.
#[tokio::test]
async fn cve_2021_40323_no_template_is_chosen_by_a_caller() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    for path in ["/etc/passwd", "../../../etc/passwd", "/var/log/cobbler/cobbler.log", "{{ 7*7 }}"] {
        for params in [["", "web-1", path], ["web", "", path]] {
            let answer = call(&appliance, appliance.ip(10), "generate_script", &params).await;
            assert!(is_fault(&answer, "is not supported") && !answer.contains("root:"), "{answer}");
        }
        let answer = call(&appliance, appliance.ip(10), "get_template_file_for_system", &["web-1", path]).await;
        assert!(answer.contains("# object not found"), "{answer}");
    }
}

/// The name of a log, and of its system, was a path that was written to.
#[tokio::test]
async fn cve_2021_40324_no_file_is_written_but_a_log_of_the_machine() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    get(appliance.ip(10), &appliance.url("/cblr/svc/op/autoinstall/system/web-1"), "").await;
    for (machine, file) in [
        ("web-1", "../../../../../../tmp/kickstand-cve"),
        ("web-1", "../evil"),
        ("web-1", "/tmp/kickstand-cve"),
        ("web-1", ".."),
        ("web-1", ""),
        ("web-1", "a/b"),
        ("..", "evil"),
        ("../logs", "evil"),
        ("/tmp", "kickstand-cve"),
        ("", "evil"),
    ] {
        assert!(!upload(&appliance, 10, piece(machine, file, 3, 0, "YWJj")).await, "{machine} {file}");
    }
    assert!(!appliance.folder.path().join("evil").exists() && !std::path::Path::new("/tmp/kickstand-cve").exists());
    assert!(!appliance.folder.path().join("logs/evil").exists());
}

/// Settings were changed by anybody: the token was not looked at.
#[tokio::test]
async fn cve_2021_40325_settings_are_changed_by_nobody() {
    let appliance = Appliance::start_with(open).await;
    let before = call(&appliance, appliance.ip(66), "get_settings", &[]).await;
    for token in ["", "~", "x"] {
        let answer = call(&appliance, appliance.ip(66), "modify_setting", &["register_new_installs", "0", token]).await;
        assert!(is_fault(&answer, "invalid token"), "{answer}");
    }
    assert_eq!(call(&appliance, appliance.ip(66), "get_settings", &[]).await, before);
}

/// Accounts that had expired still logged in by PAM. Here there are none to log in with.
#[tokio::test]
async fn cve_2022_0860_no_account_of_the_host_logs_in() {
    let appliance = Appliance::start_with(open).await;
    for user in ["root", "nobody", "daemon", "kickstand"] {
        for password in ["", "root", "!", "*", "x"] {
            let answer = call(&appliance, appliance.ip(66), "login", &[user, password]).await;
            assert!(is_fault(&answer, "login failed"), "{answer}");
        }
    }
}

/// Methods that change something asked for no token, or took any.
#[tokio::test]
async fn cve_2018_1000226_nothing_is_changed_by_xml_rpc() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    let before = appliance.json(&["revision", "list"]).await;
    for method in [
        "new_system",
        "new_distro",
        "new_profile",
        "modify_system",
        "modify_item",
        "save_system",
        "save_item",
        "remove_system",
        "remove_item",
        "rename_system",
        "copy_profile",
        "sync",
        "sync_dhcp",
        "power_system",
        "background_sync",
        "background_power_system",
        "xapi_object_edit",
        "write_autoinstall_template",
        "write_autoinstall_snippet",
        "remove_autoinstall_template",
        "read_autoinstall_template",
        "read_autoinstall_snippet",
        "get_system_handle",
        "get_user_from_token",
        "clear_system_logs",
        "auto_add_repos",
        "modify_setting",
        "get_autoinstall_templates",
    ] {
        for token in ["", "~", "web-1"] {
            let answer = call(&appliance, appliance.ip(66), method, &["web-1", token, token]).await;
            assert!(is_fault(&answer, "invalid token"), "{method}: {answer}");
        }
    }
    assert_eq!(appliance.json(&["revision", "list"]).await, before);
}

/// Methods that were meant to be private could be called.
#[tokio::test]
async fn cve_2018_10931_no_private_method_can_be_called() {
    let appliance = Appliance::start_with(open).await;
    for method in [
        "_log",
        "__init__",
        "_new_event",
        "__upload_file",
        "_CobblerXMLRPCInterface__make_token",
        "__dict__",
        "_dispatch",
        "system.listMethods",
        "system.multicall",
        "__class__.__init__",
        "logger.error",
        "api.settings",
        "token_cache",
        "eval",
    ] {
        for params in [&[][..], &["x"], &["x", "y", "z"]] {
            let answer = call(&appliance, appliance.ip(66), method, params).await;
            assert!(is_fault(&answer, "is not supported"), "{method}: {answer}");
        }
    }
}

#[tokio::test]
async fn who_starts_an_installer_unarmed_is_told_early() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    get(appliance.ip(10), &appliance.url("/cobbler/images/debian-12/vmlinuz"), "").await;
    assert!(appliance.told("refused", "it will be refused its answer file").await);
}
