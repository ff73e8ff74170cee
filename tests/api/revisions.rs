//! Revisions by the API: what each changed, what a change would do, and the way back.

use crate::rig::{Api, machine};
use serde_json::{Value, json};

async fn revision(api: &Api) -> i64 {
    api.get("revisions?limit=1").await[0]["revision"].as_i64().unwrap()
}

#[tokio::test]
async fn each_change_is_shown_with_its_secrets_as_words() {
    let api = Api::furnished().await;
    let first = json!({"secrets": {"wifi": "hunter2"}, "variables": {"disk": "/dev/sda"}});
    api.ask("PATCH", "profiles/web", first).await;
    api.ask("PATCH", "profiles/web", json!({"secrets": {"wifi": "hunter3"}})).await;
    let number = revision(&api).await;
    let shown = api.get(&format!("revisions/{number}")).await;
    assert_eq!((&shown["what"], &shown["by"]), (&json!("changed profile web"), &json!("root@socket")));
    let change = &shown["changes"][0];
    assert_eq!((&change["noun"], &change["name"]), (&json!("profile"), &json!("web")));
    assert_eq!(
        (&change["before"]["variables"], &change["before"]["secrets"]),
        (&json!({"disk": "/dev/sda"}), &json!({"wifi": "(secret)"}))
    );
    assert_eq!(change["after"]["secrets"], json!({"wifi": "(secret, set anew)"}));
    let all = api.get("revisions").await;
    assert_eq!(
        all[0],
        json!({"revision": number, "at": shown["at"], "by": "root@socket", "what": "changed profile web", "records": 1})
    );
    assert_eq!(all.as_array().unwrap().len() as i64, number);
    for (method, path) in [("GET", "revisions/999"), ("GET", "revisions/x"), ("POST", "revisions/999/rollback")] {
        assert_eq!(api.refused(method, path, Value::Null).await.0, 404, "{path}");
    }
    assert_eq!(api.refused("GET", "revisions?colour=red", Value::Null).await.0, 422);
}

#[tokio::test]
async fn a_rollback_says_what_it_would_do_and_then_does_it() {
    let api = Api::furnished().await;
    api.add("machines", machine("web2", 2)).await;
    let at = revision(&api).await;
    let before = api.get("profiles/web").await;
    api.ask("PATCH", "profiles/web", json!({"arguments": "debug"})).await;
    let text = json!({"text": "own {{ machine.name }}\n"});
    api.ask("PUT", "templates/text/templates/debian/preseed.cfg", text).await;
    let plan = api.ask("POST", &format!("revisions/{at}/rollback?dry_run=true"), Value::Null).await.1;
    assert_eq!(
        (&plan["revision"], &plan["machines"]["machines"], &plan["left"]),
        (&Value::Null, &json!(2), &json!([])),
        "{plan}"
    );
    assert_eq!(plan["machines"]["touched"], json!(["web1", "web2"]));
    assert_eq!(revision(&api).await, at + 2, "nothing is done yet");
    let done = api.ask("POST", &format!("revisions/{at}/rollback"), Value::Null).await.1;
    assert_eq!(done["revision"], json!(at + 3), "{done}");
    assert_eq!(api.get("profiles/web").await, before);
    let template = api.get("templates/text/templates/debian/preseed.cfg").await;
    assert_eq!(template["from"], "built in", "and in use it is at once");
    let (status, error) = api.refused("POST", &format!("revisions/{at}/rollback"), Value::Null).await;
    assert!(status == 422 && error["message"].as_str().unwrap().contains("there is nothing to restore"), "{error}");
    let events = api.get("events?kind=record&limit=1").await;
    assert_eq!(events[0]["revision"], json!(at + 3), "{events}");
    let why = api.get("why/web1").await;
    let last = why.as_array().unwrap().last().unwrap();
    assert_eq!((&last["question"], &last["answer"]), (&json!("configuration"), &json!(format!("revision {}", at + 3))));
    assert!(
        last["why"][0]["text"].as_str().unwrap().starts_with(&format!("rolled back to revision {at} by root@socket"))
    );
    // What would come back counts as much as what would go.
    api.ask("DELETE", "machines/web2", Value::Null).await;
    let plan = api.ask("POST", &format!("revisions/{at}/rollback?dry_run=true"), Value::Null).await.1;
    assert_eq!((&plan["machines"]["touched"], &plan["machines"]["of"]), (&json!(["web2"]), &json!(2)), "{plan}");
}

