//! Speaks to a running server, over its local socket or over TCP: one connection for each request.

use crate::http::problem::{Problem, Told};
use crate::model::Secret;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no Kickstand is listening on {}: start it with `kickstand serve`, or name one with --server", .0.display())]
    NotListening(PathBuf),
    #[error("you may not use {}: only {users} may; try again with sudo, or use --server with a token", path.display())]
    Denied { path: PathBuf, users: String },
    #[error("cannot reach {server}: {source}; is `kickstand serve` running there, and is the port right?")]
    Unreachable { server: String, source: std::io::Error },
    #[error("{0} is not an address of a server: write it like https://10.0.0.2 or http://10.0.0.2:8080")]
    BadServer(String),
    #[error(
        "https:// wants the server's CA: write it to a file with `kickstand ca show --pem` there, then name that with --ca or KICKSTAND_CA"
    )]
    NoCa,
    #[error("the CA {} can not be used: {cause}", path.display())]
    BadCa { path: PathBuf, cause: String },
    #[error("{server} is not known by the CA that was named: {source}")]
    Stranger { server: String, source: std::io::Error },
    #[error(
        "{server} wants a token: make one there with `kickstand token add NAME`, then give it with --token or KICKSTAND_TOKEN"
    )]
    TokenWanted { server: String },
    #[error("{server} does not know this token: make one there with `kickstand token add NAME`")]
    TokenUnknown { server: String },
    /// The server said no, and why.
    #[error("{0}")]
    Refused(Box<Problem>),
    #[error("{server} did not answer within {} s", .after.as_secs())]
    Silent { server: String, after: Duration },
    #[error("the connection to {server} broke: {text}")]
    Broken { server: String, text: String },
    #[error("{server} answered with status {status} and nothing that can be read: is it a Kickstand?")]
    Odd { server: String, status: StatusCode },
}

impl Error {
    /// Whether the server surely did nothing: it said no, or never was asked.
    pub fn is_no(&self) -> bool {
        !matches!(self, Error::Silent { .. } | Error::Broken { .. } | Error::Odd { .. })
    }

    /// Whether the server is away, so that asking again later may help.
    pub fn is_away(&self) -> bool {
        matches!(self, Error::NotListening(_) | Error::Unreachable { .. } | Error::Silent { .. } | Error::Broken { .. })
    }
}

/// Where the server is.
#[derive(Debug, Clone)]
pub enum Server {
    Socket(PathBuf),
    /// `host:port`.
    Tcp(String),
    /// The same, and whom to believe there.
    Tls(String, Arc<ClientConfig>),
}

impl Server {
    /// Reads `http://host[:port]`, or `https://` with the file of the one CA that is believed.
    pub fn parse(text: &str, ca: Option<&Path>) -> Result<Server, Error> {
        let bad = || Error::BadServer(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        let rest = rest.trim_end_matches('/');
        let authority: hyper::http::uri::Authority = rest.parse().map_err(|_| bad())?;
        if rest.contains(['/', '@', '?', '#']) || authority.host().is_empty() {
            return Err(bad());
        }
        let at = |port| format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port));
        match scheme {
            "http" => Ok(Server::Tcp(at(80))),
            "https" => Ok(Server::Tls(at(443), Arc::new(believing(ca.ok_or(Error::NoCa)?)?))),
            _ => Err(bad()),
        }
    }

    fn name(&self) -> String {
        match self {
            Server::Socket(path) => path.display().to_string(),
            Server::Tcp(address) => format!("http://{}", address.trim_end_matches(":80")),
            Server::Tls(address, _) => format!("https://{}", address.trim_end_matches(":443")),
        }
    }
}

pub struct Client {
    pub server: Server,
    pub token: Option<Secret>,
}

