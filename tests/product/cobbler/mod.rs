//! What clients of Cobbler are told and given, and what nobody is.

mod announcements;
mod attacks;
mod calls;
mod files;
mod installs;
mod records;

use crate::rig::{Answer, Appliance, request};
use kickstand::config::{Cobbler, Config};
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
