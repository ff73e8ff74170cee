//! Reservations, and how they and machines keep out of each other's way.

use crate::rig::{Api, mac, machine};
use axum::http::StatusCode;
use serde_json::{Value, json};

fn kept(ip: &str, mark: &str) -> Value {
    json!({"ip": ip, "for": mark})
}

async fn refusal(api: &Api, method: &str, path: &str, body: Value) -> (u16, String) {
    let (status, error) = api.refused(method, path, body).await;
    (status, error["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_reservation_finds_its_network_and_is_known_by_its_address() {
    let api = Api::furnished().await;
    let printer =
        json!({"ip": "10.0.0.60", "for": format!("mac:{}", mac(9)), "network": "lab", "description": "printer"});
    let body = json!({"ip": "10.0.0.60", "for": format!("mac:{}", mac(9)), "description": "printer"});
    assert_eq!(api.add("reservations", body).await, printer);
    let port = api.add("reservations", kept("10.0.0.7", "circuit:\"eth0/1\"")).await;
    assert_eq!(port["for"], "circuit:657468302f31");
    api.add("reservations", kept("10.0.0.61", "id:01ff")).await;
    let all = api.get("reservations").await;
    let ips: Vec<_> = all.as_array().unwrap().iter().map(|r| r["ip"].as_str().unwrap()).collect();
    assert_eq!(ips, ["10.0.0.7", "10.0.0.60", "10.0.0.61"], "in the order of addresses");
    assert_eq!(api.get("reservations/10.0.0.60").await, printer);
    let (status, text) = refusal(&api, "GET", "reservations/10.0.0.8", Value::Null).await;
    assert!(status == 404 && text.contains("kickstand reservation list"), "{text}");
    assert!(refusal(&api, "GET", "reservations/lab", Value::Null).await.1.contains("write it like 10.0.0.12"));
}

#[tokio::test]
async fn an_address_or_a_client_that_has_a_place_already_is_refused_by_its_name() {
    let api = Api::furnished().await;
    api.ask("PATCH", "networks/lab", json!({"gateway": "10.0.0.254"})).await;
    api.add("reservations", kept("10.0.0.60", "id:01ff")).await;
    for (body, status, words) in [
        (kept("10.0.0.11", "id:02"), 409, "address 10.0.0.11 is held by machine web1"),
        (kept("10.0.0.60", "id:02"), 409, "address 10.0.0.60 is held by the reservation for id:01ff"),
        (
            kept("10.0.0.61", "id:01ff"),
            409,
            "mark id:01ff is held by the reservation of 10.0.0.60 on the same network lab",
        ),
        (kept("10.0.0.254", "id:02"), 422, "is the gateway of network lab"),
        (kept("10.0.0.255", "id:02"), 422, "the own or the broadcast address of network lab"),
        (kept("10.0.0.1", "id:02"), 422, "this server's own address"),
        (kept("10.5.0.1", "id:02"), 422, "no network holds 10.5.0.1"),
        (kept("10.0.0.61", &format!("mac:{}", mac(1))), 422, "`kickstand machine set web1 --ip 10.0.0.61`"),
        (json!({"ip": "10.0.0.61", "for": "id:02", "network": "none"}), 404, "no network none"),
        (kept("10.0.0.61", "port:1"), 422, "write it like mac:52:54:00:12:34:56"),
        (kept("10.0.0.300", "id:02"), 422, "write it like 10.0.0.12"),
        (json!({"ip": "10.0.0.61"}), 422, "missing field `for`"),
    ] {
        let (got, text) = refusal(&api, "POST", "reservations", body.clone()).await;
        assert!(got == status && text.contains(words), "{body}: {got} {text}");
    }
    assert_eq!(api.get("reservations").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_client_may_have_an_address_on_each_network_and_no_foreign_one() {
    let api = Api::furnished().await;
    api.add("networks", json!({"name": "far", "cidr": "10.1.0.0/24"})).await;
    api.add("reservations", kept("10.0.0.60", "id:01ff")).await;
    assert_eq!(api.add("reservations", kept("10.1.0.60", "id:01ff")).await["network"], "far");
    let body = json!({"ip": "10.1.0.61", "for": "id:02", "network": "lab"});
    let (status, text) = refusal(&api, "POST", "reservations", body).await;
    assert!(status == 422 && text.contains("outside network lab (10.0.0.0/24)"), "{text}");
}

#[tokio::test]
async fn a_reservation_moves_and_changes_hands() {
    let api = Api::furnished().await;
    api.add("networks", json!({"name": "far", "cidr": "10.1.0.0/24"})).await;
    api.add("reservations", json!({"ip": "10.0.0.60", "for": "id:01ff", "description": "printer"})).await;
    let (status, after) = api.ask("PATCH", "reservations/10.0.0.60", json!({"ip": "10.1.0.60"})).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    let moved = json!({"ip": "10.1.0.60", "for": "id:01ff", "network": "far", "description": "printer"});
    assert_eq!(after, moved);
    assert_eq!(api.get("reservations").await, json!([moved]), "the old address is free");
    let (_, after) = api.ask("PATCH", "reservations/10.1.0.60", json!({"for": "id:02", "description": ""})).await;
    assert_eq!((&after["for"], &after["description"]), (&json!("id:02"), &json!("")));
    api.add("reservations", kept("10.1.0.61", "id:01ff")).await;
    for (body, status, words) in [
        (json!({"ip": "10.1.0.61"}), 409, "the reservation for id:01ff"),
        (json!({"for": "id:01ff"}), 409, "the reservation of 10.1.0.61"),
        (json!({"ip": "10.0.0.11"}), 409, "machine web1"),
        (json!({"ip": "10.7.0.1"}), 422, "outside network far"),
    ] {
        let (got, text) = refusal(&api, "PATCH", "reservations/10.1.0.60", body.clone()).await;
        assert!(got == status && text.contains(words), "{body}: {got} {text}");
    }
    assert_eq!(api.ask("DELETE", "reservations/10.1.0.60", Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(api.refused("DELETE", "reservations/10.1.0.60", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_machine_takes_neither_the_address_nor_the_card_of_a_reservation() {
    let api = Api::furnished().await;
    api.add("reservations", kept("10.0.0.60", &format!("mac:{}", mac(9)))).await;
    for (body, words) in [
        (json!({"name": "web2", "interfaces": [{"mac": mac(2), "ip": "10.0.0.60"}]}), "10.0.0.60"),
        (machine("web2", 9), "`kickstand reservation remove 10.0.0.60` first"),
    ] {
        let (_, text) = refusal(&api, "POST", "machines", body.clone()).await;
        assert!(text.contains(words), "{body}: {text}");
        let (_, error) = api.refused("POST", "machines/batch", json!([machine("web3", 3), body])).await;
        assert_eq!(error["errors"][0]["index"], 1, "{error}");
    }
    let cards = json!({"interfaces": [{"mac": mac(1), "ip": "10.0.0.60"}]});
    let (status, text) = refusal(&api, "PATCH", "machines/web1", cards).await;
    assert!(status == 409 && text.contains("the reservation for mac:"), "{text}");
    let (status, text) = refusal(&api, "POST", "machines/web1/replace", json!({"mac": mac(9)})).await;
    assert!(status == 422 && text.contains("reservation remove 10.0.0.60"), "{text}");
    api.ask("DELETE", "reservations/10.0.0.60", Value::Null).await;
    api.add("machines", json!({"name": "web2", "interfaces": [{"mac": mac(9), "ip": "10.0.0.60"}]})).await;
}

#[tokio::test]
async fn a_network_stays_while_an_address_of_it_is_kept() {
    let api = Api::start().await;
    api.add("networks", json!({"name": "lab", "cidr": "10.0.0.0/24"})).await;
    api.add("reservations", kept("10.0.0.200", "id:01")).await;
    let (status, text) = refusal(&api, "DELETE", "networks/lab", Value::Null).await;
    assert!(status == 409 && text.contains("used by reservation 10.0.0.200"), "{text}");
    for body in [json!({"cidr": "10.0.0.0/25"}), json!({"gateway": "10.0.0.200"})] {
        let (status, text) = refusal(&api, "PATCH", "networks/lab", body).await;
        assert!(status == 422 && text.contains("reservation 10.0.0.200 would lose its place"), "{text}");
    }
}

#[tokio::test]
async fn a_replaced_card_gets_no_reservation() {
    let api = Api::furnished().await;
    api.ask("POST", "machines/web1/replace", json!({"mac": mac(7)})).await;
    let (status, text) = refusal(&api, "POST", "reservations", kept("10.0.0.60", &format!("mac:{}", mac(1)))).await;
    assert!(status == 422 && text.contains("kickstand machine forget"), "{text}");
}

#[tokio::test]
async fn why_knows_a_reservation() {
    let api = Api::furnished().await;
    api.add("reservations", kept("10.0.0.60", &format!("mac:{}", mac(9)))).await;
    let scenes = api.get(&format!("why/{}", mac(9))).await;
    assert!(scenes[0]["answer"].as_str().unwrap().starts_with("10.0.0.60 for 3600 s"), "{scenes}");
    assert!(scenes[0]["why"].to_string().contains("which is no machine of ours"), "{scenes}");
}
