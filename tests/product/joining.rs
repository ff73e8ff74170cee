//! Systems that run already: they join with keys, return to their records, and leave.

use crate::postgres::Fresh;
use crate::rig::{Answer, Appliance, post};
use kickstand::config::Https;
use kickstand_agent::check_in;
use kickstand_agent::join::{self, Wish};
use kickstand_agent::register::Places;
use kickstand_agent::retry::Patience;
use kickstand_agent::wire::{Interface, Inventory};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// What a system with these real cards brings, beside a bridge that every one of them has.
fn inventory(hostname: &str, cards: &[&str]) -> Value {
    let card = |mac: &&str| json!({"name": "eth0", "mac": mac, "addresses": [], "physical": true});
    let mut interfaces: Vec<Value> = cards.iter().map(card).collect();
    let bridge =
        json!({"name": "docker0", "mac": "02:42:00:00:00:01", "addresses": ["172.17.0.1/16"], "physical": false});
    interfaces.push(bridge);
    json!({"hostname": hostname, "os": "Debian GNU/Linux 12", "interfaces": interfaces})
}

struct System<'a> {
    appliance: &'a Appliance,
    from: Ipv4Addr,
    credential: String,
    inventory: Value,
}

impl System<'_> {
    fn new<'a>(appliance: &'a Appliance, number: u8, hostname: &str, cards: &[&str]) -> System<'a> {
        let (from, credential) = (appliance.ip(number), format!("{number:02x}").repeat(32));
        System { appliance, from, credential, inventory: inventory(hostname, cards) }
    }

    async fn joins(&self, keys: &str) -> Answer {
        let body = json!({"key": keys, "credential": self.credential, "inventory": self.inventory});
        post(self.from, &self.appliance.url("/agent/register"), "", &body).await
    }

    async fn named(&self, name: &str, keys: &str) -> Answer {
        let body = json!({"key": keys, "credential": self.credential, "inventory": self.inventory, "name": name});
        post(self.from, &self.appliance.url("/agent/register"), "", &body).await
    }

    async fn leaves(&self) -> u16 {
        let head = format!("Authorization: Bearer {}\r\n", self.credential);
        post(self.from, &self.appliance.url("/agent/unregister"), &head, &json!({})).await.status
    }
}

