//! As much of an HTTP client as firmware has: one request, from a chosen address, one answer.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// GET, with further header lines.
pub async fn get(from: Ipv4Addr, url: &str, headers: &str) -> Answer {
    request(from, "GET", url, headers, b"").await
}

pub async fn post(from: Ipv4Addr, url: &str, headers: &str, body: &serde_json::Value) -> Answer {
    request(from, "POST", url, &format!("Content-Type: application/json\r\n{headers}"), body.to_string().as_bytes())
        .await
}

pub async fn request(from: Ipv4Addr, method: &str, url: &str, headers: &str, body: &[u8]) -> Answer {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let to: SocketAddr = if host.contains(':') { host.parse().unwrap() } else { format!("{host}:80").parse().unwrap() };
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: all[end + 4..].to_vec() }
}

/// Several requests on one connection, written as they are.
pub struct Conversation {
    pub stream: TcpStream,
    seen: Vec<u8>,
}

impl Conversation {
    /// `url` is any of the server's; a small buffer makes a client that holds little of what it does not read.
    pub async fn open(from: Ipv4Addr, url: &str, buffer_bytes: Option<u32>) -> Conversation {
        let to: SocketAddr = url.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = buffer_bytes {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        Conversation { stream: socket.connect(to).await.unwrap(), seen: Vec::new() }
    }

    pub async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer. One to HEAD has no body.
    pub async fn hear(&mut self, is_to_head: bool) -> Answer {
        let end = loop {
            if let Some(end) = self.seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await;
        };
        let head = String::from_utf8(self.seen.drain(..end).collect()).unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length: usize = if is_to_head || status == 304 { 0 } else { length.expect("an answer has a length") };
        while self.seen.len() < length {
            self.more().await;
        }
        Answer { status, head, body: self.seen.drain(..length).collect() }
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.seen);
        let read = tokio::time::timeout(std::time::Duration::from_secs(30), read).await.expect("an answer comes");
        assert!(read.unwrap() > 0, "it was closed after {:?}", String::from_utf8_lossy(&self.seen));
    }
}