#[tokio::test]
async fn why_says_in_which_revision_each_record_that_counts_was_changed() {
    let api = Api::furnished().await;
    api.ask("POST", "machines/web1/arm", Value::Null).await;
    api.ask("PATCH", "profiles/web", json!({"arguments": "debug", "variables": {"note": "of profile web"}})).await;
    let own = json!({"text": "d-i debian-installer/locale string C\n"});
    api.ask("PUT", "templates/text/templates/debian/preseed.cfg", own).await;
    let scenes = api.get("why/web1").await;
    let reason = |rule: &str, part: &str| {
        let mut all = scenes.as_array().unwrap().iter().flat_map(|scene| scene["why"].as_array().unwrap());
        let found = all.find(|why| why["rule"] == rule && why["text"].as_str().unwrap().contains(part));
        found.unwrap_or_else(|| panic!("{rule} {part}: {scenes}")).clone()
    };
    let record = |noun: &str, name: &str, revision: i64| json!({"noun": noun, "name": name, "revision": revision});
    for (rule, part, text, records) in [
        ("address", "", "10.0.0.11, reserved for 52:54:00:00:00:01 (revision 6)", vec![record("machine", "web1", 6)]),
        (
            "profile",
            "",
            "web, named by range rack (revision 5) (10.0.0.10-10.0.0.50), which holds 10.0.0.11",
            vec![record("range", "rack", 5)],
        ),
        ("arguments", "", "debug, of profile web (revision 7)", vec![record("profile", "web", 7)]),
        (
            "distro",
            "",
            "debian (revision 3), named by profile web (revision 7)",
            vec![record("distro", "debian", 3), record("profile", "web", 7)],
        ),
        (
            "template",
            "preseed",
            "templates/debian/preseed.cfg (stored) (revision 8)",
            vec![record("template", "templates/debian/preseed.cfg", 8)],
        ),
        (
            "variable",
            "note",
            "note = \"of profile web\", from profile web (revision 7)",
            vec![record("profile", "web", 7)],
        ),
        (
            "key",
            "",
            "web (revision 2), named by profile web (revision 7)",
            vec![record("key", "web", 2), record("profile", "web", 7)],
        ),
    ] {
        let found = reason(rule, part);
        assert_eq!((found["text"].as_str().unwrap(), &found["records"]), (text, &json!(records)), "{rule}");
    }
    assert_eq!(reason("family", "").get("records"), None, "the program's own word is no record's");
}