impl Client {
    /// Asks below /api/v1. An answer without a body is null.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        self.ask_within(PATIENCE, method, path, body).await
    }

    /// Asks for something that the server may hold back for as long as `wait`.
    pub async fn wait_for(&self, path: &str, wait: Duration) -> Result<Value, Error> {
        self.ask_within(wait + PATIENCE, Method::GET, path, None).await
    }

    /// Fetches something that is no JSON.
    pub async fn fetch(&self, path: &str) -> Result<Bytes, Error> {
        let asked = self.exchange(self.request(Method::GET, path, None)?);
        let silent = |_| Error::Silent { server: self.server.name(), after: PATIENCE };
        match timeout(PATIENCE, asked).await.map_err(silent)?? {
            (status, bytes) if status.is_success() => Ok(bytes),
            (status, bytes) => Err(self.refusal(status, &bytes)),
        }
    }

    /// Asks for something that takes the server longer than most.
    pub(super) async fn ask_within(
        &self,
        after: Duration,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let asked = self.exchange(self.request(method, path, body)?);
        let silent = |_| Error::Silent { server: self.server.name(), after };
        let (status, bytes) = timeout(after, asked).await.map_err(silent)??;
        self.understand(status, &bytes)
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Full<Bytes>>, Error> {
        let host = match &self.server {
            Server::Socket(_) => "kickstand",
            Server::Tcp(address) | Server::Tls(address, _) => address,
        };
        let mut request = Request::builder().method(method).uri(format!("/api/v1/{path}")).header(header::HOST, host);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let bytes = body.map(|value| Bytes::from(value.to_string())).unwrap_or_default();
        request.body(Full::new(bytes)).map_err(|error| self.broken(error))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Error> {
        match &self.server {
            Server::Socket(path) => {
                let stream = UnixStream::connect(path).await.map_err(|error| no_socket(path, error))?;
                self.converse(stream, request).await
            }
            Server::Tcp(address) => {
                let unreachable = |source| Error::Unreachable { server: self.server.name(), source };
                self.converse(TcpStream::connect(address).await.map_err(unreachable)?, request).await
            }
            Server::Tls(address, config) => {
                let unreachable = |source| Error::Unreachable { server: self.server.name(), source };
                let stream = TcpStream::connect(address).await.map_err(unreachable)?;
                let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
                let name = name.map_err(|_| Error::BadServer(self.server.name()))?;
                let stranger = |source| Error::Stranger { server: self.server.name(), source };
                let stream = TlsConnector::from(config.clone()).connect(name, stream).await.map_err(stranger)?;
                self.converse(stream, request).await
            }
        }
    }

    async fn converse<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.broken(e))?;
        // Ends with the connection: the sender is dropped when this returns.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(|e| self.broken(e))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| self.broken(e))?;
        Ok((status, body.to_bytes()))
    }

    fn understand(&self, status: StatusCode, bytes: &[u8]) -> Result<Value, Error> {
        let server = self.server.name();
        if status.is_success() {
            let empty = || Error::Odd { server, status };
            return if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(bytes).map_err(|_| empty()) };
        }
        Err(self.refusal(status, bytes))
    }

    fn refusal(&self, status: StatusCode, bytes: &[u8]) -> Error {
        let server = self.server.name();
        match (status, &self.token) {
            (StatusCode::UNAUTHORIZED, Some(_)) => return Error::TokenUnknown { server },
            (StatusCode::UNAUTHORIZED, None) => return Error::TokenWanted { server },
            _ => {}
        }
        match serde_json::from_slice::<Told>(bytes) {
            Ok(told) => Error::Refused(Box::new(told.error)),
            Err(_) => Error::Odd { server, status },
        }
    }

    fn broken(&self, error: impl std::fmt::Display) -> Error {
        Error::Broken { server: self.server.name(), text: error.to_string() }
    }
}

/// Whoever has a certificate of this CA, and nobody whom the system knows.
fn believing(path: &Path) -> Result<ClientConfig, Error> {
    let bad = |cause: &dyn std::fmt::Display| Error::BadCa { path: path.to_owned(), cause: cause.to_string() };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))? {
        roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
    }
    if roots.is_empty() {
        return Err(bad(&"it holds no certificate"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|e| bad(&e))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn no_socket(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::PermissionDenied => Error::Denied { path: path.to_owned(), users: users(path) },
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => Error::NotListening(path.to_owned()),
        _ => Error::Unreachable { server: path.display().to_string(), source: error },
    }
}

/// Who may use a socket: root, and the user that the service runs as.
fn users(path: &Path) -> String {
    let Ok(uid) = std::fs::metadata(path).map(|socket| socket.uid()) else { return "root".into() };
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let owner = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    match (uid, owner) {
        (0, _) => "root".into(),
        (_, Some(name)) => format!("root and {name}"),
        (uid, None) => format!("root and the user with id {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_and_nothing_else() {
        let named = |text: &str| Server::parse(text, None).map(|server| server.name());
        assert_eq!(named("http://10.0.0.2").unwrap(), "http://10.0.0.2");
        assert_eq!(named("http://boot.lab:8080/").unwrap(), "http://boot.lab:8080");
        assert_eq!(named("http://[fd00::1]:81").unwrap(), "http://[fd00::1]:81");
        for text in ["10.0.0.2", "http://", "http://a/b", "http://user@host", "ftp://x", "https://a/b"] {
            assert!(matches!(named(text), Err(Error::BadServer(_))), "{text}");
        }
    }

    #[test]
    fn https_wants_a_ca_that_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let parsed = |ca: Option<&Path>| Server::parse("https://10.0.0.2", ca);
        assert!(matches!(parsed(None), Err(Error::NoCa)));
        assert!(matches!(parsed(Some(&path)), Err(Error::BadCa { .. })), "it is not there");
        std::fs::write(&path, "nonsense").unwrap();
        assert!(matches!(parsed(Some(&path)), Err(Error::BadCa { .. })), "it holds none");
        let ca = rcgen::CertificateParams::new(vec!["x".into()]).unwrap();
        let ca = ca.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        std::fs::write(&path, ca.pem()).unwrap();
        assert_eq!(parsed(Some(&path)).unwrap().name(), "https://10.0.0.2");
    }

    #[tokio::test]
    async fn a_socket_that_is_not_there_says_how_to_start_the_server() {
        let client = Client { server: Server::Socket("/nowhere/kickstand.sock".into()), token: None };
        let error = client.ask(Method::GET, "status", None).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no Kickstand is listening on /nowhere/kickstand.sock: start it with `kickstand serve`, or name one with --server"
        );
    }
}
