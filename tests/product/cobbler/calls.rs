//! How a call is written, and how large it may be.

use super::{open, post_xml};
use crate::rig::{Appliance, get, request};

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