/// Which machines a change touches, and what of them.
async fn touched(api: &Api, method: &str, path: &str, body: Value) -> (Vec<String>, Vec<String>) {
    let (before, (status, change)) = (revision(api).await, api.ask(method, &format!("diff/{path}"), body).await);
    assert!(status.is_success(), "{path}: {change}");
    assert_eq!(revision(api).await, before, "nothing is changed by it");
    let words = |list: &Value, of: &str| {
        let all = list.as_array().unwrap().iter().map(|x| if of.is_empty() { x.clone() } else { x[of].clone() });
        all.map(|x| x.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let what = [words(&change["changes"], "what"), words(&change["broken"], "what")].concat();
    (words(&change["touched"], ""), what)
}

#[tokio::test]
async fn every_change_says_which_machines_it_touches_and_in_what() {
    let api = Api::furnished().await;
    // One in the range, one outside of it with a profile of its own, one in the pool that no profile speaks for.
    api.add("profiles", json!({"name": "db", "parent": "web", "variables": {"disk": "/dev/vdb"}})).await;
    let own = json!({"name": "db1", "interfaces": [{"mac": "52:54:00:00:00:09", "ip": "10.0.0.60"}], "profile": "db"});
    api.add("machines", own).await;
    api.add("machines", json!({"name": "none1", "interfaces": [{"mac": "52:54:00:00:00:0a"}]})).await;
    let at = async |method, path, body| touched(&api, method, path, body).await;
    let is = |found: &(Vec<String>, Vec<String>), names: &[&str]| assert_eq!(found.0, names, "{found:?}");
    // A variable that a child says otherwise, one that nobody names, one that all do.
    is(&at("PATCH", "profiles/web", json!({"variables": {"disk": "/dev/vda"}})).await, &["web1"]);
    is(&at("PATCH", "profiles/web", json!({"variables": {"colour": "red"}})).await, &[]);
    let found = at("PATCH", "profiles/web", json!({"arguments": "debug"})).await;
    is(&found, &["db1", "web1"]);
    assert!(found.1.iter().any(|what| what == "install script of grub"), "{found:?}");
    let found = at("PATCH", "profiles/web", json!({"secrets": {"root_password_hash": "$6$x"}})).await;
    is(&found, &["db1", "web1"]);
    assert!(found.1.iter().all(|what| what == "answer file"), "{found:?}");
    let secret = |text: &str| json!({"secrets": {"root_password_hash": text}});
    api.ask("PATCH", "profiles/web", secret("$6$x")).await;
    is(&at("PATCH", "profiles/web", secret("$6$y")).await, &["db1", "web1"]);
    is(&at("PATCH", "distros/debian", json!({"arguments": "debug"})).await, &["db1", "web1"]);
    // What DHCP says: to all there, and of one option to those who have no nearer word.
    let found = at("PATCH", "networks/lab", json!({"gateway": "10.0.0.254"})).await;
    is(&found, &["db1", "none1", "web1"]);
    assert!(found.1.iter().any(|what| what == "DHCP for BIOS"), "{found:?}");
    is(&at("PATCH", "networks/lab", json!({"lease_secs": 7200})).await, &["db1", "none1", "web1"]);
    is(&at("PATCH", "networks/lab", json!({"unknown": "show"})).await, &[]);
    is(&at("PATCH", "options", json!({"ntp-servers": "10.0.0.1"})).await, &["db1", "none1", "web1"]);
    is(
        &at("POST", "classes", json!({"name": "all", "options": {"ntp-servers": "10.0.0.1"}})).await,
        &["db1", "none1", "web1"],
    );
    // Whose profile speaks: what can not be installed any more is broken.
    let found = at("DELETE", "ranges/rack", Value::Null).await;
    assert_eq!(found.0, ["web1"]);
    assert!(found.1.contains(&"install".to_owned()), "{found:?}");
    let range = json!({"name": "pool", "span": "10.0.0.90-10.0.0.200", "profile": "db"});
    is(&at("POST", "ranges", range).await, &["none1"]);
    is(&at("PATCH", "machines/web1", json!({"profile": "db"})).await, &["web1"]);
    is(&at("PATCH", "machines/web1", json!({"disk_boot": "exit"})).await, &["web1"]);
    is(&at("DELETE", "machines/web1", Value::Null).await, &["web1"]);
    // Who is not there yet counts, too.
    is(&at("POST", "machines", machine("web2", 2)).await, &["web2"]);
    assert_eq!(api.refused("PATCH", "diff/profiles/nope", json!({})).await.0, 404);
    assert_eq!(api.refused("PATCH", "diff/profiles/web", json!({"colour": 1})).await.0, 422);
}

#[tokio::test]
#[ignore = "a measurement: cargo test --release --test api -- --ignored --exact --nocapture revisions::how_long_it_takes_to_compare_five_thousand"]
async fn how_long_it_takes_to_compare_five_thousand() {
    let api = Api::furnished().await;
    let card = |n: usize| json!({"mac": format!("52:54:01:00:{:02x}:{:02x}", n / 250, n % 250)});
    let count = std::env::var("KICKSTAND_MACHINES").ok().and_then(|text| text.parse().ok()).unwrap_or(5000);
    let list: Vec<Value> =
        (0..count).map(|n| json!({"name": format!("m{n}"), "profile": "web", "interfaces": [card(n)]})).collect();
    api.add("machines/batch", json!(list)).await;
    for (what, patch) in
        [("all of them", json!({"arguments": "debug"})), ("none of them", json!({"variables": {"nobody": 1}}))]
    {
        let began = std::time::Instant::now();
        let change = api.ask("PATCH", "diff/profiles/web", patch).await.1;
        println!("{what}: {} of {} in {:?}", change["machines"], change["of"], began.elapsed());
    }
}