fn identity(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

async fn secret(appliance: &Appliance, args: &[&str]) -> String {
    appliance.cli(args).await.trim().to_owned()
}

async fn used(appliance: &Appliance, name: &str) -> Value {
    appliance.json(&["key", "show", name]).await["used"].clone()
}

/// On either database.
async fn the_story(appliance: &Appliance) {
    let add = |args: &'static [&'static str]| async move { appliance.cli(args).await };
    add(&["key", "add", "base", "--group", "all", "--package", "vim", "--package", "chrony"]).await;
    add(&[
        "key",
        "add",
        "db",
        "--group",
        "db",
        "--group",
        "all",
        "--package",
        "postgresql",
        "--package",
        "vim",
        "--limit",
        "2",
        "--profile",
        "web",
    ])
    .await;
    let db1 = System::new(appliance, 60, "db1", &["52:54:00:00:06:00", "52:54:00:00:06:01"]);

    // Without a secret a key is a rule: nobody comes in from outside.
    for wrong in ["base", "base.00", "db.", "nobody.00", &format!("base.{}", "0".repeat(64))] {
        assert_eq!(db1.joins(wrong).await.status, 403, "{wrong}");
    }
    let (base, db) =
        (secret(appliance, &["key", "join", "base"]).await, secret(appliance, &["key", "join", "db"]).await);
    assert!(base.starts_with("base.") && base.len() == "base.".len() + 64, "{base}");
    let half = db1.joins(&format!("{base},db.{}", "0".repeat(64))).await;
    assert!(
        half.status == 403 && half.text().contains("opens nothing"),
        "one wrong secret spoils all: {}",
        half.text()
    );
    assert!(appliance.told("refused", "activation key db came with a wrong secret").await);

    // In, with all that the stack brings.
    let stack = format!("{base},{db}");
    let me = identity(&db1.joins(&stack).await);
    assert_eq!((&me["name"], &me["packages"]), (&json!("db1"), &json!(["vim", "chrony", "postgresql"])));
    let record = appliance.json(&["machine", "show", "db1"]).await;
    assert_eq!((&record["id"], &record["state"]), (&me["system_id"], &json!("registered")));
    assert_eq!((&record["groups"], &record["joined"]), (&json!(["all", "db"]), &json!(["base", "db"])));
    assert_eq!((&record["profile"], &record["interfaces"].as_array().unwrap().len()), (&json!("web"), &2));
    assert!(appliance.told("registered", "db1 joined as a new machine").await);

    // An answer that was lost is given again, and counts nothing.
    assert_eq!(identity(&db1.joins(&stack).await), me);
    assert_eq!((used(appliance, "base").await, used(appliance, "db").await), (json!(1), json!(1)));

    // Another system with the same card is none of ours.
    let twin = System::new(appliance, 61, "twin", &["52:54:00:00:06:01"]);
    let answer = twin.joins(&stack).await;
    assert!(answer.status == 403 && answer.text().contains("kickstand key reactivate db1"), "{}", answer.text());
    assert!(appliance.told("alarm", "db1 is registered already").await);
    assert_eq!(used(appliance, "db").await, 1);

    // A record that waits for its system; a card of another makes it nobody's.
    appliance.add_machine("web-7", 70).await;
    let mac = appliance.json(&["machine", "show", "web-7"]).await["interfaces"][0]["mac"].as_str().unwrap().to_owned();
    let both = System::new(appliance, 62, "both", &[&mac, "52:54:00:00:06:00"]);
    assert!(both.joins(&base).await.text().contains("in two records"));
    let web7 = System::new(appliance, 70, "other-name", &[&mac]);
    assert_eq!(identity(&web7.joins(&base).await)["name"], "web-7");
    assert_eq!(appliance.state("web-7").await, "registered");

    // The limit holds; who leaves makes room, and its record stays.
    let third = System::new(appliance, 63, "db1", &["52:54:00:00:06:03"]);
    assert_eq!(identity(&third.joins(&db).await)["name"], "52-54-00-00-06-03", "the name is taken");
    let fourth = System::new(appliance, 64, "db4", &["52:54:00:00:06:04"]);
    let answer = fourth.joins(&db).await;
    assert!(answer.status == 403 && answer.text().contains("has been used 2 of 2 times"), "{}", answer.text());
    assert_eq!(third.leaves().await, 204);
    assert_eq!((third.leaves().await, used(appliance, "db").await), (401, json!(1)));
    assert_eq!(appliance.state("52-54-00-00-06-03").await, "ready");
    let taken = fourth.named("db1", &db).await;
    assert!(taken.status == 403 && taken.text().contains("another machine's"), "{}", taken.text());
    assert_eq!(identity(&fourth.named("db-four", &db).await)["name"], "db-four");
    appliance.cli(&["machine", "remove", "db-four"]).await;
    assert_eq!(used(appliance, "db").await, 1);

    // Installed by other means, it returns: same record, groups and keys, and the old credential opens nothing.
    let back = secret(appliance, &["key", "reactivate", "db1"]).await;
    let anew = System { credential: "ee".repeat(32), ..System::new(appliance, 60, "x", &["52:54:00:00:06:00"]) };
    let two = secret(appliance, &["key", "reactivate", "web-7"]).await;
    assert_eq!(anew.joins(&format!("{back},{two}")).await.status, 403, "one record is enough");
    let returned = identity(&anew.joins(&format!("{back},{base}")).await);
    assert_eq!((&returned["name"], &returned["system_id"]), (&me["name"], &me["system_id"]));
    let record = appliance.json(&["machine", "show", "db1"]).await;
    assert_eq!((&record["groups"], &record["joined"]), (&json!(["all", "db"]), &json!(["base", "db"])));
    assert_eq!((db1.leaves().await, used(appliance, "db").await), (401, json!(1)), "the old credential is nobody's");
    let thief = System::new(appliance, 65, "thief", &["52:54:00:00:06:05"]);
    assert_eq!(thief.joins(&back).await.status, 403);
    assert!(appliance.told("alarm", "the reactivation key of db1 was spent").await);

    // What is to be installed again can not be joined meanwhile.
    appliance.cli(&["machine", "set", "web-7", "--profile", "web"]).await;
    appliance.cli(&["machine", "arm", "web-7"]).await;
    assert_eq!(web7.leaves().await, 409);
    appliance.cli(&["machine", "disarm", "web-7"]).await;
    assert_eq!(web7.leaves().await, 204);

    // Taken away, a secret opens nothing.
    appliance.cli(&["key", "join", "base", "--off"]).await;
    let fifth = System::new(appliance, 66, "db5", &["52:54:00:00:06:06"]);
    assert_eq!(fifth.joins(&base).await.status, 403);
    // A second one makes the first worthless.
    let newer = secret(appliance, &["key", "join", "db"]).await;
    assert_eq!(fifth.joins(&db).await.status, 403);
    assert_eq!(fifth.joins(&newer).await.status, 200);
    let bare = System::new(appliance, 67, "bare", &[]);
    assert!(bare.joins(&newer).await.text().contains("no network card"));
}

