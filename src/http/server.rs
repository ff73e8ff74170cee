//! The two doors of HTTP: TCP for machines, agents and token holders, a socket for operators on this host.

use super::auth::Peer;
use crate::engine::{Engine, stopped};
use axum::extract::{Request, connect_info::Connected};
use axum::http::Uri;
use axum::serve::IncomingStream;
use axum::{Router, ServiceExt};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tower::Layer;
use tower::util::MapRequestLayer;

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Peer::Tcp(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    /// A peer that the kernel does not name is nobody.
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Peer::Socket { uid: stream.io().peer_cred().map_or(u32::MAX, |cred| cred.uid()) }
    }
}

/// Serves machines, agents and token holders until told to stop.
pub async fn run_tcp(listener: TcpListener, engine: Arc<Engine>, stop: watch::Receiver<bool>) -> io::Result<()> {
    let service = MapRequestLayer::new(collapsed).layer(super::routes(engine));
    let service = ServiceExt::<Request>::into_make_service_with_connect_info::<Peer>(service);
    axum::serve(listener, service).with_graceful_shutdown(end(stop)).await
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
    if path.exists() {
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
