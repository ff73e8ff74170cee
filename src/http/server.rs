//! The two doors of HTTP: TCP for machines, agents and token holders, a socket for operators on this host.

use super::auth::Peer;
use crate::engine::{Engine, stopped};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::{Request, connect_info::Connected};
use axum::http::Uri;
use axum::response::Response;
use axum::serve::IncomingStream;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::Layer;
use tower::Service;
use tower::util::{MapRequestLayer, ServiceExt};

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    /// A peer that the kernel does not name is nobody.
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Peer::Socket { uid: stream.io().peer_cred().map_or(u32::MAX, |cred| cred.uid()) }
    }
}

/// How long a client may take for the head of a request: also the longest that a connection may idle.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// Connections at once, in all and from one address: so many file descriptors stay for DHCP and TFTP.
const CONNECTIONS: usize = 400;
const CONNECTIONS_EACH: usize = 64;

/// Serves machines, agents and token holders until told to stop. Who opens more connections than a machine
/// needs, or says nothing on one, is cut off.
pub async fn run_tcp(listener: TcpListener, engine: Arc<Engine>, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let service = MapRequestLayer::new(collapsed).layer(super::routes(engine));
    let mut connections = JoinSet::new();
    let counts = Counts::default();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, from)) => match counts.enter(from.ip()) {
                Some(place) => drop(connections.spawn(serve(stream, from, service.clone(), stop.clone(), place))),
                None => tracing::debug!(%from, "a connection is closed at once: there are too many"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

async fn serve<S>(stream: TcpStream, from: SocketAddr, service: S, mut stop: watch::Receiver<bool>, _place: Place)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(Peer::Tcp(from)));
        service.clone().oneshot(request)
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %from, "a connection broke off");
    }
}

/// How many connections there are, by address.
#[derive(Default, Clone)]
struct Counts(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place among them; given back when it is dropped.
struct Place(Counts, IpAddr);

impl Counts {
    fn enter(&self, from: IpAddr) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let own = counts.get(&from).copied().unwrap_or_default();
        if all >= CONNECTIONS || own >= CONNECTIONS_EACH {
            return None;
        }
        counts.insert(from, own.saturating_add(1));
        Some(Place(self.clone(), from))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.1) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// Serves operators on this host until told to stop.
pub async fn run_socket(listener: UnixListener, engine: Arc<Engine>, stop: watch::Receiver<bool>) -> io::Result<()> {
    let routes: Router = super::routes(engine);
    let service = routes.into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(end(stop)).await
}

async fn end(mut stop: watch::Receiver<bool>) {
    stopped(&mut stop).await;
}

/// The socket is for root and the service's own user: mode 0600 in a folder of our own, and the user id
/// is asked again at each request. A socket that nobody answers on is a leftover of a crash.
pub fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    if let Ok(meta) = std::fs::symlink_metadata(path) {
        if !meta.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is in its place"));
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another Kickstand listens on it")),
            Err(_) => std::fs::remove_file(path)?,
        }
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// shim and GRUB ask for `//grubx64.efi`; a redirect would break them, so the path is mended here.
fn collapsed(mut request: Request) -> Request {
    let uri = request.uri();
    if uri.path().contains("//") {
        let mut path = String::with_capacity(uri.path().len());
        for c in uri.path().chars() {
            if c != '/' || !path.ends_with('/') {
                path.push(c);
            }
        }
        let whole = uri.query().map_or(path.clone(), |query| format!("{path}?{query}"));
        if let Ok(mended) = whole.parse::<Uri>() {
            *request.uri_mut() = mended;
        }
    }
    request
}
