//! The two doors of HTTP: TCP for machines, agents and token holders, a socket for operators on this host.

use super::auth::Peer;
use super::direct::{self, HEAD_LIMIT, Line, Next};
use super::files::{Door, collapsed};
use super::house::{House, Limits, Place};
use super::stream::{Reset, Timely, Watched};
use super::tls::Tls;
use crate::engine::{Engine, stopped};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::util::ServiceExt;

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    /// A peer that the kernel does not name is nobody.
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Peer::Socket { uid: stream.io().peer_cred().map_or(u32::MAX, |cred| cred.uid()) }
    }
}

/// How many may have connected and wait to be accepted. Who finds no room tries again after a second: a rack that is
/// switched on would stand still, with Rust's 128.
const BACKLOG: u32 = 4096;
/// How long a client may take for the body of a request, and one that may send a lot: it showed a token first.
const BODY_LIMIT: Duration = Duration::from_secs(30);
const API_BODY_LIMIT: Duration = Duration::from_secs(300);
/// How much may wait to be sent: so much that the kernel decides, and a fast reader costs few wakes. What waits of a file are
/// pages of the page cache, and who takes nothing is given no larger buffer.
const UNSENT_BYTES: u32 = 16 << 20;
/// The same for hyper, whose buffers are ours.
const UNSENT_BY_HYPER: usize = 64 * 1024;

/// All doors that machines, agents and token holders come through, and the house behind them.
#[derive(Clone)]
pub struct Web {
    engine: Arc<Engine>,
    house: House,
    routes: Router,
}

impl Web {
    pub fn new(engine: Arc<Engine>, limits: Limits) -> Web {
        let routes = super::routes(engine.clone());
        Web { engine, house: House::new(limits), routes }
    }

    /// Serves one address until told to stop.
    pub async fn run_tcp(self, listener: TcpListener, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            if let Some((stream, from, place)) = self.admitted(accepted).await {
                connections.spawn(self.clone().serve(stream, from, place, stop.clone()));
            }
        }
        while connections.join_next().await.is_some() {}
        Ok(())
    }

    /// The same with TLS around it; hyper alone answers, since the kernel can not encrypt what it sends by itself.
    pub async fn run_tls(self, listener: TcpListener, tls: Tls, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stopped(&mut stop) => break,
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            if let Some((stream, from, place)) = self.admitted(accepted).await {
                connections.spawn(self.clone().serve_tls(stream, tls.clone(), from, place, stop.clone()));
            }
        }
        while connections.join_next().await.is_some() {}
        Ok(())
    }

    async fn serve_tls(
        self,
        stream: TcpStream,
        tls: Tls,
        from: SocketAddr,
        place: Place,
        mut stop: watch::Receiver<bool>,
    ) {
        let shaken = tokio::select! {
            shaken = tls.accept(stream) => shaken,
            () = place.is_cut() => return,
            () = stopped(&mut stop) => return,
        };
        match shaken {
            Ok(stream) => self.serve_other(stream, (Bytes::new(), Door::Https), from, place, stop).await,
            Err(error) => tracing::debug!(%error, %from, "a handshake failed"),
        }
    }

    async fn admitted(&self, accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr, Place)> {
        match accepted {
            Ok((stream, from)) => match self.house.enter(from.ip()) {
                Some(place) => {
                    let _ = stream.set_nodelay(true);
                    let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
                    return Some((stream, from, place));
                }
                None => tracing::debug!(%from, "a connection is closed at once: there are too many"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        None
    }

    async fn serve(self, stream: TcpStream, from: SocketAddr, place: Place, mut stop: watch::Receiver<bool>) {
        let line = Line { stream: &stream, from, place: &place };
        let next = tokio::select! {
            next = direct::run(&line, &self.engine, &mut stop) => next,
            () = place.is_cut() => Err(io::Error::new(io::ErrorKind::TimedOut, "it made place for another")),
        };
        match next {
            Ok(Next::Closed) => {}
            Ok(Next::Other(seen)) => self.serve_other(stream, (seen, Door::Http), from, place, stop).await,
            Err(error) => {
                tracing::debug!(%error, %from, "a connection broke off");
                // Or the half of an answer would stay in the kernel for minutes; a whole one is the client's to take.
                if place.seat.is_answering() {
                    stream.reset();
                }
            }
        }
    }

    /// Everything but files. `seen` was read already.
    async fn serve_other<S: AsyncRead + AsyncWrite + Reset + Unpin>(
        self,
        stream: S,
        (seen, by): (Bytes, Door),
        from: SocketAddr,
        place: Place,
        mut stop: watch::Receiver<bool>,
    ) {
        let stream = Watched::new(stream, seen, place.seat.clone(), place.stalled_limit());
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).title_case_headers(true);
        http.max_buf_size(UNSENT_BY_HYPER);
        let service = hyper::service::service_fn(|request| self.answered(request, (from, by), &place));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = place.is_cut() => return,
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %from, "a connection broke off");
        }
    }

    async fn answered(
        &self,
        request: hyper::Request<hyper::body::Incoming>,
        (from, by): (SocketAddr, Door),
        place: &Place,
    ) -> Result<Response, Infallible> {
        // Before anything looks at the path.
        let request = mended(request);
        if !place.may_ask(request.uri().path()) {
            let (status, text) = direct::full();
            return Ok((status, [(header::CONNECTION, "close")], text).into_response());
        }
        match request.body().is_end_stream() {
            true => place.seat.busy(),
            false => place.seat.got_on(),
        }
        let limit = if request.uri().path().starts_with("/api/") { API_BODY_LIMIT } else { BODY_LIMIT };
        let mut request = request.map(|body| Body::new(Timely::new(body, place.seat.clone(), limit)));
        request.extensions_mut().insert(ConnectInfo(Peer::Tcp(from)));
        request.extensions_mut().insert(by);
        let answered = self.routes.clone().oneshot(request).await;
        place.seat.got_on();
        answered
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

/// Where machines knock, all of them at once.
pub fn bind_tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = match at {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for connections that are gone.
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Doubled slashes count as one, without a redirect: see [`Wanted`](super::files::Wanted).
fn mended<B>(mut request: hyper::Request<B>) -> hyper::Request<B> {
    let uri = request.uri();
    if uri.path().contains("//") {
        let path = collapsed(uri.path());
        let whole = uri.query().map_or(path.clone(), |query| format!("{path}?{query}"));
        if let Ok(mended) = whole.parse::<Uri>() {
            *request.uri_mut() = mended;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    #[tokio::test]
    async fn a_rack_that_knocks_at_once_is_let_in_at_once() {
        let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let at = listener.local_addr().unwrap();
        // Nobody is accepted meanwhile.
        let knock = || tokio::time::timeout(Duration::from_millis(900), TcpStream::connect(at));
        let inside = join_all((0..500).map(|_| knock())).await;
        assert_eq!(inside.iter().filter(|knock| knock.as_ref().is_ok_and(Result::is_ok)).count(), 500);
    }
}
