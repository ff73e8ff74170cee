//! HTTP and HTTPS for imports: one request at a time, redirects followed, a limit on every wait.

use super::address::Address;
use crate::import::Error;
use crate::import::tree::Found;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// To be connected, and until the head of an answer is there.
const ANSWER: Duration = Duration::from_secs(30);
/// Until more of a body is there.
const STALLED: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 5;

/// The certificates that a host trusts: of Debian, Red Hat and SUSE.
const ROOTS: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

#[derive(Clone)]
pub struct Client {
    runtime: Rc<Runtime>,
    tls: TlsConnector,
}

impl Client {
    pub fn new() -> Result<Client, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::reading("the network"))?;
        Ok(Client { runtime: Rc::new(runtime), tls: connector()? })
    }

    /// What is there, without its bytes.
    pub fn head(&self, address: &Address) -> Result<Option<Found>, Error> {
        let response = match self.ask(&Method::HEAD, address)? {
            response if response.status() == StatusCode::METHOD_NOT_ALLOWED => self.ask(&Method::GET, address)?,
            response => response,
        };
        match response.status() {
            status if is_missing(status) => Ok(None),
            status if status.is_success() => Ok(Some(Found { size: length(&response) })),
            status => Err(Error::Refused { url: address.to_string(), status: status.as_u16() }),
        }
    }

    pub fn get(&self, address: &Address) -> Result<Fetched, Error> {
        let response = self.ask(&Method::GET, address)?;
        self.fetched(address, response)
    }

    pub fn get_if_there(&self, address: &Address) -> Result<Option<Fetched>, Error> {
        let response = self.ask(&Method::GET, address)?;
        match is_missing(response.status()) {
            true => Ok(None),
            false => self.fetched(address, response).map(Some),
        }
    }

    fn fetched(&self, address: &Address, response: Response<Incoming>) -> Result<Fetched, Error> {
        match response.status() {
            StatusCode::OK => {
                Ok(Fetched { runtime: self.runtime.clone(), body: response.into_body(), part: Bytes::new() })
            }
            status => Err(Error::Refused { url: address.to_string(), status: status.as_u16() }),
        }
    }

    fn ask(&self, method: &Method, address: &Address) -> Result<Response<Incoming>, Error> {
        let mut address = address.clone();
        for _ in 0..=REDIRECTS {
            let response = self.once(method, &address)?;
            let place = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
            match place.filter(|_| response.status().is_redirection()) {
                Some(place) => address = address.redirected(place)?,
                None => return Ok(response),
            }
        }
        Err(Error::Unreachable { url: address.to_string(), why: "it leads from one address to the next".into() })
    }

    fn once(&self, method: &Method, address: &Address) -> Result<Response<Incoming>, Error> {
        let unreachable = |why: String| Error::Unreachable { url: address.to_string(), why };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{}", address.path, address.query))
            .header(header::HOST, address.authority())
            .header(header::USER_AGENT, concat!("kickstand/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| unreachable(error.to_string()))?;
        let answer = within(ANSWER, self.exchange(address, request));
        self.runtime.block_on(answer).map_err(|error| unreachable(error.to_string()))
    }

    async fn exchange(&self, address: &Address, request: Request<Empty<Bytes>>) -> io::Result<Response<Incoming>> {
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        match address.is_https {
            false => converse(stream, request).await,
            true => {
                let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
                converse(self.tls.connect(name, stream).await?, request).await
            }
        }
    }
}

async fn converse<S>(stream: S, request: Request<Empty<Bytes>>) -> io::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the body: whoever reads that drives this, too.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("nothing came for {} s", limit.as_secs()));
    tokio::time::timeout(limit, work).await.map_err(late)?
}

/// Of what is looked for. Some servers forbid what is not there; of a file that was asked for that is told as it is.
fn is_missing(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN)
}

fn length(response: &Response<Incoming>) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The bytes of an answer as they come.
pub struct Fetched {
    runtime: Rc<Runtime>,
    body: Incoming,
    part: Bytes,
}

impl Read for Fetched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            let frame = async { self.body.frame().await.transpose().map_err(io::Error::other) };
            match self.runtime.block_on(within(STALLED, frame))? {
                Some(frame) => self.part = frame.into_data().unwrap_or_default(),
                None => return Ok(0),
            }
        }
        let count = self.part.len().min(buffer.len());
        let part = self.part.split_to(count);
        buffer.get_mut(..count).unwrap_or_default().copy_from_slice(&part);
        Ok(count)
    }
}

fn connector() -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let usual = || ROOTS.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned);
    if let Some(path) = named.or_else(usual) {
        let shown = path.display().to_string();
        let all = CertificateDer::pem_file_iter(&path).map_err(|error| Error::unfit(&shown, error.to_string()))?;
        // One that can not be read is trusted by nobody.
        roots.add_parsable_certificates(all.flatten());
    }
    let config =
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Error::unfit("TLS", error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
