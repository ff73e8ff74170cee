//! Requests for files, answered before hyper: the kernel sends them from the page cache, and who does not take them
//! costs no buffer. `head` reads a request, `send` writes the answer.

mod head;
mod send;

pub use head::HEAD_LIMIT;

use super::conditions::Plan;
use super::files::{Found, Refused, find};
use super::house::Place;
use super::machine::ipv4;
use crate::engine::{Engine, stopped};
use crate::metrics::Route;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use head::{Head, Request};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// One connection, and its place in the house.
pub struct Line<'a> {
    pub stream: &'a TcpStream,
    pub from: SocketAddr,
    pub place: &'a Place,
}

/// How it went on.
pub enum Next {
    Closed,
    /// Something else is asked for: all that was read and not answered.
    Other(Bytes),
}

/// Answers until the client is done, or asks for something else than a file.
pub async fn run(line: &Line<'_>, engine: &Engine, stop: &mut watch::Receiver<bool>) -> io::Result<Next> {
    let mut seen = BytesMut::new();
    let mut is_first = true;
    loop {
        let head = tokio::select! {
            biased;
            head = head::read(line, &mut seen, is_first) => head?,
            () = stopped(stop) => return Ok(Next::Closed),
        };
        line.place.seat.busy();
        match head {
            Head::Closed => return Ok(Next::Closed),
            Head::TooLong => {
                line.refuse((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too long\n".into()), false)
                    .await?;
                return Ok(Next::Closed);
            }
            Head::Other => return Ok(Next::Other(seen.freeze())),
            Head::File(_) if !line.place.may_ask("/files/") => {
                line.refuse(full(), false).await?;
                return Ok(Next::Closed);
            }
            Head::File(request) => {
                let is_last = request.is_last || *stop.borrow();
                answer(line, engine, &Request { is_last, ..request }).await?;
                if is_last {
                    return Ok(Next::Closed);
                }
            }
        }
        line.place.seat.got_on();
        is_first = false;
        if seen.is_empty() {
            // An idle connection keeps no buffer.
            seen = BytesMut::new();
        }
    }
}

/// What is said when only the places that are kept for installs are left.
pub fn full() -> Refused {
    (StatusCode::SERVICE_UNAVAILABLE, "too many connections: try again\n".into())
}

async fn answer(line: &Line<'_>, engine: &Engine, request: &Request) -> io::Result<()> {
    let since = Instant::now();
    let path = match request.wanted {
        super::files::Wanted::Loader(_) => "/loader/",
        super::files::Wanted::File(_) => "/files/",
    };
    let Found { source, kept } = match find(engine, &request.wanted, ipv4(line.from)).await {
        Ok(found) => found,
        Err(refused) => {
            engine.metrics.request(Route::of(path), refused.0.as_u16());
            return line.answer_short(refused, !request.is_last, request.is_head).await;
        }
    };
    let plan = Plan::of(&request.conditions, request.is_head, &kept);
    let mut head = begun(StatusCode::from_u16(plan.status).unwrap_or_default(), !request.is_last);
    plan.lines(&kept, |name, value| {
        let _ = write!(head, "{name}: {value}\r\n");
    });
    head.push_str("\r\n");
    engine.metrics.request(Route::of(path), plan.status);
    let end = if request.is_head { plan.start } else { plan.end };
    line.send(head.as_bytes(), &source, plan.start, end).await?;
    if let Some(from) = ipv4(line.from).filter(|_| !request.is_head && matches!(plan.status, 200 | 206)) {
        engine.sent(request.wanted.name(), from, plan.length(), since.elapsed(), "HTTP");
    }
    Ok(())
}

/// The first lines of any head.
fn begun(status: StatusCode, keeps: bool) -> String {
    let mut head = String::with_capacity(400);
    let reason = status.canonical_reason().unwrap_or_default();
    let date = httpdate::HttpDate::from(SystemTime::now());
    let _ = write!(head, "HTTP/1.1 {} {reason}\r\nDate: {date}\r\n", status.as_u16());
    if !keeps {
        head.push_str("Connection: close\r\n");
    }
    head
}

impl Line<'_> {
    async fn answer_short(&self, (status, text): Refused, keeps: bool, is_head: bool) -> io::Result<()> {
        let mut head = begun(status, keeps);
        let _ = write!(head, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n", text.len());
        let body = if is_head { Bytes::new() } else { Bytes::from(text) };
        let end = body.len() as u64;
        self.send(head.as_bytes(), &super::files::Source::Memory(body), 0, end).await
    }

    /// Says no and closes, but not before the client had time to read it: what it goes on to send would undo that.
    async fn refuse(&self, refused: Refused, is_head: bool) -> io::Result<()> {
        self.answer_short(refused, false, is_head).await?;
        let _ = rustix::net::shutdown(self.stream, rustix::net::Shutdown::Write);
        let mut dropped = [0; 4096];
        let gone = async {
            while self.stream.readable().await.is_ok() {
                match self.stream.try_read(&mut dropped) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), gone).await;
        Ok(())
    }
}
