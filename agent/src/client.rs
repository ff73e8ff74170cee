//! HTTP as the agent speaks it: plain, without redirects, and always clear about whether to ask again.

use std::time::Duration;

use serde::Serialize;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::retry::Failure;

/// What a request came to when it brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach {url}: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("{url} answered {status}{said}")]
    Refused {
        url: String,
        status: u16,
        /// The server's own words, with a separator before them; or nothing.
        said: String,
    },
}

impl Error {
    pub fn status(&self) -> Option<u16> {
        match self {
            Error::Unreachable { .. } => None,
            Error::Refused { status, .. } => Some(*status),
        }
    }
}

/// A server that hangs is found out after this; a body that takes longer is resumed, not waited for.
const ANSWER_SECS: u64 = 30;
const BODY_SECS: u64 = 60;
const ERROR_BODY_BYTES: u64 = 2_000;

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The server is on this network; a proxy in the environment is for others.
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_send_body(Some(Duration::from_secs(ANSWER_SECS)))
        .timeout_recv_response(Some(Duration::from_secs(ANSWER_SECS)))
        .timeout_recv_body(Some(Duration::from_secs(BODY_SECS)))
        .user_agent(concat!("kickstand-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Asks for `url` with these headers; the body of a 2xx answer is still to be read.
pub fn get(url: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, Failure<Error>> {
    let mut request = agent().get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    judge(url, request.call())
}

/// Posts `message` as JSON, with a bearer token if there is one, and gives the answer's body.
pub fn post(url: &str, bearer: Option<&str>, message: &impl Serialize) -> Result<String, Failure<Error>> {
    let body = serde_json::to_vec(message).expect("wire types have string keys");
    let mut request = agent().post(url).header("Content-Type", "application/json");
    if let Some(token) = bearer {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = judge(url, request.send(&body[..]))?;
    response.body_mut().read_to_string().map_err(|error| Failure::Again(unreachable(url, &error)))
}

/// Away, hanging, 5xx, "slow down" → again; every other refusal is final.
fn judge(url: &str, outcome: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, Failure<Error>> {
    let mut response = match outcome {
        Ok(response) => response,
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
            return Err(Failure::Final(unreachable(url, &error)));
        }
        Err(error) => return Err(Failure::Again(unreachable(url, &error))),
    };
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.body_mut().with_config().limit(ERROR_BODY_BYTES).read_to_string().unwrap_or_default();
    let said = match text.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    };
    let error = Error::Refused { url: url.to_owned(), status: status.as_u16(), said };
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        Err(Failure::Again(error))
    } else {
        Err(Failure::Final(error))
    }
}

pub(crate) fn unreachable(url: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::Unreachable { url: url.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;

    /// Answers each connection with the next of the given bytes, then hangs up; keeps what it was asked.
    pub(crate) struct ScriptedServer {
        pub url: String,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl ScriptedServer {
        pub(crate) fn start(answers: Vec<Vec<u8>>) -> ScriptedServer {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let heard = asked.clone();
            thread::spawn(move || {
                for answer in answers {
                    let (mut stream, _) = listener.accept().unwrap();
                    let request = read_request(&mut BufReader::new(&stream));
                    heard.lock().unwrap().push(request);
                    stream.write_all(&answer).unwrap();
                }
            });
            ScriptedServer { url, asked }
        }

        pub(crate) fn asked(&self) -> Vec<String> {
            self.asked.lock().unwrap().clone()
        }
    }

    fn read_request(stream: &mut impl BufRead) -> String {
        let mut request = String::new();
        let mut body_bytes = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
                body_bytes = length.trim().parse().unwrap();
            }
            request += &line;
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; body_bytes];
        stream.read_exact(&mut body).unwrap();
        request + &String::from_utf8(body).unwrap()
    }

    pub(crate) fn answer(status: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn a_client_error_is_final_and_a_server_error_is_not() {
        for (status, again) in [
            ("404 Not Found", false),
            ("409 Conflict", false),
            ("301 Moved", false),
            ("429 Too Many Requests", true),
            ("500 Oops", true),
            ("503 Starting", true),
        ] {
            let server = ScriptedServer::start(vec![answer(status, "why")]);
            let failure = get(&server.url, &[]).unwrap_err();
            assert_eq!(matches!(failure, Failure::Again(_)), again, "{status}");
            assert!(failure.into_inner().to_string().ends_with(": why"));
        }
    }

    #[test]
    fn nobody_listening_is_worth_another_attempt() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(get(&format!("http://{port}/"), &[]), Err(Failure::Again(Error::Unreachable { .. }))));
    }

    #[test]
    fn an_address_that_is_none_is_final() {
        assert!(matches!(get("http://", &[]), Err(Failure::Final(_))));
    }

    #[test]
    fn posts_json_with_a_bearer_token() {
        let server = ScriptedServer::start(vec![answer("200 OK", "{}")]);
        let said = post(&server.url, Some("secret"), &serde_json::json!({"a": 1})).unwrap();
        assert_eq!(said, "{}");
        let asked = server.asked().remove(0).to_lowercase();
        assert!(asked.contains("authorization: bearer secret"), "{asked}");
        assert!(asked.ends_with(r#"{"a":1}"#), "{asked}");
    }
}
