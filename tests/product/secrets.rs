//! Who gets what: answer files and keys reach one machine, once, and the API nobody without a right.

use crate::postgres::Fresh;
use crate::rig::{Appliance, Booted, CREDENTIAL, at_trace, get, key, logged, post, request};
use kickstand::engine::fresh_secret;
use serde_json::json;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_second_claimant_freezes_the_install_and_raises_an_alarm() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    installer.answer().await;
    let thief = get(appliance.ip(66), &installer.answer_url, "").await;
    assert_eq!(thief.status, 404);
    assert_eq!(appliance.state("web-1").await, "failed");
    assert!(appliance.told("alarm", "the install is frozen").await);
    assert_eq!(installer.fetch().await.status, 404);
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
}

#[tokio::test]
async fn a_boot_script_with_a_token_goes_only_to_the_leased_address() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let url = appliance.url("/boot/52-54-00-77-00-0a/script.ipxe");
    assert_eq!(get(appliance.ip(10), &url, "").await.status, 404, "before it has a lease");
    machine.installer().await;
    assert_eq!(get(appliance.ip(66), &url, "").await.status, 404, "from another address");
    assert!(appliance.told("alarm", "which is not its leased address").await);
}

#[tokio::test]
async fn answer_files_are_found_by_token_alone() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    machine.installer().await;
    let guesses = ["web-1", "52-54-00-77-00-0a", &appliance.ip(10).to_string(), &"0".repeat(64), ""];
    let mut bodies = Vec::new();
    for guess in guesses {
        let answer = get(appliance.ip(10), &appliance.url(&format!("/answer/{guess}")), "").await;
        assert_eq!(answer.status, 404, "{guess}");
        bodies.push(answer.body);
    }
    bodies.truncate(4);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "all alike");
}

/// One in each place that may hold a secret: nobody can mistake it for anything else.
fn canary(place: &str) -> String {
    format!("canary-{place}-{}", hex::encode(&fresh_secret().unwrap().expose().as_bytes()[..8]))
}

/// What everybody can see who may read the API, and a thief of the disk.
async fn everything(appliance: &Appliance, bearer: &str) -> String {
    let mut seen = String::new();
    for noun in ["network", "range", "distro", "profile", "key", "machine", "lease", "sighting", "token"] {
        seen += &appliance.cli(&["--output", "json", noun, "list"]).await;
        seen += &appliance.cli(&[noun, "list"]).await;
    }
    for (noun, name) in [("network", "lab"), ("range", "web-rack"), ("distro", "debian-12"), ("profile", "web")] {
        seen += &appliance.cli(&[noun, "show", name]).await;
    }
    for machine in ["web-1", "web-2"] {
        seen += &appliance.cli(&["machine", "show", machine]).await;
        seen += &appliance.cli(&["machine", "vars", machine, "--all"]).await;
        seen += &appliance.cli(&["--output", "json", "machine", "vars", machine]).await;
    }
    let revisions = appliance.json(&["revision", "list", "--limit", "1000"]).await;
    let revisions = revisions.as_array().unwrap().iter().map(|line| line["revision"].to_string());
    for number in revisions {
        seen += &appliance.cli(&["revision", "show", &number]).await;
        seen += &appliance.cli(&["--output", "json", "revision", "show", &number]).await;
    }
    seen += &appliance.cli(&["--output", "json", "rollback", "0", "--dry-run"]).await;
    seen += &appliance.cli(&["why", "52:54:00:77:00:0a"]).await;
    seen += &appliance.cli(&["--output", "json", "events", "--limit", "500"]).await;
    seen += &get(appliance.ip(66), &appliance.url("/metrics"), bearer).await.text();
    seen += &on_disk(appliance);
    seen + &logged()
}

/// What is told of changes before they are made, and of an install on paper, here and in a rehearsal.
async fn compared(appliance: &Appliance, bearer: &str, body: &str) -> String {
    let mut seen = String::new();
    let ask = async |method: &str, path: &str, body: serde_json::Value| {
        let url = appliance.url(&format!("/api/v1/{path}"));
        let answer = request(appliance.ip(66), method, &url, bearer, body.to_string().as_bytes()).await;
        format!("{path}: {}\n{}", answer.status, answer.text())
    };
    let answers = ask("GET", "machines/web-1/answers", json!(null)).await;
    assert!(answers.contains("«db_password»") && answers.contains("«bmc_password»"), "{answers}");
    seen += &answers;
    let name = "templates/image/install.sh";
    for version in ["a", "b"] {
        let text = format!("{body}# {version} {{{{ root_password_hash }}}}\n");
        let diff = ask("POST", &format!("templates/diff/{name}"), json!({ "text": text })).await;
        assert!(diff.contains("# a") || diff.contains("# b"), "{diff}");
        seen += &diff;
    }
    let other = json!({ "variables": { "disk": "/dev/vdz" }, "secrets": { "s_profile": "another" } });
    for (noun, name) in [("profiles", "web"), ("networks", "lab"), ("ranges", "web-rack"), ("distros", "debian-12")] {
        seen += &ask("PATCH", &format!("diff/{noun}/{name}"), other.clone()).await;
    }
    seen += &ask("DELETE", "diff/machines/web-1", json!(null)).await;
    seen += &ask("GET", &format!("templates/history/{name}"), json!(null)).await;
    seen += &ask("GET", "why/web-1?armed=true", json!(null)).await;
    let played = crate::rehearsals::try_rehearse(appliance, &[]).await;
    assert!(String::from_utf8_lossy(&played.stdout).contains("outcomes"), "{played:?}");
    for output in [played.stdout, played.stderr] {
        seen += &String::from_utf8_lossy(&output);
    }
    let packets = appliance.try_cli(&["capture", "web-1"]).await.stdout;
    assert!(packets.len() > 300, "an export of packets");
    seen + &String::from_utf8_lossy(&packets)
}

