//! HTTP as the agent speaks it: plain or by TLS with the pinned CA, without redirects, and always clear about whether to ask again.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::retry::Failure;

/// What a request came to when it brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach {url}: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("{url} is not asked: it could not be verified, since no CA is pinned")]
    Unpinned { url: String },
    #[error("the pinned CA can not be used: {cause}")]
    BadCa { cause: String },
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
            Error::Unreachable { .. } | Error::Unpinned { .. } | Error::BadCa { .. } => None,
            Error::Refused { status, .. } => Some(*status),
        }
    }
}

/// A server that hangs is found out after this; a body that takes longer is resumed, not waited for.
const ANSWER_SECS: u64 = 30;
/// With the handshake of TLS, which waits its turn where a whole rack comes at once.
const CONNECT_SECS: u64 = 10;
const BODY_SECS: u64 = 60;
const ERROR_BODY_BYTES: u64 = 2_000;

/// Who asks, and whom it believes: over TLS only a server with a certificate of the pinned CA.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    is_pinned: bool,
}

impl Client {
    /// `ca` is PEM: one certificate, or several while an old CA gives way to a new one. The system's own are never asked.
    pub fn new(ca: Option<&str>) -> Result<Client, Error> {
        let Some(ca) = ca else { return Ok(Client { agent: agent(Vec::new()), is_pinned: false }) };
        let all = CertificateDer::pem_slice_iter(ca.as_bytes()).collect::<Result<Vec<_>, _>>();
        Client::pinned(&all.map_err(|cause| Error::BadCa { cause: cause.to_string() })?)
    }

