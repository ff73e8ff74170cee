//! The head of a request: read from the socket until it is whole, then asked whether it is for a file.

use super::Line;
use crate::http::conditions::Conditions;
use crate::http::files::Wanted;
use bytes::BytesMut;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a client may take for a head, and how long one may be.
pub const HEAD_LIMIT: Duration = Duration::from_secs(10);
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;
/// How much is read at a time.
const READ_BYTES: usize = 4096;

/// What a client began.
#[derive(Debug)]
pub enum Head {
    /// It said nothing for long, or went.
    Closed,
    TooLong,
    /// For a file: taken out of what was read.
    File(Request),
    /// For anything else: left in what was read.
    Other,
}

/// A request for a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub wanted: Wanted,
    pub is_head: bool,
    /// The client wants no other answer on this connection.
    pub is_last: bool,
    pub conditions: Conditions,
}

/// Reads on until a head is whole. `seen` has what was read and is not yet answered.
pub async fn read(line: &Line<'_>, seen: &mut BytesMut, is_first: bool) -> io::Result<Head> {
    let mut looked = 0;
    let limit = if is_first || !seen.is_empty() { HEAD_LIMIT } else { line.place.idle_limit() };
    let mut end = Instant::now() + limit;
    loop {
        if let Some(head) = whole(seen, &mut looked) {
            return Ok(head);
        }
        if seen.len() >= HEAD_BYTES {
            return Ok(Head::TooLong);
        }
        let was_idle = seen.is_empty() && !is_first;
        match timeout_at(end, more(line, seen)).await {
            Ok(Ok(0)) | Err(_) => return Ok(Head::Closed),
            Ok(Ok(_)) if was_idle => end = Instant::now() + HEAD_LIMIT,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
        }
    }
}

