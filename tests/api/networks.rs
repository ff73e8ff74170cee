//! How a network is served by DHCP: each setting by itself, and what makes no sense.

use crate::rig::Api;
use axum::http::StatusCode;
use serde_json::{Value, json};

fn dhcp(value: Value) -> Value {
    json!({ "dhcp": value })
}

#[tokio::test]
async fn a_network_is_added_with_all_that_it_is_served_by() {
    let api = Api::start().await;
    let given = json!({
        "placement": "relayed", "authoritative": true, "relays": ["10.1.0.1", "10.9.0.0/16"], "link": "floor",
        "snooping": true, "excluded": ["10.1.0.100-10.1.0.103"], "unknown_lease_secs": 120, "probe": false,
        "https": true, "loader": "pxelinux", "disk_boot": "exit-1", "advertise": true,
        "options": {"ntp-servers": "10.1.0.1, 10.1.0.2", "224": "0x0102"},
    });
    let pools = json!(["10.1.0.100-10.1.0.149=machines", "10.1.0.150-10.1.0.199=unknown", "10.1.0.200-10.1.0.210"]);
    let body = json!({"name": "lab", "cidr": "10.1.0.0/24", "pools": pools, "dhcp": given.clone()});
    let added = api.add("networks", body).await;
    let mut shown = given;
    shown["relays"] = json!(["10.1.0.1/32", "10.9.0.0/16"]);
    assert_eq!((&added["dhcp"], &added["pools"]), (&shown, &pools));
    assert_eq!(api.get("networks/lab").await, added);
}