/// All the way back and forth again, and what is said of it.
async fn rolled_back(appliance: &Appliance) -> String {
    let newest = appliance.json(&["revision", "list", "--limit", "1"]).await[0]["revision"].to_string();
    let mut seen = String::new();
    for to in ["3", &newest] {
        seen += &appliance.cli(&["--output", "json", "rollback", to, "--dry-run"]).await;
        seen += &appliance.cli(&["--output", "json", "rollback", to, "--yes"]).await;
    }
    seen += &appliance.cli(&["revision", "list"]).await;
    seen + &on_disk(appliance)
}

/// The database, its log, and whatever else lies there: but the key, and what the test put there itself.
fn on_disk(appliance: &Appliance) -> String {
    let files = std::fs::read_dir(appliance.folder.path()).unwrap().flatten().map(|file| file.path());
    let files = files.filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "key" && end != "csv"));
    files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
}

#[tokio::test]
async fn no_canary_is_found_but_where_it_belongs() {
    at_trace();
    let mut appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let mut canaries = BTreeMap::new();
    canaries.insert("defaults".to_owned(), canary("defaults"));
    let defaults = include_str!("../../templates/image/defaults.toml");
    let line = format!("\ndefault_password = {:?}\n", canaries["defaults"]);
    std::fs::write(appliance.template("image/defaults.toml"), defaults.to_owned() + &line).unwrap();
    let records = [("distro", "debian-12"), ("profile", "web"), ("network", "lab"), ("range", "web-rack")];
    for (noun, name) in records.into_iter().chain([("machine", "web-1")]) {
        let canary = canaries.entry(format!("secret of the {noun}")).or_insert(canary(noun));
        appliance.cli(&[noun, "set", name, "--secret", &format!("s_{noun}={canary}")]).await;
    }
    for (name, at) in [("root_password_hash", "machine"), ("bmc_password", "machine"), ("db_password", "profile")] {
        let canary = canaries.entry(name.to_owned()).or_insert(canary(name));
        let record = if at == "machine" { "web-1" } else { "web" };
        appliance.cli(&[at, "set", record, "--var", &format!("{name}={canary}")]).await;
    }
    let (by_secret, by_name) = (canary("csv"), canary("csv-name"));
    let csv = format!(
        "name,mac,ip,secret.s_csv,var.c_token\nweb-2,52:54:00:77:00:0b,{},{by_secret},{by_name}\n",
        appliance.ip(11)
    );
    std::fs::write(appliance.folder.path().join("m.csv"), csv).unwrap();
    appliance.cli(&["machine", "add", "--csv", &appliance.folder.path().join("m.csv").display().to_string()]).await;
    canaries.extend([("CSV, secret".into(), by_secret), ("CSV, by name".into(), by_name)]);

    let names = ["distro", "profile", "network", "range", "machine"].map(|noun| format!("{{{{ s_{noun}|shq }}}} "));
    let shipped = include_str!("../../templates/image/install.sh");
    let own = appliance.template("image/install.sh");
    for bad in ["{% include s_machine %}", "{{ s_profile.nope }}", "{{ (db_password ~ '\n')|line }}"] {
        std::fs::write(&own, bad).unwrap();
        let said = appliance.refused(&["machine", "arm", "web-1"]).await;
        assert!(!said.contains("canary-"), "{bad}: {said}");
    }
    let snippet = "# {{ db_password }} {{ bmc_password }} {{ default_password }}\n";
    std::fs::write(appliance.template("snippets/site.sh"), snippet).unwrap();
    let body = format!("{shipped}# {}\n{{% include \"snippets/site.sh\" %}}\n", names.concat());
    std::fs::write(&own, &body).unwrap();
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let why = appliance.cli(&["why", "52:54:00:77:00:0a"]).await;
    assert!(why.contains("templates/image/install.sh, for distro debian-12") && !why.contains("canary-"), "{why}");

    let api = appliance.json(&["token", "add", "ci"]).await["token"].as_str().unwrap().to_owned();
    let bearer = format!("Authorization: Bearer {api}\r\n");
    let installer = machine.installer().await;
    assert!(!installer.script.contains("canary-"));
    let answer = installer.answer().await;
    let here = |canary: &&String| answer.contains(canary.as_str());
    assert_eq!(canaries.values().filter(here).count(), canaries.len() - 2, "they belong into the answer file");
    let report = answer.split("/report/").nth(1).unwrap()[..64].to_owned();
    for stage in [json!({"stage": "started"}), json!({"stage": "done"})] {
        installer.report(&answer, stage).await;
    }
    assert_eq!(machine.register(&installer, &key(&answer)).await.status, 200);
    let token = installer.answer_url.rsplit('/').next().unwrap().to_owned();
    let made = [("token", token), ("report token", report), ("key", key(&answer)), ("API token", api)];
    canaries.extend(made.map(|(what, secret)| (what.to_owned(), secret)));
    canaries.insert("credential".into(), CREDENTIAL.repeat(32));

    let mut seen = everything(&appliance, &bearer).await;
    seen += &compared(&appliance, &bearer, &body).await;
    seen += &rolled_back(&appliance).await;
    assert!(seen.contains("answer file of web-1 given to") && seen.contains("kickstand_"), "the net is cast");
    assert!(logged().contains("TRACE") || logged().contains("DEBUG"), "the log is at its finest");
    appliance.running.take().unwrap().stop().await;
    seen += &on_disk(&appliance);
    seen += &logged();
    for (what, secret) in canaries {
        assert!(secret.len() >= 24, "{what}");
        assert!(!seen.contains(&secret), "the {what} is found in clear");
        assert!(!seen.contains(&hex::encode(&secret)), "the {what} is found in hexadecimal");
    }
}

