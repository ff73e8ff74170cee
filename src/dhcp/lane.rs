//! DHCP's own thread: a packet goes from its socket to its answer without waking another one, and no image of gigabytes
//! and no slow template keeps the processor from it.

use super::server::{self, Door, Owners};
use anyhow::{Context, Result, anyhow};
use std::net::UdpSocket;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// How long the last answers may wait for their commit when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Runs until it is told to stop. How it ended is told when all of its sockets are closed.
pub fn start(
    doors: Vec<(Door, UdpSocket)>,
    owners: (Owners, mpsc::Receiver<()>),
    stop: watch::Receiver<bool>,
) -> std::io::Result<oneshot::Receiver<Result<()>>> {
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new().name("dhcp".into()).spawn(move || {
        let result = run(doors, owners, stop);
        let _ = done.send(result);
    })?;
    Ok(ended)
}

fn run(doors: Vec<(Door, UdpSocket)>, owners: (Owners, mpsc::Receiver<()>), stop: watch::Receiver<bool>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start DHCP's thread")?.block_on(serve(doors, owners, stop))
}

/// Ends with the first door that ends: each is served until all are told to stop.
async fn serve(
    doors: Vec<(Door, UdpSocket)>,
    (owners, mut answered): (Owners, mpsc::Receiver<()>),
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    for (door, socket) in doors {
        tasks.spawn(server::run(door, socket, owners.clone(), stop.clone()));
    }
    let first = tasks.join_next().await;
    if let Some(Err(error)) = first {
        return Err(anyhow!(error).context("DHCP broke down"));
    }
    if *stop.borrow() {
        tasks.join_all().await;
        drop(owners);
        // What is being written was promised: its clients hear of it.
        let _ = tokio::time::timeout(LAST_ANSWERS, answered.recv()).await;
    }
    Ok(())
}
