//! HTTPS: the certificate, which is read again when its files change or given anew, and the handshake.

mod dhe;

use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{Acceptor, ClientHello, ResolvesServerCert, ServerConfig};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How far apart handshakes without curves are: each takes the processor two and a half times as long as one with them.
const APART: Duration = Duration::from_millis(5);
/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} can not be read as {what}: {source}; see [https] in docs/install.md", path.display())]
    Unreadable { path: PathBuf, what: &'static str, source: pem::Error },
    #[error("{} holds no certificate: it must be PEM, the server's own first", path.display())]
    Empty { path: PathBuf },
    #[error("{} and {} do not fit each other: {source}", certificate.display(), key.display())]
    Unfit { certificate: PathBuf, key: PathBuf, source: tokio_rustls::rustls::Error },
    #[error("it can not be used: {0}")]
    Unusable(tokio_rustls::rustls::Error),
    #[error("{0}")]
    Distrusted(String),
    #[error("TLS can not be set up: {0}")]
    Setup(tokio_rustls::rustls::Error),
}

/// What a handshake takes.
#[derive(Clone)]
pub struct Tls {
    /// Two, so that nobody who knows curves goes without.
    curves: Arc<ServerConfig>,
    no_curves: Arc<ServerConfig>,
    turns: Arc<Turns>,
    kept: Arc<Kept>,
}

impl Tls {
    /// Reads both files: PEM, as every tool writes them.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, Error> {
        Tls::with(Kept::read(certificate, key, Arc::new(ring::default_provider()))?)
    }

    /// A certificate that lies in no file: [`Tls::replace`] gives another.
    pub fn given(chain: &[Vec<u8>], key: &[u8]) -> Result<Tls, Error> {
        let provider = Arc::new(ring::default_provider());
        let now = Now { pair: made(chain, key, &provider)?, stamp: [None; 2], warned: None, looked: Instant::now() };
        Tls::with(Kept { files: None, provider, now: Mutex::new(now) })
    }

    fn with(kept: Kept) -> Result<Tls, Error> {
        let (provider, kept) = (kept.provider.clone(), Arc::new(kept));
        let config = |provider| {
            let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12]);
            let config = config.map_err(Error::Setup)?.with_no_client_auth().with_cert_resolver(kept.clone());
            Ok(Arc::new(config))
        };
        let no_curves = config(Arc::new(dhe::provider()))?;
        Ok(Tls { curves: config(provider)?, no_curves, turns: Arc::default(), kept })
    }

    /// For all handshakes from now on.
    pub fn replace(&self, chain: &[Vec<u8>], key: &[u8]) -> Result<(), Error> {
        let pair = made(chain, key, &self.kept.provider)?;
        self.kept.now.lock().unwrap_or_else(PoisonError::into_inner).pair = pair;
        Ok(())
    }

    /// What a client says of the certificate at this address who trusts this CA (PEM) alone.
    pub fn convinces(&self, ca: &str, ip: IpAddr, now: SystemTime) -> Result<(), Error> {
        self.convinces_as(ca, &ServerName::IpAddress(ip.into()), now)
    }

    /// The same, where it is reached by a name.
    pub fn convinces_as(&self, ca: &str, host: &ServerName<'_>, now: SystemTime) -> Result<(), Error> {
        self.kept.refresh();
        let distrusted = |error: &dyn std::fmt::Display| Error::Distrusted(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let certificate = certificate.map_err(|error| distrusted(&error))?;
            roots.add(certificate).map_err(|error| distrusted(&error))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), self.kept.provider.clone()).build();
        let verifier = verifier.map_err(|error| distrusted(&error))?;
        let pair = self.kept.now.lock().unwrap_or_else(PoisonError::into_inner).pair.clone();
        let (own, between) = pair.cert.split_first().ok_or_else(|| distrusted(&"there is none"))?;
        let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let seen = verifier.verify_server_cert(own, between, host, &[], now);
        seen.map(drop).map_err(|error| distrusted(&error))
    }

    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.kept.refresh();
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the handshake takes too long");
        tokio::time::timeout(HANDSHAKE_LIMIT, self.greet(stream)).await.map_err(late)?
    }

    async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let greeted = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        if dhe::knows_curves(&greeted.client_hello()) {
            return greeted.into_stream(self.curves.clone()).await;
        }
        tokio::select! {
            () = self.turns.take() => greeted.into_stream(self.no_curves.clone()).await,
            () = hung_up(&greeted.io) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Until the client does; what it says meanwhile stays for the handshake.
async fn hung_up(stream: &TcpStream) {
    while !matches!(stream.peek(&mut [0]).await, Ok(0) | Err(_)) {
        tokio::time::sleep(APART).await;
    }
}

/// One after the other, in the order of their coming: who hangs up while he waits takes no turn.
#[derive(Default)]
struct Turns(tokio::sync::Mutex<()>);

impl Turns {
    async fn take(&self) {
        let _turn = self.0.lock().await;
        tokio::time::sleep(APART).await;
    }
}

/// The chain in a file of certificates, the server's own first.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), what: "a certificate", source };
    let chain = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(unreadable)?;
    if chain.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    Ok(chain)
}

