//! The token of a boot: one machine, one address, one boot, for a while; and every other answer is the same.

use crate::rig::{Answer, Appliance, Installer, get, request};
use kickstand::config::Answers;
use kickstand::engine::fresh_secret;
use serde_json::json;
use std::net::Ipv4Addr;

async fn booted(appliance: &Appliance, name: &str, last: u8) -> Installer {
    let mut machine = appliance.add_machine(name, last).await;
    appliance.cli(&["machine", "arm", name]).await;
    machine.installer().await
}

#[tokio::test]
async fn a_hundred_thousand_guesses_open_nothing() {
    let appliance = Appliance::start().await;
    let installer = booted(&appliance, "web-1", 10).await;
    let engine = &appliance.running().engine;
    for _ in 0..100_000 {
        let guess = fresh_secret().unwrap();
        assert!(engine.answer(guess.expose(), None, installer.ip).await.unwrap().is_none());
    }
    assert_eq!(appliance.state("web-1").await, "armed");
    installer.answer().await;
}

/// All that a client sees, but the moment.
fn seen(answer: &Answer) -> String {
    let head = answer.head.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
    format!("{}\n\n{}", head.collect::<Vec<_>>().join("\n"), answer.text())
}

#[tokio::test]
async fn every_no_is_the_same_no() {
    let appliance = Appliance::start().await;
    let (frozen, done) = (booted(&appliance, "web-1", 10).await, booted(&appliance, "web-2", 11).await);
    let answer = done.answer().await;
    done.report(&answer, json!({"stage": "progress", "percent": 1, "message": "begun"})).await;
    let ask = async |from: Ipv4Addr, path: &str| seen(&get(from, &appliance.url(path), "").await);
    let token = |installer: &Installer| installer.answer_url.split_once("/answer/").unwrap().1.to_owned();
    let (frozen_token, done_token) = (token(&frozen), token(&done));
    let unknown = ask(frozen.ip, &format!("/answer/{}", "0".repeat(64))).await;
    assert!(unknown.starts_with("HTTP/1.1 404 ") && unknown.ends_with("\n\nnot found\n"), "{unknown}");
    for (what, from, path) in [
        ("reported", done.ip, format!("/answer/{done_token}")),
        ("reported, and foreign", frozen.ip, format!("/answer/{done_token}")),
        ("foreign", done.ip, format!("/answer/{frozen_token}")),
        ("frozen", frozen.ip, format!("/answer/{frozen_token}")),
        ("a prefix", frozen.ip, format!("/answer/{}", &frozen_token[..63])),
        ("in capitals", frozen.ip, format!("/answer/{}", frozen_token.to_uppercase())),
        ("no UTF-8", frozen.ip, "/answer/%ff%fe".into()),
        ("longer", frozen.ip, format!("/answer/{frozen_token}0")),
        ("nothing", frozen.ip, "/answer/".into()),
        ("a path", frozen.ip, format!("/answer/{frozen_token}/x")),
    ] {
        assert_eq!(ask(from, &path).await, unknown, "{what}");
    }
    for path in [format!("/answer/{done_token}"), format!("/answer/{}", "0".repeat(64))] {
        let head = request(done.ip, "HEAD", &appliance.url(&path), "", b"").await;
        assert_eq!((head.status, head.body.len()), (405, 0), "{path}");
    }
    assert_eq!(appliance.state("web-1").await, "failed");
    assert_eq!(appliance.state("web-2").await, "installing", "a dead token froze nothing");
    assert!(appliance.told("alarm", "the token of this boot of web-2 is used up, and came from").await);
}

#[tokio::test]
async fn of_a_hundred_claimants_none_but_the_right_one_can_win() {
    let appliance = Appliance::start().await;
    let installer = booted(&appliance, "web-1", 10).await;
    let froms = (0..100).map(|n| if n == 50 { installer.ip } else { appliance.ip(120 + n) });
    let froms: Vec<_> = froms.collect();
    let all = froms.iter().map(|from| get(*from, &installer.answer_url, ""));
    let answers = futures_util::future::join_all(all).await;
    for (from, answer) in froms.iter().zip(&answers) {
        assert!(answer.status == 404 || *from == installer.ip, "{from} was given {}", answer.status);
    }
    assert_eq!(appliance.state("web-1").await, "failed", "and the install is frozen");
    assert_eq!(installer.fetch().await.status, 404);
}

#[tokio::test]
async fn an_installer_may_fetch_twice_until_its_first_report() {
    let appliance = Appliance::start().await;
    let installer = booted(&appliance, "web-1", 10).await;
    let first = installer.answer().await;
    assert_eq!(installer.answer().await, first, "the same file, with the same key");
    assert_eq!(installer.report(&first, json!({"stage": "started"})).await.status, 204);
    assert_eq!(installer.fetch().await.status, 404);
    assert_eq!(installer.report(&first, json!({"stage": "done"})).await.status, 204, "and the install goes on");
    assert_eq!(appliance.state("web-1").await, "installed");
}

/// An installer that asks a hundred times at once began one install, and all that it was given is one file.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_fetches_at_once_one_begins_the_install() {
    let mut appliance = Appliance::start().await;
    let installer = booted(&appliance, "web-1", 10).await;
    let revisions = appliance.running().engine.store.world().machine_named(&"web-1".parse().unwrap()).unwrap().revision;
    let answers = futures_util::future::join_all((0..100).map(|_| installer.fetch())).await;
    let texts: std::collections::BTreeSet<_> =
        answers.iter().filter(|answer| answer.status == 200).map(Answer::text).collect();
    assert_eq!(texts.len(), 1);
    // As the database has it.
    appliance.restart().await;
    let world = appliance.running().engine.store.world();
    let machine = world.machine_named(&"web-1".parse().unwrap()).unwrap();
    assert_eq!(machine.revision, revisions + 1, "armed to installing, once");
}

#[tokio::test]
async fn a_token_dies_unused_and_sooner_once_it_was_used() {
    let unused = Answers { unused_secs: 0, used_secs: 900 };
    let appliance = Appliance::start_with(|config| config.answers = unused).await;
    assert_eq!(booted(&appliance, "web-1", 10).await.fetch().await.status, 404);
    assert_eq!(appliance.state("web-1").await, "armed");
    let used = Answers { unused_secs: 3600, used_secs: 0 };
    let appliance = Appliance::start_with(|config| config.answers = used).await;
    let installer = booted(&appliance, "web-1", 10).await;
    installer.answer().await;
    assert_eq!(installer.fetch().await.status, 404, "the second time it is over");
}

#[tokio::test]
async fn while_nothing_can_be_written_a_foreign_token_still_looks_unknown() {
    let appliance = Appliance::start().await;
    let installer = booted(&appliance, "web-1", 10).await;
    let unknown = get(appliance.ip(66), &appliance.url(&format!("/answer/{}", "0".repeat(64))), "").await;
    appliance.running().engine.store.clone().close().await;
    assert_eq!(seen(&get(appliance.ip(66), &installer.answer_url, "").await), seen(&unknown));
    assert_eq!(installer.fetch().await.status, 503, "and nothing is given that can not be written down");
}
