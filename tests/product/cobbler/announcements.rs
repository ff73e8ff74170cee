//! Systems that announce themselves.

use super::{call, card, is_fault, object, open, text};
use crate::rig::Appliance;
use serde_json::json;

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
        assert!(answer.contains(said), "{said}: {answer}");
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