#[tokio::test]
async fn a_system_that_runs_already_joins_keeps_its_identity_and_leaves() {
    the_story(&Appliance::start().await).await;
}

#[tokio::test]
async fn a_system_that_runs_already_joins_keeps_its_identity_and_leaves_on_postgres() {
    let fresh = Fresh::make().await;
    let appliance = Appliance::with_database(Some(&fresh.url())).await;
    appliance.furnish().await;
    the_story(&appliance).await;
    drop(appliance);
    fresh.drop().await;
}

#[tokio::test]
async fn keys_are_for_some_addresses_and_say_what_they_would_give() {
    let appliance = Appliance::start().await;
    let (own, other) = (appliance.ip(60).to_string(), appliance.ip(61).to_string());
    appliance.cli(&["key", "add", "near", "--from", &own, "--group", "near", "--var", "motd=a", "--reinstalls"]).await;
    appliance.cli(&["key", "add", "far", "--var", "motd=b"]).await;
    let near = secret(&appliance, &["key", "join", "near"]).await;
    let stranger = System::new(&appliance, 61, "db1", &["52:54:00:00:06:00"]);
    let answer = stranger.joins(&near).await;
    assert!(
        answer.status == 403 && answer.text().contains("is for") && answer.text().contains(&other),
        "{}",
        answer.text()
    );
    let said = appliance.refused(&["key", "preview", "near", "--from", &other]).await;
    assert!(said.contains("is not in there"), "{said}");
    let said = appliance.cli(&["key", "preview", "near", "--from", &own]).await;
    assert!(said.contains("near") && said.contains("yes, by key near"), "{said}");
    let said = appliance.refused(&["key", "preview", "near,far"]).await;
    assert!(said.contains("both set motd"), "{said}");
    let said = appliance.refused(&["key", "preview", "nowhere"]).await;
    assert!(said.contains("does not exist"), "{said}");
    assert_eq!(System::new(&appliance, 60, "db1", &["52:54:00:00:06:00"]).joins(&near).await.status, 200);
    let seen = appliance.json(&["key", "preview", "near", "--machine", "db1"]).await;
    assert_eq!((&seen["refused"], &seen["counted"]), (&Value::Null, &json!([])), "it counts already");
}

#[tokio::test]
async fn a_name_that_is_none_is_told_to_who_has_the_key_and_shown_to_the_operator() {
    let appliance = Appliance::start().await;
    appliance.cli(&["key", "add", "near"]).await;
    let near = secret(&appliance, &["key", "join", "near"]).await;
    let system = System::new(&appliance, 60, "db1", &["52:54:00:00:06:00"]);
    let answer = system.named("Bad Name\u{1b}", &near).await;
    assert!(answer.status == 403 && answer.text().contains("\"Bad Name \" is no name"), "{}", answer.text());
    assert!(appliance.told("refused", "\"Bad Name \" is no name").await);
    let answer = system.named("Bad Name", "near.00").await;
    assert!(answer.status == 403 && !answer.text().contains("name"), "a stranger learns nothing: {}", answer.text());
    let answer = system.named(&"N".repeat(60_000), &near).await;
    assert!(answer.status == 403 && answer.text().len() < 250, "{}", answer.text());
}

