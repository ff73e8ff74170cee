//! Boot loaders, kernels, initrds and images: what a path asks for, what is there, and the answer by hyper.
//!
//! On plain TCP `direct` answers before hyper; this is the same for the socket, for HTTPS, and for who asked hyper for
//! something else before.

use super::auth::Peer;
use super::conditions::{Conditions, Kept, Plan};
use super::machine::{from, refused};
use crate::engine::{BootFile, Engine, folder};
use crate::model::By;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fs::{File, Metadata};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::time::Instant;

/// How much of a file is read at a time; who does not take it holds it.
const CHUNK: usize = 32 * 1024;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Loader(String),
    File(String),
}

impl Wanted {
    /// shim and GRUB ask for `//grubx64.efi`; a redirect would break them, so doubled slashes count as one. The name is
    /// decoded once. None: a path of something else.
    pub fn of(path: &str) -> Option<Wanted> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let rest = path.strip_prefix('/')?.trim_start_matches('/');
        let (room, name) = rest.split_once('/')?;
        // What is no text is the name of nothing.
        let name = || decoded(&collapsed(name.trim_start_matches('/'))).unwrap_or_default();
        match room {
            "loader" => Some(Wanted::Loader(name())),
            // GRUB's own folder, wherever it came from.
            "grub" => Some(Wanted::Loader(format!("grub/{}", name()))),
            "files" => Some(Wanted::File(name())),
            _ => None,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Wanted::Loader(name) | Wanted::File(name) => name,
        }
    }
}

/// Without doubled slashes.
pub fn collapsed(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !single.ends_with('/') {
            single.push(c);
        }
    }
    single
}

pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digit =
                    |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                high << 4 | low
            }
            plain => plain,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

/// The bytes themselves.
pub enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

pub struct Found {
    pub source: Source,
    pub kept: Kept,
}

/// A status, and what is said of it.
pub type Refused = (StatusCode, String);

/// What is there under this name, for who asks from there.
pub async fn find(engine: &Engine, wanted: &Wanted, from: Option<Ipv4Addr>) -> Result<Found, Refused> {
    let kind = content_type(wanted.name());
    match wanted {
        Wanted::Loader(name) => match engine.boot_file(name, from, By::Http).await {
            Ok(BootFile::Loader(loaded)) => Ok(in_memory(loaded.bytes, Some(&loaded.tag), kind)),
            // It may carry a token.
            Ok(BootFile::Script(text)) => Ok(in_memory(text.into(), None, "text/plain; charset=utf-8")),
            Ok(BootFile::File(_) | BootFile::NotFound) => Err(nothing()),
            Err(error) => Err(refused(&error, "boot loader")),
        },
        Wanted::File(name) => match folder::open(&engine.files, name).await {
            Ok(Some((file, meta))) => {
                let kept = Kept { size: meta.len(), tag: Some(tag(&meta)), modified: meta.modified().ok(), kind };
                Ok(Found { source: Source::File(Arc::new(file)), kept })
            }
            Ok(None) => Err(nothing()),
            Err(error) => {
                tracing::warn!(%error, name, "a file could not be opened");
                Err((StatusCode::SERVICE_UNAVAILABLE, "not now: see the server's log\n".into()))
            }
        },
    }
}

fn in_memory(bytes: Bytes, tag: Option<&str>, kind: &'static str) -> Found {
    let (size, tag) = (bytes.len() as u64, tag.map(|tag| format!("\"{tag}\"")));
    Found { source: Source::Memory(bytes), kept: Kept { size, tag, modified: None, kind } }
}

fn nothing() -> Refused {
    (StatusCode::NOT_FOUND, "not found\n".into())
}

/// Tells this content from an earlier one, also of the same size and put in its place.
fn tag(meta: &Metadata) -> String {
    let nanos = i128::from(meta.mtime()).saturating_mul(1_000_000_000).saturating_add(i128::from(meta.mtime_nsec()));
    format!("\"{nanos:x}-{:x}-{:x}\"", meta.len(), meta.ino())
}

/// EDK2 believes the type before the name (HttpBootSupport.c).
fn content_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("efi") => "application/efi",
        Some("iso") => "application/vnd.efi-iso",
        Some("img") => "application/vnd.efi-img",
        Some("cfg" | "ipxe" | "ks" | "txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Which door a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Http,
    Https,
}

/// `GET` and `HEAD` of `/loader/…` and `/files/…`.
pub async fn file(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let Some(wanted) = Wanted::of(request.uri().path()) else { return nothing().into_response() };
    send(engine, peer, request, wanted).await
}

