//! Streams a file from the server, through broken connections and a restart of the server.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use ureq::Body;
use ureq::http::Response;

use crate::client::{self, Client};
use crate::retry::{Failure, Patience};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Request(#[from] client::Error),
    #[error("{url} changed while it was fetched: start again")]
    Changed { url: String },
    #[error("{url} ended after {received} of {total} bytes")]
    Short { url: String, received: u64, total: u64 },
    #[error("cannot write what was fetched: {0}")]
    Write(std::io::Error),
}

/// One download: what is known of the file and how much of it has been written.
struct Download<'a> {
    client: &'a Client,
    url: &'a str,
    written: u64,
    total: Option<u64>,
    etag: Option<String>,
}

/// Writes the file at `url` to `output`, each byte once and in order, and calls `on_progress(written, total)`.
///
/// Gives up when nothing arrived for the whole of `patience`, or at once when the server refuses. A reader of
/// `output` has seen part of the file by then: what it made of it must not be used.
pub fn stream(
    client: &Client,
    patience: Patience,
    url: &str,
    output: &mut dyn Write,
    mut on_progress: impl FnMut(u64, u64),
) -> Result<u64, Error> {
    let mut download = Download { client, url, written: 0, total: None, etag: None };
    let mut pause = patience.first_pause;
    let mut advanced = Instant::now();
    loop {
        let before = download.written;
        let failure = match download.attempt(output, &mut on_progress) {
            Ok(()) => return Ok(download.written),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Again(error)) => error,
        };
        if download.written > before {
            advanced = Instant::now();
            pause = patience.first_pause;
        } else if advanced.elapsed() + pause > patience.total {
            return Err(failure);
        }
        eprintln!("kickstand-agent: {failure}; resuming at byte {}", download.written);
        std::thread::sleep(pause);
        pause = (pause * 2).min(patience.longest_pause);
    }
}

impl Download<'_> {
    fn attempt(
        &mut self,
        output: &mut dyn Write,
        on_progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), Failure<Error>> {
        let range = format!("bytes={}-", self.written);
        let headers: &[_] = if self.written > 0 { &[("Range", &*range)] } else { &[] };
        let response = self.client.get(self.url, headers).map_err(|failure| match failure {
            Failure::Again(error) => Failure::Again(error.into()),
            Failure::Final(error) => Failure::Final(error.into()),
        })?;
        let mut skip = self.recognise(&response).map_err(Failure::Final)?;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => {
                    return Err(Failure::Again(client::unreachable(self.url, &error).into()));
                }
            };
            let skipped = skip.min(count as u64);
            skip -= skipped;
            let fresh = &buffer[skipped as usize..count];
            output.write_all(fresh).map_err(|error| Failure::Final(Error::Write(error)))?;
            self.written += fresh.len() as u64;
            on_progress(self.written, self.total.unwrap_or(0));
        }
        output.flush().map_err(|error| Failure::Final(Error::Write(error)))?;
        match self.total {
            Some(total) if self.written < total => {
                Err(Failure::Again(Error::Short { url: self.url.to_owned(), received: self.written, total }))
            }
            _ => Ok(()),
        }
    }

    /// Checks that this is the same file as before, and tells how many bytes of the body have been written already.
    fn recognise(&mut self, response: &Response<Body>) -> Result<u64, Error> {
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok()
        };
        let (start, total) = if response.status() == 206 {
            header("content-range").and_then(parse_content_range).unwrap_or((self.written, self.total))
        } else {
            (0, header("content-length").and_then(|length| length.parse().ok()))
        };
        let etag = header("etag").map(str::to_owned);
        let first = self.total.is_none() && self.written == 0;
        if !first && (total != self.total || etag != self.etag) || start > self.written {
            return Err(Error::Changed { url: self.url.to_owned() });
        }
        self.total = total;
        self.etag = etag;
        Ok(self.written - start)
    }
}

/// `bytes 5-9/10` → first byte and size of the whole.
fn parse_content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _end) = range.split_once('-')?;
    Some((start.parse().ok()?, size.parse().ok()))
}