#[tokio::test]
async fn a_key_that_opens_nothing_says_so_where_it_is_looked_at() {
    let appliance = Appliance::start().await;
    let refused = appliance.refused(&["key", "add", "late", "--expires", "2020-01-01"]).await;
    assert!(refused.contains("is over: name a moment to come"), "{refused}");
    for twice in [["--var", "a=1", "--var", "a=2"], ["--var", "a=1", "--secret", "a=2"]] {
        let refused = appliance.refused(&[&["key", "add", "late"], &twice[..]].concat()).await;
        assert!(refused.contains("a is given twice"), "{refused}");
    }
    appliance.cli(&["key", "add", "late", "--limit", "1"]).await;
    let refused = appliance.refused(&["key", "set", "late"]).await;
    assert!(refused.contains("nothing was asked"), "{refused}");
    let remark = async |set: [&str; 2], word: &str| {
        appliance.cli(&[&["key", "set", "late"], &set[..]].concat()).await;
        let joined = appliance.try_cli(&["key", "join", "late"]).await;
        let said = String::from_utf8(joined.stderr).unwrap();
        assert!(joined.status.success() && said.contains("shown this once"), "{said}");
        assert_eq!(said.contains("lets nobody in"), word != "enabled", "{said}");
        let list = appliance.cli(&["key", "list"]).await;
        assert!(list.contains("STATE") && list.contains(word), "{list}");
    };
    remark(["--limit", "1"], "enabled").await;
    remark(["--limit", "0"], "used up").await;
    remark(["--expires", "2020-01-01"], "expired").await;
    remark(["--enabled", "false"], "disabled").await;
}

#[tokio::test]
async fn who_tries_keys_writes_no_long_lines_into_the_history() {
    let appliance = Appliance::start().await;
    let stranger = System::new(&appliance, 66, &"h".repeat(60_000), &["52:54:00:77:00:66"]);
    for key in ["web.00", "web.00,re.11,re.12", &"k.".repeat(30_000), "nodot"] {
        assert_eq!(stranger.named(&"n".repeat(60_000), key).await.status, 403);
        assert_eq!(stranger.joins(key).await.status, 403);
    }
    let events = appliance.json(&["events", "--limit", "100"]).await;
    let lines: Vec<_> = events.as_array().unwrap().iter().filter(|event| event["kind"] == "refused").collect();
    assert!(lines.len() >= 3, "{lines:?}");
    assert!(lines.iter().all(|event| event["text"].as_str().unwrap().len() < 200), "{lines:?}");
}

#[tokio::test]
async fn an_installed_machine_gets_the_groups_packages_and_variables_of_its_stack() {
    let appliance = Appliance::start().await;
    appliance
        .cli(&["key", "add", "base", "--group", "all", "--package", "vim", "--var", "motd=base", "--default"])
        .await;
    appliance.cli(&["profile", "set", "web", "--key", ""]).await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let vars = |name: &'static str| {
        let appliance = &appliance;
        async move {
            let all = appliance.json(&["machine", "vars", "web-1"]).await;
            all.as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap()
        }
    };
    assert_eq!(vars("motd").await["from"], "key base");
    assert_eq!(vars("packages").await["value"], json!(["vim"]));
    appliance.cli(&["machine", "set", "web-1", "--key", "web,base", "--var", "packages=[\"less\"]"]).await;
    assert_eq!(vars("packages").await["value"], json!(["less", "vim"]));
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let own = installer.install().await;
    let identity = identity(&machine.register(&installer, &own).await);
    assert_eq!(identity["packages"], json!(["vim"]));
    let record = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!((&record["groups"], &record["joined"]), (&json!(["all"]), &json!(["web", "base"])));
    assert_eq!((used(&appliance, "web").await, used(&appliance, "base").await), (json!(1), json!(1)));
    // Installed again: the same record, and no further use.
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let own = installer.install().await;
    assert_eq!(machine.register_as(&installer, &own, &"ab".repeat(32)).await.status, 200);
    assert_eq!((used(&appliance, "web").await, used(&appliance, "base").await), (json!(1), json!(1)));
    assert!(appliance.refused(&["key", "remove", "web"]).await.contains("used by machine web-1"));
    // And with another key: from then on that one alone counts it.
    appliance.cli(&["machine", "set", "web-1", "--key", "base"]).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let own = installer.install().await;
    assert_eq!(used(&appliance, "web").await, 1, "not before it registers");
    assert_eq!(machine.register_as(&installer, &own, &"cd".repeat(32)).await.status, 200);
    assert_eq!((used(&appliance, "web").await, used(&appliance, "base").await), (json!(0), json!(1)));
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["joined"], json!(["base"]));
}