#[tokio::test]
async fn a_patch_changes_one_setting_and_keeps_the_others() {
    let api = Api::furnished().await;
    let all = json!({"authoritative": true, "link": "floor", "unknown_lease_secs": 120, "excluded": ["10.0.0.150-10.0.0.151"],
        "options": {"ntp-servers": "10.0.0.1", "interface-mtu": "9000"}});
    assert_eq!(api.ask("PATCH", "networks/lab", dhcp(all)).await.0, StatusCode::OK);
    let (_, after) = api.ask("PATCH", "networks/lab", json!({"unknown": "show"})).await;
    assert_eq!((&after["dhcp"]["link"], &after["dhcp"]["authoritative"]), (&json!("floor"), &json!(true)));
    let some = json!({"link": null, "unknown_lease_secs": null, "excluded": null,
        "options": {"ntp-servers": null, "domain-search": "a.example, b.example"}});
    let (status, after) = api.ask("PATCH", "networks/lab", dhcp(some)).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    let now = &after["dhcp"];
    assert_eq!((&now["link"], &now["unknown_lease_secs"], &now["excluded"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(now["authoritative"], true, "what is left out stays");
    assert_eq!(now["options"], json!({"interface-mtu": "9000", "domain-search": "a.example, b.example"}));
    let (_, after) = api.ask("PATCH", "networks/lab", dhcp(json!({"authoritative": null}))).await;
    assert_eq!(after["dhcp"]["authoritative"], false, "null is the default");
    assert_eq!(after["pools"], json!(["10.0.0.100-10.0.0.199"]), "and nothing else changed");
}

#[tokio::test]
async fn a_setting_that_can_not_be_read_is_named_and_nothing_of_the_patch_is_kept() {
    let api = Api::furnished().await;
    let before = api.get("networks/lab").await;
    for (value, field, words) in [
        (json!({"placement": "sideways", "probe": false}), "dhcp.placement", "one of full, proxy, relayed, off"),
        (json!({"relays": ["10.1.0.7/24"]}), "dhcp.relays", "write it like 10.1.0.1"),
        (json!({"relays": ["gate"]}), "dhcp.relays", "write it like 10.1.0.1"),
        (json!({"excluded": ["10.0.0.9-10.0.0.1"]}), "dhcp.excluded", "the lower first"),
        (json!({"options": {"ntp-servers": "soon"}}), "dhcp.options.ntp-servers", "\"soon\" is not IPv4 addresses"),
        (json!({"options": {"no-such": "1"}}), "dhcp.options.no-such", "kickstand option list"),
        (json!({"options": {"dhcp-lease-time": "60"}}), "dhcp.options.dhcp-lease-time", "kickstand option list"),
        (json!({"options": {"26": "9000", "interface-mtu": "1500"}}), "dhcp.options", "given once"),
        (json!({"colour": "red"}), "dhcp.colour", "unknown field `colour`"),
    ] {
        let (status, error) = api.refused("PATCH", "networks/lab", dhcp(value.clone())).await;
        assert_eq!((status, error["field"].as_str()), (422, Some(field)), "{value}: {error}");
        assert!(error["message"].as_str().unwrap().contains(words), "{value}: {error}");
    }
    let (status, error) = api.refused("PATCH", "networks/lab", dhcp(Value::Null)).await;
    assert_eq!((status, error["field"].as_str()), (422, Some("dhcp")), "{error}");
    assert_eq!(api.get("networks/lab").await, before);
}

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_refused_in_words() {
    let api = Api::furnished().await;
    let before = api.get("networks/lab").await;
    for (body, words) in [
        (dhcp(json!({"excluded": ["10.0.0.250-10.0.1.5"]})), "reaches outside 10.0.0.0/24"),
        (
            dhcp(json!({"unknown_lease_secs": 59})),
            "leases of unknown MACs on network lab of 59 s: give them 60 s or more",
        ),
        (dhcp(json!({"unknown_lease_secs": u32::MAX})), "and an end"),
        (dhcp(json!({"placement": "relayed"})), "--dhcp relayed --relay ADDRESS"),
        (dhcp(json!({"relays": ["0.0.0.0/0"]})), "name the relays that are yours"),
        (dhcp(json!({"relays": ["224.0.0.1"]})), "is no host's address"),
        (dhcp(json!({"options": {"224": format!("0x{}", "00".repeat(1025))}})), "has 1025 bytes"),
        (json!({"pools": ["10.0.0.100-10.0.0.150=unknown", "10.0.0.150-10.0.0.160=machines"]}), "overlap"),
    ] {
        let (status, error) = api.refused("PATCH", "networks/lab", body.clone()).await;
        let text = error["message"].as_str().unwrap();
        assert!(status == 422 && text.contains(words), "{body}: {status} {text}");
    }
    assert_eq!(api.get("networks/lab").await, before);
}

#[tokio::test]
async fn networks_may_share_a_link_and_not_addresses() {
    let api = Api::furnished().await;
    api.ask("PATCH", "networks/lab", dhcp(json!({"link": "floor"}))).await;
    api.add("networks", json!({"name": "lab2", "cidr": "10.0.1.0/24", "dhcp": {"link": "floor"}})).await;
    let inside = json!({"name": "lab3", "cidr": "10.0.1.128/25", "dhcp": {"link": "floor"}});
    let (status, error) = api.refused("POST", "networks", inside).await;
    assert!(status == 422 && error.to_string().contains("overlaps network lab2"), "{error}");
}

#[tokio::test]
async fn ranges_profiles_and_machines_carry_options_that_merge() {
    let api = Api::furnished().await;
    for path in ["ranges/rack", "profiles/web", "machines/web1"] {
        let patch = |value: Value| json!({ "options": value });
        let (status, after) = api.ask("PATCH", path, patch(json!({"ntp-servers": "10.0.0.1", "mtu": null}))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {after}");
        let given = json!({"ntp-servers": "10.0.0.1", "interface-mtu": "9000"});
        let (status, after) = api.ask("PATCH", path, patch(given.clone())).await;
        assert_eq!((status, &after["options"]), (StatusCode::OK, &given), "{path}: {after}");
        let (_, after) = api.ask("PATCH", path, patch(json!({"interface-mtu": null, "224": "\"on\""}))).await;
        assert_eq!(after["options"], json!({"ntp-servers": "10.0.0.1", "224": "0x6f6e"}), "{path}");
        assert_eq!(api.get(path).await["options"], after["options"]);
        let (_, error) = api.refused("PATCH", path, patch(json!({"time-offset": "later"}))).await;
        assert_eq!(error["field"].as_str(), Some("options.time-offset"), "{path}: {error}");
        assert!(error["message"].as_str().unwrap().contains("a number from"), "{path}: {error}");
    }
    let db = json!({"name": "db1", "interfaces": [{"mac": crate::rig::mac(9)}], "options": {"host-name": "db"}});
    assert_eq!(api.add("machines", db).await["options"], json!({"host-name": "db"}));
}

#[tokio::test]
async fn why_tells_each_option_with_its_level() {
    let api = Api::furnished().await;
    let asked = format!("why/{}?arch=uefi", crate::rig::mac(1));
    let questions = |scenes: &Value| {
        scenes.as_array().unwrap().iter().map(|s| s["question"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let usual = ["address and first program", "script", "configuration"];
    assert_eq!(questions(&api.get(&asked).await), usual, "no option, no scene");
    let set = async |path: &str, options: Value| {
        let (status, answer) = api.ask("PATCH", path, json!({ "options": options })).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    };
    let (status, _) = api.ask("PATCH", "options", json!({"ntp-servers": "10.0.0.1", "log-servers": "10.0.0.1"})).await;
    assert_eq!(status, StatusCode::OK);
    api.ask("PATCH", "networks/lab", json!({"dhcp": {"options": {"ntp-servers": "10.0.0.2"}}})).await;
    set("ranges/rack", json!({"ntp-servers": "10.0.0.3", "interface-mtu": "1400"})).await;
    set("profiles/web", json!({"interface-mtu": "9000", "domain-search": "web.example"})).await;
    set("machines/web1", json!({"domain-search": "own.example"})).await;
    api.add("classes", json!({"name": "roms", "vendor": "PXEClient", "options": {"ntp-servers": "10.0.0.4"}})).await;
    api.add("classes", json!({"name": "bios", "arch": 0, "options": {"ntp-servers": "10.0.0.9"}})).await;
    let scenes = api.get(&asked).await;
    assert_eq!(questions(&scenes)[1], "options", "{scenes}");
    let told: Vec<_> = scenes[1]["why"].as_array().unwrap().iter().map(|r| r["text"].as_str().unwrap()).collect();
    let expected = [
        "log-servers = 10.0.0.1, from everybody (revision 7)",
        "interface-mtu = 9000, from profile web (revision 10); without that 1400, from range rack (revision 9)",
        "ntp-servers = 10.0.0.4, from class roms (revision 12); without that 10.0.0.3, from range rack (revision 9); then 10.0.0.2, from network lab (revision 8); then 10.0.0.1, from everybody (revision 7)",
        "domain-search = own.example, from machine web1 (revision 11); without that web.example, from profile web (revision 10)",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn beside_another_dhcp_server_a_machine_is_armed_by_the_profile_of_its_address() {
    let api = Api::furnished().await;
    api.ask("PATCH", "networks/lab", dhcp(json!({"placement": "proxy"}))).await;
    let (status, armed) = api.ask("POST", "machines/web1/arm", Value::Null).await;
    assert_eq!((status, &armed["state"]), (StatusCode::OK, &json!("armed")), "{armed}");
    let scenes = api.get(&format!("why/{}?arch=uefi", crate::rig::mac(1))).await;
    let answer = "an address from the other DHCP server, then snponly.efi by TFTP";
    assert_eq!(scenes[0]["answer"], answer, "{scenes}");
    assert_eq!(scenes[1]["answer"], "the installer of profile web", "{scenes}");
}