async fn more(line: &Line<'_>, seen: &mut BytesMut) -> io::Result<usize> {
    loop {
        line.stream.readable().await?;
        // Only now: who is idle has no buffer.
        seen.reserve(READ_BYTES);
        match line.stream.try_read_buf(seen) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

/// The head that `seen` begins with, if all of it is there. What was `looked` at is not looked at again: a head may come
/// byte by byte.
fn whole(seen: &mut BytesMut, looked: &mut usize) -> Option<Head> {
    let new = seen.get(looked.saturating_sub(3)..)?;
    let ends = new.windows(2).any(|two| two == b"\n\n") || new.windows(3).any(|three| three == b"\n\r\n");
    *looked = seen.len();
    if !ends {
        return None;
    }
    let (head, length) = parsed(seen)?;
    if matches!(head, Head::File(_)) {
        let _ = seen.split_to(length.min(seen.len()));
    }
    Some(head)
}

/// What can not be read as a head is for hyper to refuse.
fn parsed(seen: &[u8]) -> Option<(Head, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(seen) {
        Ok(httparse::Status::Complete(length)) => Some((for_a_file(&request), length)),
        Ok(httparse::Status::Partial) => None,
        Err(httparse::Error::TooManyHeaders) => Some((Head::TooLong, 0)),
        Err(_) => Some((Head::Other, 0)),
    }
}

fn for_a_file(request: &httparse::Request<'_, '_>) -> Head {
    let path = request.path.unwrap_or_default();
    let is_head = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Head::Other,
    };
    let Some(wanted) = Wanted::of(path) else { return Head::Other };
    let mut asked = Request { wanted, is_head, is_last: request.version != Some(1), conditions: Conditions::default() };
    for header in request.headers.iter() {
        if !asked.hears(header) {
            return Head::Other;
        }
    }
    Head::File(asked)
}

impl Request {
    /// False when the line makes it more than a request for a file.
    fn hears(&mut self, header: &httparse::Header<'_>) -> bool {
        // A line that might say how long a body is must not be passed over unread: hyper refuses it where it does.
        let Ok(text) = std::str::from_utf8(header.value) else { return false };
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let conditions = &mut self.conditions;
        // The first letters tell most lines apart at once.
        match header.name.as_bytes().first().map(u8::to_ascii_lowercase) {
            Some(b'c') if is("content-length") => return text.trim() == "0",
            Some(b'c') if is("connection") => {
                self.is_last |= text.split(',').any(|word| word.trim().eq_ignore_ascii_case("close"));
            }
            Some(b't') if is("transfer-encoding") => return false,
            Some(b'e') if is("expect") => return false,
            Some(b'u') if is("upgrade") => return false,
            Some(b'r') if is("range") => conditions.range = Some(text.to_owned()),
            Some(b'i') if is("if-range") => conditions.if_range = Some(text.to_owned()),
            Some(b'i') if is("if-none-match") => conditions.if_none_match = Some(text.to_owned()),
            Some(b'i') if is("if-modified-since") => conditions.if_modified_since = Some(text.to_owned()),
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(text: impl AsRef<[u8]>) -> (Vec<Head>, BytesMut) {
        let (mut seen, mut heads) = (BytesMut::from(text.as_ref()), Vec::new());
        let mut looked = 0;
        while let Some(head) = whole(&mut seen, &mut looked) {
            let is_file = matches!(head, Head::File(_));
            heads.push(head);
            looked = 0;
            if !is_file {
                break;
            }
        }
        (heads, seen)
    }

    #[test]
    fn requests_for_files_are_taken_and_the_rest_is_left() {
        let post = "POST /report/x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        let text = format!(
            "GET /files/a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /loader/b HTTP/1.1\r\nConnection: close\r\n\r\n{post}"
        );
        let (heads, left) = heads(&text);
        let [Head::File(a), Head::File(b), Head::Other] = &heads[..] else { panic!("{heads:?}") };
        assert_eq!((a.wanted.clone(), a.is_head, a.is_last), (Wanted::File("a".into()), false, false));
        assert_eq!((b.wanted.clone(), b.is_head, b.is_last), (Wanted::Loader("b".into()), true, true));
        assert_eq!(left, post.as_bytes());
    }

    #[test]
    fn what_is_more_than_a_request_for_a_file_is_not_taken() {
        for lines in [
            "GET /files/a HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
            "GET /files/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /files/a HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
            "GET /files/a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
            "PUT /files/a HTTP/1.1\r\n\r\n",
            "GET /boot/a HTTP/1.1\r\n\r\n",
            "GET /files/a HTTP/2.0\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            let (heads, left) = heads(lines);
            assert!(matches!(heads[..], [Head::Other]), "{lines}");
            assert_eq!(left, lines.as_bytes(), "{lines}");
        }
    }

    #[test]
    fn a_line_that_is_no_text_is_left_to_hyper() {
        for line in ["Transfer-Encoding: chunked", "Content-Length: 5", "Expect: 100-continue", "X: y"] {
            let text = [b"GET /files/a HTTP/1.1\r\n", line.as_bytes(), b"\xff\r\n\r\n"].concat();
            let (heads, left) = heads(&text);
            assert!(matches!(heads[..], [Head::Other]), "{line}");
            assert_eq!(left, text, "{line}");
        }
    }

    #[test]
    fn a_head_may_come_byte_by_byte_and_is_found_once_it_is_whole() {
        for text in ["GET /files/a HTTP/1.1\r\nRange: bytes=1-2\r\n\r\n", "\r\n\r\nGET /files/a HTTP/1.0\n\n"] {
            let (mut seen, mut looked) = (BytesMut::new(), 0);
            for (at, byte) in text.bytes().enumerate() {
                assert!(whole(&mut seen, &mut looked).is_none(), "{at} of {text:?}");
                seen.extend_from_slice(&[byte]);
            }
            assert!(matches!(whole(&mut seen, &mut looked), Some(Head::File(_))), "{text:?}");
        }
    }
}