#[tokio::test]
async fn the_api_on_tcp_answers_nothing_without_a_token() {
    let appliance = Appliance::start().await;
    let (from, url) = (appliance.ip(66), appliance.url("/api/v1/machines"));
    assert_eq!(get(from, &url, "").await.status, 401);
    assert_eq!(get(from, &url, "Authorization: Bearer 00\r\n").await.status, 401);
    let made = appliance.json(&["token", "add", "ci"]).await;
    let bearer = format!("Authorization: Bearer {}\r\n", made["token"].as_str().unwrap());
    assert_eq!(get(from, &url, &bearer).await.status, 200);
    appliance.cli(&["token", "remove", "ci"]).await;
    assert_eq!(get(from, &url, &bearer).await.status, 401);
}

#[tokio::test]
async fn an_earlier_boots_key_opens_nothing_before_or_after() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let first = key(&machine.installer().await.answer().await);
    let installer = machine.installer().await;
    let second = installer.install().await;
    assert_eq!(machine.register_as(&installer, &first, &"aa".repeat(32)).await.status, 403);
    assert_eq!(machine.register(&installer, &second).await.status, 200);
    assert_eq!(machine.register_as(&installer, &first, &"aa".repeat(32)).await.status, 403);
    assert_eq!(appliance.json(&["key", "show", "web"]).await["used"], 1);
}

#[tokio::test]
async fn to_look_is_not_to_take() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let head = request(installer.ip, "HEAD", &installer.answer_url, "", b"").await;
    assert_eq!((head.status, appliance.state("web-1").await.as_str()), (405, "armed"));
    assert_eq!(installer.fetch().await.status, 200);
}

/// Of a hundred who come at once with a key that is good once: how many were taken, at these doors in turn.
async fn taken(installer: &crate::rig::Installer, key: &str, doors: &[String]) -> usize {
    let body = |i: u8| json!({"key": key, "credential": format!("{i:02x}").repeat(32), "inventory": {}});
    let bodies: Vec<_> = (0..100).map(body).collect();
    let urls: Vec<_> = doors.iter().map(|door| format!("{door}/agent/register")).collect();
    let all = bodies.iter().zip(urls.iter().cycle()).map(|(body, url)| post(installer.ip, url, "", body));
    let statuses: Vec<u16> = futures_util::future::join_all(all).await.iter().map(|a| a.status).collect();
    assert!(statuses.iter().all(|status| matches!(status, 200 | 403)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_registrations_with_one_key_one_succeeds() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    assert_eq!(taken(&installer, &key, std::slice::from_ref(&installer.server)).await, 1);
    assert_eq!(appliance.json(&["key", "show", "web"]).await["used"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_two_servers_of_one_database_one_succeeds_as_well() {
    let database = Fresh::make().await;
    let one = Appliance::start_with(|config| config.database = database.url()).await;
    let two = Appliance::with_database(Some(&database.url())).await;
    let mut machine = one.add_machine("web-1", 10).await;
    one.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    let doors = [installer.server.clone(), two.url("")];
    assert_eq!(taken(&installer, &key, &doors).await, 1);
    assert_eq!(one.json(&["key", "show", "web"]).await["used"], 1);
    drop((one, two));
    database.drop().await;
}
