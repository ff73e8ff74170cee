//! Several who change one record at the same moment, at one server or at two: nobody's change is lost.

use crate::postgres::Fresh;
use crate::rig::{Appliance, request};
use serde_json::{Value, json};
use std::time::Duration;

/// How many changes each of the two makes of each record.
const EACH: usize = 12;

/// Who asks at one door.
struct Client {
    url: String,
    from: std::net::Ipv4Addr,
    token: String,
}

impl Client {
    async fn of(appliance: &Appliance, name: &str) -> Client {
        let token = appliance.json(&["token", "add", name]).await["token"].as_str().unwrap().to_owned();
        Client { url: appliance.url("/api/v1/"), from: appliance.ip(66), token }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let (url, headers) = (format!("{}{path}", self.url), format!("Authorization: Bearer {}\r\n", self.token));
        let answer = request(self.from, method, &url, &headers, body.to_string().as_bytes()).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text());
        serde_json::from_str(&answer.text()).unwrap_or_default()
    }

    /// Changes all records, each time something else of them, at moments of its own.
    async fn change(&self, own: &str, mut dice: u64) {
        for n in 0..EACH {
            let name = format!("{own}{n}");
            for record in RECORDS {
                let body = match *record {
                    "options" => json!({ option(own, n): "0x01" }),
                    "keys/web" if own == "a" => json!({ "description": n.to_string() }),
                    "keys/web" => json!({ "usage_limit": n + 1 }),
                    _ => json!({ "variables": { &name: n }, "secrets": { format!("{name}_secret"): name } }),
                };
                self.ask("PATCH", record, &body).await;
            }
            let text = format!("#!/bin/sh\n# {name}\n");
            self.ask("PUT", "templates/text/templates/image/install.sh", &json!({ "text": text })).await;
            // A xorshift: the same interleavings would be found each time.
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            tokio::time::sleep(Duration::from_micros(dice % 3000)).await;
        }
    }
}

const RECORDS: &[&str] =
    &["profiles/web", "networks/lab", "ranges/web-rack", "distros/debian-12", "machines/web-1", "keys/web", "options"];

/// An option of a number of one's own.
fn option(own: &str, n: usize) -> String {
    (if own == "a" { 224 + n } else { 236 + n }).to_string()
}

async fn furnished(appliance: &Appliance, mac: &str) {
    let ip = appliance.ip(40).to_string();
    appliance.cli(&["machine", "add", "web-1", "--mac", mac, "--ip", &ip]).await;
}