/// Which percentages of a download are worth a report: at most one a second, and only when the number moves.
pub struct Gauge {
    pub from: u8,
    pub to: u8,
    last: Option<(u8, Instant)>,
}

impl Gauge {
    pub fn new(from: u8, to: u8) -> Gauge {
        Gauge { from, to, last: None }
    }

    pub fn step(&mut self, written: u64, total: u64, now: Instant) -> Option<u8> {
        let span = u64::from(self.to.saturating_sub(self.from));
        let share = span * written.min(total) / total.max(1);
        let percent = self.from + share as u8;
        match self.last {
            Some((last, _)) if last == percent => return None,
            Some((_, at)) if now.duration_since(at) < Duration::from_secs(1) => return None,
            _ => {}
        }
        self.last = Some((percent, now));
        Some(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{ScriptedServer, answer, plain};
    use crate::retry::tests::BRISK;

    fn part(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}").into_bytes()
    }

    fn fetched(server: &ScriptedServer) -> (Result<u64, Error>, String) {
        let mut output = Vec::new();
        let outcome = stream(&plain(), BRISK, &server.url, &mut output, |_, _| {});
        (outcome, String::from_utf8(output).unwrap())
    }

    #[test]
    fn resumes_where_the_connection_broke() {
        let server = ScriptedServer::start(vec![
            part("200 OK\r\nContent-Length: 10", "0123"),
            Vec::new(),
            answer("503 Starting", ""),
            part("206 Partial Content\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6", "456789"),
        ]);
        let (outcome, output) = fetched(&server);
        assert_eq!((outcome.unwrap(), output.as_str()), (10, "0123456789"));
        assert!(server.asked()[3].to_lowercase().contains("range: bytes=4-"));
        assert!(!server.asked()[0].to_lowercase().contains("range:"));
    }

    #[test]
    fn a_server_without_ranges_sends_all_again_and_no_byte_is_written_twice() {
        let server = ScriptedServer::start(vec![
            part("200 OK\r\nContent-Length: 10", "01234"),
            part("200 OK\r\nContent-Length: 10", "0123456789"),
        ]);
        let (outcome, output) = fetched(&server);
        assert_eq!((outcome.unwrap(), output.as_str()), (10, "0123456789"));
    }

    #[test]
    fn a_file_that_changed_is_not_glued_together() {
        for second in
            ["206 Partial Content\r\nContent-Range: bytes 4-10/11\r\nContent-Length: 7", "200 OK\r\nContent-Length: 11"]
        {
            let server =
                ScriptedServer::start(vec![part("200 OK\r\nContent-Length: 10", "0123"), part(second, "456789a")]);
            assert!(matches!(fetched(&server).0, Err(Error::Changed { .. })), "{second}");
        }
        let server = ScriptedServer::start(vec![
            part("200 OK\r\nETag: \"a\"\r\nContent-Length: 10", "0123"),
            part("206 Partial Content\r\nETag: \"b\"\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6", "456789"),
        ]);
        assert!(matches!(fetched(&server).0, Err(Error::Changed { .. })));
    }

    #[test]
    fn a_missing_file_is_final() {
        let server = ScriptedServer::start(vec![answer("404 Not Found", "no such image")]);
        let (outcome, output) = fetched(&server);
        assert!(matches!(outcome, Err(Error::Request(error)) if error.status() == Some(404)));
        assert_eq!(output, "");
    }

    #[test]
    fn progress_is_told_once_a_second_and_only_when_it_moves() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut gauge = Gauge::new(20, 70);
        assert_eq!(gauge.step(0, 1000, after(0)), Some(20));
        assert_eq!(gauge.step(500, 1000, after(900)), None);
        assert_eq!(gauge.step(500, 1000, after(1000)), Some(45));
        assert_eq!(gauge.step(501, 1000, after(5000)), None);
        assert_eq!(gauge.step(1000, 1000, after(5001)), Some(70));
        assert_eq!(Gauge::new(3, 9).step(5, 0, start), Some(3));
    }
}