#[tokio::test]
async fn the_agent_joins_a_server_that_it_knows_by_a_fingerprint_and_leaves_it() {
    let appliance =
        Appliance::start_with(|config| config.https = Https { serve: true, port: 0, ..Https::default() }).await;
    appliance.cli(&["key", "add", "base", "--group", "all", "--package", "no-such-package"]).await;
    let keys = secret(&appliance, &["key", "join", "base"]).await;
    let fingerprint = appliance.json(&["ca", "show"]).await["sha256"].as_str().unwrap().to_owned();
    let server = format!("https://{}", appliance.running().https[0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let joins = move |fingerprint: String| {
        let (places, server, keys) = (Places::below(&path), server.clone(), keys.clone());
        let card =
            Interface { name: "eth0".into(), mac: "52:54:00:00:06:00".into(), physical: true, ..Default::default() };
        let inventory = Inventory { hostname: "db1".into(), interfaces: vec![card], ..Default::default() };
        let wish = Wish { server, keys, fingerprint: Some(fingerprint), ..Wish::default() };
        tokio::task::spawn_blocking(move || join::run(Patience::SHORT, &places, &wish, inventory))
    };
    let wrong = joins("0".repeat(64)).await.unwrap().unwrap_err().to_string();
    assert!(wrong.contains(&fingerprint) && wrong.contains("Nothing was sent"), "{wrong}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "and nothing is kept");
    let colons: Vec<&str> = fingerprint.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap()).collect();
    let said = joins(colons.join(":").to_uppercase()).await.unwrap().unwrap();
    assert!(said.contains("registered as db1") && said.contains("no package manager is here"), "{said}");
    let record = appliance.json(&["machine", "show", "db1"]).await;
    assert_eq!((&record["state"], &record["groups"]), (&json!("registered"), &json!(["all"])));
    assert!(record["inventory"]["packages"]["error"].as_str().unwrap().contains("no package manager"), "{record}");
    let card = appliance.cli(&["machine", "show", "db1"]).await;
    assert!(card.contains("no-such-package: not installed: no package manager"), "{card}");
    assert!(appliance.told("alarm", "packages of its keys were not installed: no-such-package: no package").await);
    let again = joins(fingerprint).await.unwrap().unwrap();
    assert!(again.contains("db1") && again.contains("is registered; inventory sent"), "{again}");
    let root = folder.path().to_owned();
    std::fs::create_dir_all(root.join("proc/sys/kernel/random")).unwrap();
    std::fs::write(root.join("proc/sys/kernel/random/boot_id"), "11111111-2222-4333-8444-000000000001").unwrap();
    let places = Places::below(folder.path());
    let runs = kickstand_agent::system::System { root, path: "".into(), is_root: true, places };
    let said = tokio::task::spawn_blocking(move || check_in::run(Patience::SHORT, &runs)).await.unwrap().unwrap();
    assert!(said.contains("nothing to do"), "{said}");
    let record = appliance.json(&["machine", "show", "db1"]).await;
    assert_eq!(record["inventory"]["hostname"], "", "it was told anew: {record}");
    assert!(record["inventory"]["packages"]["error"].as_str().unwrap().contains("no package manager"), "{record}");
    let events = appliance.json(&["events", "--limit", "500"]).await;
    let alarms = events.as_array().unwrap().iter().filter(|event| event["kind"] == "alarm");
    assert_eq!(alarms.count(), 1, "once for each attempt: {events}");

    let places = Places::below(folder.path());
    let left = tokio::task::spawn_blocking(move || {
        assert!(join::status(&places, std::time::SystemTime::now()).unwrap().registered);
        join::unregister(Patience::SHORT, &places, false)
    });
    assert!(left.await.unwrap().unwrap().contains("db1"));
    let record = appliance.json(&["machine", "show", "db1"]).await;
    assert_eq!((&record["state"], &record["registered"]), (&json!("ready"), &json!(false)));
    assert_eq!((&record["joined"], used(&appliance, "base").await), (&json!([]), json!(0)));
}
