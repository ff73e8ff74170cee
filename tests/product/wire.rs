//! Hostile and broken input on every door: dropped, and the next good one is answered.

use crate::rig::{Appliance, Booted};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

#[tokio::test]
async fn malformed_packets_stop_nothing() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let running = appliance.running();
    for size in [0usize, 1, 43, 235, 236, 240, 241, 576, 1500] {
        for fill in [0u8, 1, 53, 255] {
            let mut bytes = vec![fill; size];
            if size > 240 {
                bytes[..4].copy_from_slice(&[1, 1, 16, 0]);
                bytes[236..240].copy_from_slice(&[99, 130, 83, 99]);
            }
            socket.send_to(&bytes, running.dhcp[0]).await.unwrap();
            socket.send_to(&bytes, running.tftp[0]).await.unwrap();
        }
    }
    assert!(matches!(machine.power_on().await, Booted::OwnDisk), "the next good packet is answered");
}

#[tokio::test]
async fn malformed_requests_stop_nothing() {
    let appliance = Appliance::start().await;
    for bytes in [
        &b"\0\0\0\0"[..],
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /report/x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(appliance.running().http[0]).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    let deep = "[".repeat(20_000);
    let answer = crate::rig::get(appliance.ip(66), &appliance.url("/nowhere"), "").await;
    assert_eq!(answer.status, 404);
    let mut stream = TcpStream::connect(appliance.running().http[0]).await.unwrap();
    let request = format!(
        "POST /agent/register HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{deep}",
        deep.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(matches!(appliance.add_machine("web-1", 10).await.power_on().await, Booted::OwnDisk));
}

#[tokio::test]
async fn who_opens_connections_and_says_nothing_stops_nobody_else() {
    let appliance = Appliance::start().await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(appliance.running().http[0]).await.unwrap());
    }
    assert_eq!(crate::rig::get(appliance.ip(66), &appliance.url("/files/d/vmlinuz"), "").await.status, 200);
    let mut refused = 0;
    for stream in &mut idle {
        let mut byte = [0];
        let closed = tokio::time::timeout(std::time::Duration::from_millis(5), stream.read(&mut byte)).await;
        refused += usize::from(matches!(closed, Ok(Ok(0) | Err(_))));
    }
    assert!(refused >= 300 - 256, "beyond its share each is closed at once: {refused}");
}