    pub fn pinned(ca: &[CertificateDer<'static>]) -> Result<Client, Error> {
        let bad = |cause: &dyn std::fmt::Display| Error::BadCa { cause: cause.to_string() };
        // What is no certificate would be left out in silence.
        let mut store = rustls::RootCertStore::empty();
        ca.iter().try_for_each(|one| store.add(one.clone())).map_err(|cause| bad(&cause))?;
        if ca.is_empty() {
            return Err(bad(&"it holds no certificate"));
        }
        let roots = ca.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        Ok(Client { agent: agent(roots), is_pinned: true })
    }

    /// The CA in the file that $KICKSTAND_CA names, which the answer file wrote.
    pub fn of_environment() -> Result<Client, Error> {
        match std::env::var_os("KICKSTAND_CA") {
            None => Client::new(None),
            Some(path) => {
                let unreadable = |cause| Error::BadCa { cause: format!("cannot read {}: {cause}", path.display()) };
                Client::new(Some(&fs::read_to_string(Path::new(&path)).map_err(unreadable)?))
            }
        }
    }

    /// Asks for `url` with these headers; the body of a 2xx answer is still to be read.
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response<Body>, Failure<Error>> {
        let mut request = self.may_ask(url)?.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        judge(url, request.call())
    }

    /// Posts `message` as JSON, with a bearer token if there is one, and gives the answer's body.
    pub fn post(&self, url: &str, bearer: Option<&str>, message: &impl Serialize) -> Result<String, Failure<Error>> {
        let body = serde_json::to_vec(message).expect("wire types have string keys");
        let mut request = self.may_ask(url)?.post(url).header("Content-Type", "application/json");
        if let Some(token) = bearer {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = judge(url, request.send(&body[..]))?;
        response.body_mut().read_to_string().map_err(|error| Failure::Again(unreachable(url, &error)))
    }

    /// For what anybody may have said, and is believed for another reason: nothing secret goes by this one.
    pub(crate) fn of_nobody() -> Client {
        let tls = TlsConfig::builder()
            .disable_verification(true)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        Client { agent: configured(tls), is_pinned: true }
    }

    fn may_ask(&self, url: &str) -> Result<&Agent, Failure<Error>> {
        match url.starts_with("http://") || self.is_pinned {
            true => Ok(&self.agent),
            false => Err(Failure::Final(Error::Unpinned { url: url.to_owned() })),
        }
    }
}

fn agent(roots: Vec<Certificate<'static>>) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    configured(tls)
}

fn configured(tls: TlsConfig) -> Agent {
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The server may have been restarted since: each request has a connection of its own.
        .max_idle_connections(0)
        // The server is on this network; a proxy in the environment is for others.
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(CONNECT_SECS)))
        .timeout_send_body(Some(Duration::from_secs(ANSWER_SECS)))
        .timeout_recv_response(Some(Duration::from_secs(ANSWER_SECS)))
        .timeout_recv_body(Some(Duration::from_secs(BODY_SECS)))
        .user_agent(concat!("kickstand-agent/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
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

    /// Nothing is pinned: HTTP alone.
    pub(crate) fn plain() -> Client {
        Client::new(None).unwrap()
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
            let failure = plain().get(&server.url, &[]).unwrap_err();
            assert_eq!(matches!(failure, Failure::Again(_)), again, "{status}");
            assert!(failure.into_inner().to_string().ends_with(": why"));
        }
    }

    #[test]
    fn nobody_listening_is_worth_another_attempt() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(plain().get(&format!("http://{port}/"), &[]), Err(Failure::Again(Error::Unreachable { .. }))));
    }

    #[test]
    fn an_address_that_is_none_is_final() {
        assert!(matches!(plain().get("http://", &[]), Err(Failure::Final(_))));
    }

    #[test]
    fn posts_json_with_a_bearer_token() {
        let server = ScriptedServer::start(vec![answer("200 OK", "{}")]);
        let said = plain().post(&server.url, Some("secret"), &serde_json::json!({"a": 1})).unwrap();
        assert_eq!(said, "{}");
        let asked = server.asked().remove(0).to_lowercase();
        assert!(asked.contains("authorization: bearer secret"), "{asked}");
        assert!(asked.ends_with(r#"{"a":1}"#), "{asked}");
    }

    /// A CA, and a server of its that greets as often and is asked nothing that it could answer.
    fn certified(name: &str) -> (String, Arc<rustls::ServerConfig>) {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let mut wanted = CertificateParams::default();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        wanted.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = wanted.self_signed(&key).unwrap().pem();
        let (issuer, key) = (Issuer::new(wanted, key), KeyPair::generate().unwrap());
        let own = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
        (pem, Arc::new(config.with_single_cert(vec![own.der().clone()], key).unwrap()))
    }

    /// Answers each connection; gives its address and what came through the handshakes.
    fn secure_server(config: Arc<rustls::ServerConfig>) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let asked = heard.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let tls = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(tls, stream.unwrap());
                if stream.conn.complete_io(&mut stream.sock).is_err() {
                    continue;
                }
                let request = read_request(&mut BufReader::new(&mut stream));
                asked.lock().unwrap().push(request);
                stream.write_all(&answer("200 OK", "{}")).unwrap();
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        (url, heard)
    }

    #[test]
    fn only_a_server_of_the_pinned_ca_is_told_anything() {
        let ((ours, config), (strange, _)) = (certified("ours"), certified("strange"));
        let (url, heard) = secure_server(config);
        let told =
            |ca: &str| Client::new(Some(ca)).unwrap().post(&url, Some("secret"), &serde_json::json!({"key": "k"}));
        assert_eq!(told(&ours).unwrap(), "{}");
        assert_eq!(told(&format!("{strange}{ours}")).unwrap(), "{}", "while one CA gives way to another");
        let Err(Failure::Again(error)) = told(&strange) else { panic!("a certificate of another CA is taken") };
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        assert_eq!(heard.lock().unwrap().len(), 2, "a stranger hears nothing");
    }

    #[test]
    fn without_a_ca_no_server_is_believed_and_what_is_none_is_no_ca() {
        let failure = plain().get("https://127.0.0.1:1/", &[]).unwrap_err();
        assert!(matches!(failure, Failure::Final(Error::Unpinned { .. })));
        for bad in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(Client::new(Some(bad)), Err(Error::BadCa { .. })), "{bad}");
        }
    }
}