/// The certificate as it was read last.
struct Kept {
    /// The certificate's and the key's, where they are files.
    files: Option<(PathBuf, PathBuf)>,
    provider: Arc<CryptoProvider>,
    now: Mutex<Now>,
}

struct Now {
    pair: Arc<CertifiedKey>,
    /// Of both files, when `pair` was read.
    stamp: Stamp,
    /// The same of those that could not be used: said once.
    warned: Option<Stamp>,
    looked: Instant,
}

/// When its content or its mode changed last, and which file it is.
type Stamp = [Option<(i64, i64, SystemTime, u64)>; 2];

impl Kept {
    fn read(certificate: &Path, key: &Path, provider: Arc<CryptoProvider>) -> Result<Kept, Error> {
        let stamp = stamp(certificate, key);
        let now = Now { pair: pair(certificate, key, &provider)?, stamp, warned: None, looked: Instant::now() };
        Ok(Kept { files: Some((certificate.to_owned(), key.to_owned())), provider, now: Mutex::new(now) })
    }

    /// Files that can not be read, or are half of a new pair, change nothing and are tried again: what was in the way may
    /// be none of their own, such as the mode of a folder.
    fn refresh(&self) {
        let Some((certificate, key)) = &self.files else { return };
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.looked.elapsed() < LOOK {
            return;
        }
        now.looked = Instant::now();
        let stamp = stamp(certificate, key);
        if stamp == now.stamp {
            return;
        }
        match pair(certificate, key, &self.provider) {
            Ok(pair) => {
                tracing::info!("the certificate of HTTPS was read again");
                (now.pair, now.stamp, now.warned) = (pair, stamp, None);
            }
            Err(error) if now.warned != Some(stamp) => {
                tracing::warn!(%error, "HTTPS goes on with the certificate that it has");
                now.warned = Some(stamp);
            }
            Err(_) => {}
        }
    }
}

fn pair(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let chain = chain(certificate)?;
    let unreadable = |source| Error::Unreadable { path: key.to_owned(), what: "a private key", source };
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable)?;
    let unfit = |source| Error::Unfit { certificate: certificate.to_owned(), key: key.to_owned(), source };
    CertifiedKey::from_der(chain, secret, provider).map(Arc::new).map_err(unfit)
}

fn made(chain: &[Vec<u8>], key: &[u8], provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, Error> {
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(key.to_vec().into());
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(Error::Unusable)
}

fn stamp(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.ctime(), meta.ctime_nsec(), meta.modified().ok()?, meta.ino()))
    })
}

impl ResolvesServerCert for Kept {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.lock().unwrap_or_else(PoisonError::into_inner).pair.clone())
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use rcgen::{CertificateParams, KeyPair};

    fn made() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["x".into()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_without_curves_waits_and_who_leaves_it_delays_nobody() {
        let (turns, start) = (Turns::default(), tokio::time::Instant::now());
        let gone = tokio::time::timeout(APART / 2, join_all((0..1000).map(|_| turns.take())));
        assert!(gone.await.is_err());
        join_all((0..20).map(|_| turns.take())).await;
        let took = start.elapsed();
        assert!(took >= APART * 20 && took < APART * 60, "{took:?}");
    }

    /// Writes in place, and leaves no trace in the time of its last change, as a tool that restores does.
    fn put(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
    }

    #[test]
    fn what_could_not_be_read_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("crt"), folder.path().join("key"));
        let [first, second, third] = [made(), made(), made()];
        put(&certificate, &first.0);
        put(&key, &first.1);
        let kept = Kept::read(&certificate, &key, Arc::new(ring::default_provider())).unwrap();
        let refreshed = || {
            kept.now.lock().unwrap().looked -= LOOK;
            kept.refresh();
            kept.now.lock().unwrap().pair.cert[0].to_vec()
        };
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
        put(&certificate, &second.0);
        put(&key, &second.1);
        assert_eq!(refreshed(), der(&second.0), "new content, though of the same date");
        put(&certificate, &third.0);
        put(&key, "no key yet");
        assert_eq!(refreshed(), der(&second.0));
        let stamp = stamp(&certificate, &key);
        assert_eq!(kept.now.lock().unwrap().warned, Some(stamp), "said once");
        assert_ne!(kept.now.lock().unwrap().stamp, stamp, "and looked at again, though nothing changes");
        put(&key, &third.1);
        assert_eq!(refreshed(), der(&third.0));
    }

    #[tokio::test]
    async fn who_hangs_up_is_not_waited_for_and_who_speaks_is() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let patience = APART * 20;
        assert!(tokio::time::timeout(patience, hung_up(&server)).await.is_err(), "it is there, and silent");
        tokio::io::AsyncWriteExt::write_all(&mut client, b"hello").await.unwrap();
        assert!(tokio::time::timeout(patience, hung_up(&server)).await.is_err(), "it spoke, and waits");
        assert_eq!(server.peek(&mut [0; 8]).await.unwrap(), 5, "its words are there for the handshake");
        let mut server = server;
        tokio::io::AsyncReadExt::read_exact(&mut server, &mut [0; 5]).await.unwrap();
        drop(client);
        assert!(tokio::time::timeout(patience, hung_up(&server)).await.is_ok());
    }
}
