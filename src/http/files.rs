//! Boot loaders, kernels, initrds and images: whole or by range, always with their length.

use super::auth::Peer;
use super::machine::{failed, from, not_found};
use crate::engine::{Engine, Loaded};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::io::{self, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// How much of a file is read at a time.
const CHUNK: usize = 256 * 1024;

pub async fn loader(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
    method: Method,
) -> Response {
    match engine.loader(&name).await {
        Ok(Some(loaded)) => whole(&engine, &name, loaded, from(&peer), &method),
        Ok(None) => not_found(),
        Err(error) => failed(&error, "boot loader"),
    }
}

pub async fn file(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    match inside(&engine.files, &name).await {
        Some(path) => send(engine, Wanted { path, name, from: from(&peer) }, &method, &headers).await,
        None => not_found(),
    }
}

/// Loaders are small and always sent whole.
fn whole(engine: &Engine, name: &str, loaded: Loaded, from: Option<Ipv4Addr>, method: &Method) -> Response {
    let Loaded { bytes, tag } = loaded;
    let length = bytes.len();
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => {
            if let Some(from) = from {
                engine.sent(name, from, length as u64, Duration::ZERO, "HTTP");
            }
            Body::from(bytes)
        }
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(name).to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ETAG, format!("\"{tag}\"")),
    ];
    (headers, body).into_response()
}

/// The file of this name, unless a `..` or a link leads out of the folder.
async fn inside(folder: &FilePath, name: &str) -> Option<PathBuf> {
    if !FilePath::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let folder = tokio::fs::canonicalize(folder).await.ok()?;
    let path = tokio::fs::canonicalize(folder.join(name)).await.ok()?;
    path.starts_with(&folder).then_some(path)
}

struct Wanted {
    path: PathBuf,
    name: String,
    from: Option<Ipv4Addr>,
}

async fn send(engine: Arc<Engine>, wanted: Wanted, method: &Method, headers: &HeaderMap) -> Response {
    let opened = open(&wanted.path).await;
    let Ok((mut file, size, tag)) = opened else { return not_found() };
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).map_or(Range::Whole, |v| range(v, size));
    let (status, start, end) = match range {
        Range::Whole => (StatusCode::OK, 0, size),
        Range::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Range::Outside => {
            return (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, format!("bytes */{size}"))])
                .into_response();
        }
    };
    if start > 0 && file.seek(SeekFrom::Start(start)).await.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let length = end.saturating_sub(start);
    let kind = content_type(&wanted.name);
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => stream(engine, wanted, file, length),
    };
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_LENGTH, length.to_string()),
            (header::ACCEPT_RANGES, "bytes".to_owned()),
            (header::ETAG, tag),
        ],
        body,
    )
        .into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = format!("bytes {start}-{}/{size}", end.saturating_sub(1)).parse()
    {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// The file, its size, and a tag that tells this content from an earlier one of the same size.
async fn open(path: &FilePath) -> io::Result<(File, u64, String)> {
    let file = File::open(path).await?;
    let meta = file.metadata().await?;
    if !meta.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let age = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok((file, meta.len(), format!("\"{:x}-{:x}\"", age.as_nanos(), meta.len())))
}

/// A file on its way out. When the last byte is gone the engine hears of it.
struct Sending {
    engine: Arc<Engine>,
    wanted: Wanted,
    file: File,
    length: u64,
    left: u64,
    since: Instant,
}

fn stream(engine: Arc<Engine>, wanted: Wanted, file: File, length: u64) -> Body {
    let sending = Sending { engine, wanted, file, length, left: length, since: Instant::now() };
    Body::from_stream(futures_util::stream::try_unfold(sending, next_chunk))
}

async fn next_chunk(mut sending: Sending) -> io::Result<Option<(Bytes, Sending)>> {
    if sending.left == 0 {
        return Ok(None);
    }
    let size = usize::try_from(sending.left).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = Vec::with_capacity(size);
    let read = (&mut sending.file).take(size as u64).read_buf(&mut chunk).await?;
    if read == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent"));
    }
    sending.left = sending.left.saturating_sub(read as u64);
    if sending.left == 0
        && let Some(from) = sending.wanted.from
    {
        let Sending { engine, wanted, length, since, .. } = &sending;
        engine.sent(&wanted.name, from, *length, since.elapsed(), "HTTP");
    }
    Ok(Some((Bytes::from(chunk), sending)))
}

#[derive(Debug, PartialEq)]
enum Range {
    Whole,
    /// From the first byte to the one behind the last.
    Part(u64, u64),
    Outside,
}

/// One range of RFC 9110 §14.2; several at once, or nonsense, are answered with the whole file.
fn range(text: &str, size: u64) -> Range {
    let Some(spec) = text.strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else { return Range::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Range::Whole };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if first >= size => Range::Outside,
        (Ok(first), Ok(last)) if last >= first => Range::Part(first, last.saturating_add(1).min(size)),
        (Ok(first), Err(_)) if last.is_empty() => Range::Part(first, size),
        (Err(_), Ok(0)) if first.is_empty() => Range::Outside,
        (Err(_), Ok(tail)) if first.is_empty() => Range::Part(size.saturating_sub(tail), size),
        _ => Range::Whole,
    }
}

/// EDK2 believes the type before the name (HttpBootSupport.c).
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("efi") => "application/efi",
        Some("iso") => "application/vnd.efi-iso",
        Some("img") => "application/vnd.efi-img",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, expected) in [
            ("bytes=0-99", Range::Part(0, 100)),
            ("bytes=900-", Range::Part(900, 1000)),
            ("bytes=-100", Range::Part(900, 1000)),
            ("bytes=0-5000", Range::Part(0, 1000)),
            ("bytes=1000-", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=9-3", Range::Whole),
            ("bytes=0-1,5-6", Range::Whole),
            ("lines=1-2", Range::Whole),
        ] {
            assert_eq!(range(text, 1000), expected, "{text}");
        }
    }
}
