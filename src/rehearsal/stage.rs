//! The second server: an engine on a store in memory, and DHCP, TFTP, HTTP and HTTPS on loopback at ports of their own.

use super::atlas::Atlas;
use super::post;
use super::trust::Throwaway;
use super::{Error, Settings};
use crate::assets::Assets;
use crate::dhcp::lane;
use crate::dhcp::server::{Door, Owners};
use crate::engine::{Engine, Parts};
use crate::http::server::Web;
use crate::loader::place;
use crate::model::*;
use crate::store::Store;
use crate::tftp;
use bytes::Bytes;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

pub struct Stage {
    pub engine: Arc<Engine>,
    pub atlas: Atlas,
    /// Kernels are fetched to their ends.
    pub whole: bool,
    /// By our addresses.
    dhcp: HashMap<Ipv4Addr, SocketAddr>,
    tftp: HashMap<Ipv4Addr, SocketAddr>,
    /// By whom clients know the server, where they ask by HTTPS.
    pub connector: Option<TlsConnector>,
    /// Loaders as they lie on the disk.
    files: Mutex<HashMap<PathBuf, Bytes>>,
    /// What was said last, and when.
    words: Arc<Mutex<HashMap<Whose, (Time, String)>>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Of whom something was said.
#[derive(PartialEq, Eq, Hash)]
enum Whose {
    Machine(MachineId),
    Card(Mac),
}

impl Stage {
    /// `servers` are the addresses on loopback that stand for those of the real server.
    pub async fn build(
        settings: &Settings,
        store: Store,
        atlas: Atlas,
        servers: Vec<Ipv4Addr>,
        whole: bool,
    ) -> Result<Stage, Error> {
        let busy = |what: &'static str| move |error: std::io::Error| Error::Socket(what, error);
        let (http_port, listeners) = post::listen_tcp(&servers).await.map_err(busy("HTTP"))?;
        let (https_port, secure_listeners) = match settings.https {
            true => post::listen_tcp(&servers).await.map(|(port, all)| (Some(port), all)).map_err(busy("HTTPS"))?,
            false => (None, Vec::new()),
        };
        let parts = Parts {
            store,
            assets: Assets { operator: Some(settings.templates.clone()) },
            files: settings.files.clone(),
            loaders: settings.loaders.clone(),
            http_port,
            https_port,
            addresses: servers.clone(),
            lifetimes: settings.lifetimes,
        };
        let engine = Engine::new(parts).await?;
        let (stop, stopped) = watch::channel(false);
        let (mut tasks, words) = (JoinSet::new(), Arc::default());
        tasks.spawn(listen_to(engine.store.feed(), Arc::clone(&words)));
        let web = Web::new(engine.clone(), settings.http);
        for listener in listeners {
            let serving = web.clone().run_tcp(listener, stopped.clone());
            tasks.spawn(async move { drop(serving.await) });
        }
        let connector = match settings.https {
            true => {
                let Throwaway { tls, trust, connector } = Throwaway::make(&servers, SystemTime::now())?;
                engine.set_trust(Some(trust));
                for listener in secure_listeners {
                    let serving = web.clone().run_tls(listener, tls.clone(), stopped.clone());
                    tasks.spawn(async move { drop(serving.await) });
                }
                Some(connector)
            }
            false => None,
        };
        let (mut tftp, mut sockets) = (HashMap::new(), Vec::new());
        for ip in &servers {
            let socket = post::listen_udp(*ip).await.map_err(busy("TFTP"))?;
            tftp.insert(*ip, socket.local_addr().map_err(busy("TFTP"))?);
            sockets.push(socket);
        }
        let library = Arc::new(tftp::Loaders::new(engine.clone()));
        let serving = tftp::Server::run(sockets, library, settings.tftp, stopped.clone());
        tasks.spawn(async move { drop(serving.await) });
        let (mut dhcp, mut doors) = (HashMap::new(), Vec::new());
        for ip in &servers {
            let door = Door::Address((*ip, 0).into());
            let socket = door.bind().map_err(busy("DHCP"))?;
            dhcp.insert(*ip, socket.local_addr().map_err(busy("DHCP"))?);
            doors.push((door, socket));
        }
        let owners = Owners::new(engine.clone(), Vec::new(), stopped.clone());
        let lane = lane::start(doors, owners, stopped).map_err(busy("DHCP"))?;
        tasks.spawn(async move { drop(lane.await) });
        Ok(Stage { engine, atlas, whole, dhcp, tftp, connector, files: Mutex::default(), words, stop, tasks })
    }

    pub fn tftp(&self, server: Ipv4Addr) -> Option<SocketAddr> {
        self.tftp.get(&server).copied()
    }

    pub fn dhcp(&self, server: Ipv4Addr) -> Option<SocketAddr> {
        self.dhcp.get(&server).copied()
    }

    /// What lies on the disk for a loader's file; none where there is none.
    pub fn loader_file(&self, loader: &Loader, file: &LoaderFile) -> Option<Bytes> {
        let path = place::of(&self.engine.folders, loader, file)?;
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = known.get(&path) {
            return Some(bytes.clone());
        }
        let bytes = Bytes::from(std::fs::read(&path).ok()?);
        known.insert(path, bytes.clone());
        Some(bytes)
    }

    /// The last that history told of this client since then which was no good news, with the addresses that people know.
    pub fn said_of(&self, machine: Option<MachineId>, mac: Mac, since: Time) -> Option<String> {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |whose: Whose| words.get(&whose).filter(|(at, _)| *at >= since);
        let said = machine.and_then(|id| of(Whose::Machine(id))).or_else(|| of(Whose::Card(mac)));
        said.map(|(_, text)| self.atlas.real_text(text))
    }

    pub async fn end(mut self) {
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // The listener to history ends with the store.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(500), all).await;
        self.tasks.shutdown().await;
        self.engine.store.clone().close().await;
    }
}

async fn listen_to(mut feed: broadcast::Receiver<Arc<Event>>, words: Arc<Mutex<HashMap<Whose, (Time, String)>>>) {
    loop {
        let event = match feed.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if !matches!(event.kind, Kind::Alarm | Kind::Refused | Kind::Nak | Kind::Silence) {
            continue;
        }
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = event.machine.map(Whose::Machine).into_iter().chain(event.mac.map(Whose::Card));
        whose.for_each(|whose| drop(words.insert(whose, (event.at, event.text.clone()))));
    }
}
