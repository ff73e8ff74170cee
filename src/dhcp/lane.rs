//! DHCP's own thread: a packet goes from its socket to its answer without waking another one, and nothing else
//! that the server does (an image of gigabytes, a slow template) stands in its way.

use super::server::{self, Door, Owners};
use std::io;
use std::net::UdpSocket;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// Runs until it is told to stop. Whoever waits for the answer learns when it ended; an error says that it broke down.
pub fn start(
    doors: Vec<(Door, UdpSocket)>,
    owners: Owners,
    stop: watch::Receiver<bool>,
) -> io::Result<oneshot::Receiver<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new().name("dhcp".into()).spawn(move || {
        runtime.block_on(serve(doors, owners, stop));
        let _ = done.send(());
    })?;
    Ok(ended)
}

/// Ends with the first door that ends: each is served until all are told to stop.
async fn serve(doors: Vec<(Door, UdpSocket)>, owners: Owners, stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for (door, socket) in doors {
        tasks.spawn(server::run(door, socket, owners.clone(), stop.clone()));
    }
    if let Some(Err(error)) = tasks.join_next().await {
        tracing::error!(%error, "DHCP broke down");
    }
}