/// This file, whatever the path is that asks for it.
pub(super) async fn send(engine: Arc<Engine>, peer: Peer, request: Request, wanted: Wanted) -> Response {
    let Found { source, kept } = match find(&engine, &wanted, from(&peer)).await {
        Ok(found) => found,
        Err(refused) => return refused.into_response(),
    };
    let by = request.extensions().get::<Door>().copied().unwrap_or(Door::Http);
    let is_head = *request.method() == Method::HEAD;
    let plan = Plan::of(&conditions(request.headers()), is_head, &kept);
    let body = match is_head {
        true => Body::empty(),
        false => stream(Sending::new((engine, by), wanted, source, &plan, from(&peer))),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(plan.status).unwrap_or_default();
    plan.lines(&kept, |name, value| {
        if let Ok(value) = HeaderValue::try_from(value.to_string()) {
            response.headers_mut().insert(name, value);
        }
    });
    response
}

fn conditions(headers: &HeaderMap) -> Conditions {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Conditions {
        range: text(header::RANGE),
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
        if_modified_since: text(header::IF_MODIFIED_SINCE),
    }
}

/// A file on its way out. When the last byte is gone the engine hears of it.
struct Sending {
    engine: Arc<Engine>,
    by: Door,
    wanted: Wanted,
    source: Source,
    from: Option<Ipv4Addr>,
    at: u64,
    end: u64,
    length: u64,
    since: Instant,
}

impl Sending {
    fn new(
        (engine, by): (Arc<Engine>, Door),
        wanted: Wanted,
        source: Source,
        plan: &Plan,
        from: Option<Ipv4Addr>,
    ) -> Sending {
        let (at, end, length) = (plan.start, plan.end, plan.length());
        Sending { engine, by, wanted, source, from, at, end, length, since: Instant::now() }
    }
}

fn stream(sending: Sending) -> Body {
    Body::from_stream(futures_util::stream::try_unfold(sending, next_chunk))
}

async fn next_chunk(mut sending: Sending) -> io::Result<Option<(Bytes, Sending)>> {
    let left = sending.end.saturating_sub(sending.at);
    if left == 0 {
        return Ok(None);
    }
    let size = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
    let chunk = read(&sending.source, sending.at, size).await?;
    sending.at = sending.at.saturating_add(chunk.len() as u64);
    if sending.at >= sending.end
        && let Some(from) = sending.from
    {
        let by = if sending.by == Door::Https { "HTTPS" } else { "HTTP" };
        sending.engine.sent(sending.wanted.name(), from, sending.length, sending.since.elapsed(), by);
    }
    Ok(Some((chunk, sending)))
}

/// So many bytes from there, and no fewer.
pub async fn read(source: &Source, at: u64, size: usize) -> io::Result<Bytes> {
    let shorter = || io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
    match source {
        Source::Memory(bytes) => {
            let start = usize::try_from(at).map_err(io::Error::other)?;
            let part = start..start.saturating_add(size);
            bytes.get(part.clone()).map(|_| bytes.slice(part)).ok_or_else(shorter)
        }
        Source::File(file) => {
            let file = file.clone();
            let read = move || {
                let mut chunk = vec![0; size];
                file.read_exact_at(&mut chunk, at).map(|()| Bytes::from(chunk))
            };
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_asks_for_a_loader_or_a_file() {
        let (file, loader) = (|n: &str| Some(Wanted::File(n.into())), |n: &str| Some(Wanted::Loader(n.into())));
        for (path, wanted) in [
            ("/files/d/vmlinuz", file("d/vmlinuz")),
            ("//files//d///vmlinuz?x=/loader/y", file("d/vmlinuz")),
            ("/files/a%20b%2Fc", file("a b/c")),
            ("/files/%252e", file("%2e")),
            ("/files/%ff", file("")),
            ("/files/%4", file("")),
            ("/files/%zz", file("")),
            ("/files/%+1", file("")),
            ("/files/", file("")),
            ("/loader/debian//grubx64.efi", loader("debian/grubx64.efi")),
            ("/grub/grub.cfg", loader("grub/grub.cfg")),
            ("/files", None),
            ("/filesystem/x", None),
            ("files/x", None),
            ("/boot/x", None),
            ("http://host/files/x", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(Wanted::of(path), wanted, "{path}");
        }
    }

    #[test]
    fn firmware_is_told_what_it_gets() {
        for (name, kind) in [
            ("BOOTX64.EFI", "application/efi"),
            ("d/boot.iso", "application/vnd.efi-iso"),
            ("d/initrd.img", "application/vnd.efi-img"),
            ("grub.cfg", "text/plain; charset=utf-8"),
            ("d.efi/vmlinuz", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), kind, "{name}");
        }
    }
}
