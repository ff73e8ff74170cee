//! As much of an HTTP client as asking our server through its socket takes.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Asks below /api/v1; the answer as it was read, to be parsed when no clock runs.
pub fn ask(socket: &Path, method: &str, path: &str, body: &Value) -> Result<String> {
    request(socket, method, &format!("/api/v1/{path}"), &body.to_string())
}

pub fn get(socket: &Path, path: &str) -> Result<String> {
    request(socket, "GET", path, "")
}

fn request(socket: &Path, method: &str, path: &str, body: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket).with_context(|| format!("no server at {}", socket.display()))?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: kickstand\r\nConnection: close\r\n");
    let length = body.len();
    let whole = format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(whole.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, text) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    let status: u16 = head.split_whitespace().nth(1).unwrap_or_default().parse()?;
    ensure!((200..300).contains(&status), "{method} {path}: {status}: {}", text.get(..500).unwrap_or(text));
    Ok(text.to_owned())
}