async fn nothing_is_lost(one: &Client, two: &Client) {
    let dice = || u64::from_ne_bytes(*uuid::Uuid::now_v7().as_bytes().last_chunk().unwrap()) | 1;
    tokio::join!(one.change("a", dice()), two.change("b", dice()));
    for (client, record) in [one, two].into_iter().flat_map(|c| RECORDS.iter().map(move |r| (c, *r))) {
        let mut lacks = Vec::new();
        // The last change of the other one is heard of in a moment.
        for _ in 0..200 {
            lacks = lacking(&client.ask("GET", record, &Value::Null).await, record);
            if lacks.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(lacks.is_empty(), "{record} lost {lacks:?}");
    }
    let versions = one.ask("GET", "templates/history/templates/image/install.sh", &Value::Null).await;
    let numbers: Vec<_> = versions.as_array().unwrap().iter().map(|v| v["version"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=2 * EACH as i64).collect::<Vec<_>>(), "every version of a template is kept");
    let revisions = one.ask("GET", "revisions?limit=1000", &Value::Null).await;
    let of_profile = revisions.as_array().unwrap().iter().filter(|r| r["what"] == "changed profile web").count();
    assert_eq!(of_profile, 2 * EACH, "and every change has its revision");
}

fn lacking(view: &Value, record: &str) -> Vec<String> {
    let mut lacks = Vec::new();
    for (own, n) in ["a", "b"].into_iter().flat_map(|own| (0..EACH).map(move |n| (own, n))) {
        let name = format!("{own}{n}");
        let is_there = match record {
            "options" => !view[option(own, n)].is_null(),
            "keys/web" => view["description"] == format!("{}", EACH - 1).as_str() && view["usage_limit"] == EACH,
            _ => {
                let secrets = view["secrets"].as_array().unwrap();
                view["variables"][&name] == n && secrets.contains(&json!(format!("{name}_secret")))
            }
        };
        if !is_there {
            lacks.push(name);
        }
    }
    lacks
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_of_one_server_lose_no_change() {
    let appliance = Appliance::start().await;
    furnished(&appliance, "52:54:00:77:00:01").await;
    let (one, two) = (Client::of(&appliance, "one").await, Client::of(&appliance, "two").await);
    nothing_is_lost(&one, &two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_of_one_database_lose_no_change() {
    let database = Fresh::make().await;
    let one = Appliance::start_with(|config| config.database = database.url()).await;
    let two = Appliance::with(|config| {
        // Servers of one database share the key of secrets.
        (config.database, config.secrets) = (database.url(), one.config.secrets.clone());
    });
    let two = two.await;
    furnished(&one, "52:54:00:77:00:02").await;
    // What the second is asked first it has to know.
    for _ in 0..200 {
        if two.try_cli(&["machine", "show", "web-1"]).await.status.success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let first = Client::of(&one, "one").await;
    let second = Client::of(&two, "two").await;
    nothing_is_lost(&first, &second).await;
    drop((one, two));
    database.drop().await;
}

/// What one server says of a template is written even where it knows of nothing else yet: the other's word came between.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_what_was_said_last_at_either_server() {
    let database = Fresh::make().await;
    let one = Appliance::start_with(|config| config.database = database.url()).await;
    let two = Appliance::with_database(Some(&database.url())).await;
    let (first, second) = (Client::of(&one, "one").await, Client::of(&two, "two").await);
    let path = "templates/text/templates/image/install.sh";
    for round in 1..=40 {
        for (client, text) in [(&second, "#!/bin/sh\n# two\n"), (&first, "#!/bin/sh\n# one\n")] {
            let said = client.ask("PUT", path, &json!({ "text": text })).await;
            assert_eq!(said["text"], text, "round {round}");
        }
        let said = first.ask("PUT", path, &json!({ "text": "#!/bin/sh\n# one\n" })).await;
        assert_eq!(said["version"], 2 * round, "to say the same again makes no version");
    }
    let history = second.ask("GET", "templates/history/templates/image/install.sh", &Value::Null).await;
    assert_eq!(history.as_array().unwrap().len(), 80);
    let old = second.ask("GET", &format!("{path}?version=1"), &Value::Null).await;
    assert_eq!(old["text"], "#!/bin/sh\n# two\n");
    let back = "templates/rollback/templates/image/install.sh";
    let back = first.ask("POST", back, &json!({ "version": 79 })).await;
    assert_eq!((&back["version"], &back["text"]), (&json!(81), &json!("#!/bin/sh\n# two\n")));
    drop((one, two));
    database.drop().await;
}

/// The cards are the server's word, not what a client read a moment ago.
#[tokio::test]
async fn an_address_is_set_for_the_card_that_is_there() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    let client = Client::of(&appliance, "one").await;
    appliance.cli(&["machine", "replace", "web-1", "--mac", "52:54:00:aa:00:01"]).await;
    let ip = appliance.ip(44).to_string();
    let changed = client.ask("PATCH", "machines/web-1", &json!({ "ip": ip })).await;
    assert_eq!(changed["interfaces"], json!([{ "mac": "52:54:00:aa:00:01", "ip": ip, "leased": null }]));
    appliance.cli(&["machine", "set", "web-1", "--ip", ""]).await;
    assert!(client.ask("GET", "machines/web-1", &Value::Null).await["interfaces"][0]["ip"].is_null());
}
