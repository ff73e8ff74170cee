//! Bind, start, supervise, stop: `kickstand serve`.

mod continuity;
mod https;
mod listen;
mod log;

use crate::assets::Assets;
use crate::boot::Tale;
use crate::boot::lifecycle::Lifetimes;
use crate::config::{self, Config};
use crate::dhcp::server::{Door, Owners, interface_addresses};
use crate::dhcp::{lane, paper, rogue};
use crate::engine::{Engine, Parts, cobbler, stopped};
use crate::http;
use crate::http::house::Limits;
use crate::http::server::{Web, bind_tcp};
use crate::model::{Kind, Placement};
use crate::store::{Edit, Store};
use crate::tftp;
use crate::vault::Place;
use anyhow::{Context, Result, anyhow, bail};
use https::{Https, Opened};
pub(crate) use https::{certificates, own_file};
use listen::{doors, link_numbers, listen, listen_v6, own_networks};
use log::log_events;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often interfaces are asked for their addresses.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// A server that runs, until it is stopped.
pub struct Running {
    pub engine: Arc<Engine>,
    pub dhcp: Vec<SocketAddr>,
    pub tftp: Vec<SocketAddr>,
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(config: Config) -> Result<()> {
    let mut running = start(config).await?;
    running.say_ready();
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let ended = tokio::select! {
        _ = term.recv() => None,
        _ = tokio::signal::ctrl_c() => None,
        ended = running.tasks.join_next() => ended,
    };
    running.stop().await;
    match ended {
        None => Ok(()),
        Some(Ok(())) => bail!("a part of the server ended by itself: see the log"),
        Some(Err(e)) => Err(anyhow!(e).context("a part of the server broke down")),
    }
}

/// Binds everything, then starts everything: a busy port stops it before anything is answered.
pub async fn start(config: Config) -> Result<Running> {
    raise_file_limit();
    let doors = doors(&config)?;
    let listen = listen(&config, &doors)?;
    let mut sockets = Sockets::bind(&config, &doors, &listen).await?;
    let key_place = key_place(&config);
    let store = Store::open_with(&config.database, &key_place).await?;
    let key_file = key_place.file.unwrap_or_else(|| config::DEFAULT_KEY_FILE.into());
    let (https, lost) = match Https::start(&config, &key_file, &listen, &store).await? {
        Opened::Served(https) => (Some(https), None),
        Opened::Off => (None, None),
        Opened::Lost(lost) => (None, Some(lost)),
    };
    if https.is_none() {
        sockets.https.clear();
    }
    if config.own_networks {
        own_networks(&store, &config).await?;
    }
    let parts = Parts {
        store,
        assets: Assets { operator: Some(config.templates.clone()) },
        files: config.files.clone(),
        loaders: config.loaders.clone(),
        http_port: sockets.http_port()?,
        https_port: sockets.https.first().map(|s| s.local_addr()).transpose()?.map(|at| at.port()),
        addresses: listen,
        lifetimes: Lifetimes { unused_secs: config.answers.unused_secs, used_secs: config.answers.used_secs },
    };
    let engine = Engine::new(parts).await?;
    engine.spell_by(paper::spell);
    if config.cobbler.serve {
        let config::Cobbler { register, logs, .. } = config.cobbler.clone();
        engine.serve_cobbler(cobbler::Settings { register, logs });
    }
    if let Some(why) = engine.store.vault().why_locked() {
        let text = format!("secret variables are locked, so nothing is installed that needs one: {why}");
        tracing::error!("{text}");
        engine.tell(Tale::new(engine.now(), Kind::Appliance, text));
    }
    if let Some(lost) = lost {
        tracing::error!("{}", lost.why);
        engine.tell(Tale::new(engine.now(), Kind::Alarm, lost.why.clone()));
        engine.lose_ca(lost);
    }
    if let Some(https) = &https {
        https.fit(&engine, &engine.addresses());
        https.announce(&engine);
        let own = https.clone();
        engine.ask_of_hosts(Box::new(move |ca, host| own.vouches(ca, host)));
        https.follow(&engine).await;
    }
    sockets.serve(engine, doors, config, https)
}

/// Where the key of secrets is: as set, or beside the database; a credential of systemd wins.
pub(crate) fn key_place(config: &Config) -> Place {
    let usual = || Place::beside(&config.database).file.unwrap_or_else(|| config::DEFAULT_KEY_FILE.into());
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(Into::into);
    Place { file: Some(config.secrets.key_file.clone().unwrap_or_else(usual)), credentials }
}

impl Running {
    fn say_ready(&self) {
        let list = |all: &[SocketAddr]| all.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(", ");
        let (dhcp, tftp) = (list(&self.dhcp), list(&self.tftp));
        tracing::info!(dhcp, tftp, http = list(&self.http), https = list(&self.https), "Kickstand is ready");
        let world = self.engine.store.world();
        for network in world.networks.values() {
            match self.engine.here(network) {
                Some(here) => {
                    tracing::info!(network.name = %network.name, "serving {} as {}", network.cidr, here.ip);
                    if network.dhcp.https && here.https_port.is_none() {
                        tracing::warn!(network.name = %network.name, "its firmware is told http:// URLs, since [https] serve is false");
                    }
                }
                None => {
                    tracing::warn!(network.name = %network.name, "not serving {}: no interface of this server is on it", network.cidr)
                }
            }
        }
    }

    /// Ends every task, and lets the store write what it has taken.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let patience = std::time::Duration::from_secs(5);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::info!("transfers that were still under way are cut off");
        }
        self.tasks.shutdown().await;
        self.engine.store.clone().close().await;
    }
}

/// Everything bound, nothing answered yet.
struct Sockets {
    dhcp: Vec<std::net::UdpSocket>,
    tftp: Vec<UdpSocket>,
    http: Vec<TcpListener>,
    https: Vec<TcpListener>,
    socket: UnixListener,
}

impl Sockets {
    async fn bind(config: &Config, doors: &[Door], listen: &[Ipv4Addr]) -> Result<Sockets> {
        let mut dhcp = Vec::new();
        for door in doors {
            dhcp.push(door.bind().map_err(|e| {
                busy(e, "DHCP", &format!("{door}"), "stop the other DHCP server on this host (`ss -ulnp` names it)")
            })?);
        }
        let (mut tftp, mut http) = (Vec::new(), Vec::new());
        let v4 = listen.iter().map(|ip| SocketAddr::from((*ip, config.tftp_port)));
        for at in v4.chain(listen_v6(config)?) {
            tftp.push(UdpSocket::bind(at).await.map_err(|e| {
                busy(e, "TFTP", &at.to_string(), "stop the other TFTP server (`ss -ulnp` names it), or set [tftp] port")
            })?);
        }
        for ip in listen {
            let at = SocketAddr::from((*ip, config.http_port));
            http.push(bind_tcp(at).map_err(|e| {
                busy(e, "HTTP", &at.to_string(), "stop the other web server (`ss -tlnp` names it), or set [http] port")
            })?);
        }
        let mut https = Vec::new();
        for ip in listen.iter().filter(|_| config.https.serve) {
            let at = SocketAddr::from((*ip, config.https.port));
            https.push(bind_tcp(at).map_err(|e| {
                busy(
                    e,
                    "HTTPS",
                    &at.to_string(),
                    "stop the other server (`ss -tlnp` names it), or set [https] port or serve = false",
                )
            })?);
        }
        let path = &config.socket;
        let socket = http::server::bind_socket(path).map_err(|e| {
            busy(e, CLI, &path.display().to_string(), "set [server] socket to a path that this user can write")
        })?;
        Ok(Sockets { dhcp, tftp, http, https, socket })
    }

    fn http_port(&self) -> Result<u16> {
        Ok(self.http.first().context("no address to serve HTTP on")?.local_addr()?.port())
    }

    fn serve(
        self,
        engine: Arc<Engine>,
        doors: Vec<Door>,
        config: Config,
        secure: Option<Arc<Https>>,
    ) -> Result<Running> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let dhcp = self.dhcp.iter().map(|s| s.local_addr()).collect::<io::Result<Vec<_>>>()?;
        let tftp = self.tftp.iter().map(|s| s.local_addr()).collect::<io::Result<Vec<_>>>()?;
        let http = self.http.iter().map(|s| s.local_addr()).collect::<io::Result<Vec<_>>>()?;
        let https = self.https.iter().map(|s| s.local_addr()).collect::<io::Result<Vec<_>>>()?;
        let owners = Owners::new(engine.clone(), config.dhcp.interfaces.clone(), stopped.clone());
        for interface in &config.dhcp.interfaces {
            tasks.spawn(rogue_watch(interface, &engine).run(stopped.clone()));
        }
        if !doors.is_empty() {
            let lane = lane::start(doors.iter().cloned().zip(self.dhcp).collect(), owners, stopped.clone())?;
            tasks.spawn(async {
                let ended = lane.await.unwrap_or_else(|_| Err(anyhow!("DHCP broke down")));
                ended.unwrap_or_else(|error| tracing::error!("{error:#}"));
            });
        }
        let library = Arc::new(tftp::Loaders::new(engine.clone()).on_links(link_numbers(&config, &tftp)));
        let tftp_server = tftp::Server::run(self.tftp, library, tftp_limits(&config.tftp), stopped.clone());
        tasks.spawn(logged("TFTP", tftp_server));
        let web = Web::new(engine.clone(), http_limits(config.http));
        for listener in self.http {
            tasks.spawn(logged("HTTP", web.clone().run_tcp(listener, stopped.clone())));
        }
        for (listener, secure) in self.https.into_iter().zip(std::iter::repeat(&secure)) {
            let Some(secure) = secure else { continue };
            tasks.spawn(logged("HTTPS", web.clone().run_tls(listener, secure.tls.clone(), stopped.clone())));
        }
        if let Some(secure) = secure.clone() {
            tasks.spawn(secure.watch(engine.clone(), stopped.clone()));
        }
        tasks.spawn(engine.clone().watch_shelf(stopped.clone()));
        tasks.spawn(engine.clone().watch_templates(stopped.clone()));
        tasks.spawn(watch_store(engine.store.clone(), stopped.clone()));
        tasks.spawn(announce(engine.clone(), stopped.clone()));
        tasks.spawn(log_events(engine.clone(), stopped.clone()));
        tasks.spawn(logged(CLI, http::server::run_socket(self.socket, engine.clone(), stopped.clone())));
        if !config.listen.iter().any(IpAddr::is_ipv4) {
            let tftp = (config.tftp_port, tftp_limits(&config.tftp));
            let https = secure.map(|secure| (config.https.port, secure));
            let ports = Ports { tftp, http: engine.http_port, https };
            tasks.spawn(watch_addresses(engine.clone(), web, doors, ports, stopped));
        }
        Ok(Running { engine, dhcp, tftp, http, https, stop, tasks })
    }
}

pub(crate) fn tftp_limits(config: &config::Tftp) -> tftp::Limits {
    tftp::Limits {
        max_transfers: config.transfers,
        max_transfers_per_client: config.per_client,
        max_blksize: config.max_block,
        max_windowsize: config.max_window,
        ports: config.ports,
        ..tftp::Limits::default()
    }
}

/// Each connection may have a file open beside its socket; so many file descriptors stay for DHCP, TFTP and the store.
const DESCRIPTORS_KEPT: u64 = 1024;

/// As set, as far as the descriptors of this process go.
pub(crate) fn http_limits(set: crate::config::Http) -> Limits {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(descriptors.saturating_sub(DESCRIPTORS_KEPT) / 2).unwrap_or(usize::MAX).max(256);
    if set.connections > most {
        tracing::info!(most, "[http] connections is more than the limit of open files allows: LimitNOFILE raises it");
    }
    let stalled = std::time::Duration::from_secs(set.stalled_secs.into());
    Limits { connections: set.connections.min(most), connections_each: set.connections_each, stalled }
}

/// As many files as this process may have: what it starts with is meant for programs that use `select`.
pub(crate) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum {
        limit.current = limit.maximum;
        // The packaged unit forbids it, and sets what is needed.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

async fn logged<E: std::fmt::Display>(what: &'static str, serving: impl Future<Output = Result<(), E>>) {
    if let Err(error) = serving.await {
        tracing::error!(%error, "{what} is served no longer: restart Kickstand");
    }
}

/// Another DHCP server where this one should be alone is worth an alarm.
fn rogue_watch(
    interface: &str,
    engine: &Arc<Engine>,
) -> rogue::Watch<impl Fn() -> rogue::Neighbours + Send + use<>, impl FnMut(rogue::Rogue) + Send + use<>> {
    let (place, here, teller) = (interface.to_owned(), engine.clone(), engine.clone());
    let neighbours = move || {
        let (on, mine) = (interface_addresses(&place).unwrap_or_default(), here.addresses());
        let world = here.store.world();
        let ours = world.servers.keys().copied().chain(mine).collect();
        let network = on.iter().find_map(|ip| world.network_of(*ip));
        let expected = network.is_none_or(|network| network.dhcp.placement != Placement::Full);
        rogue::Neighbours { ours, expected }
    };
    let report = move |rogue: rogue::Rogue| {
        let rogue::Rogue { interface, server_mac, server_ip, offered } = rogue;
        let offered = offered.map_or("refuses clients".into(), |ip| format!("offers {ip}"));
        let text = format!(
            "another DHCP server is on {interface}: {server_ip}, card {server_mac}, {offered}; machines may boot from it instead"
        );
        let mut tale = Tale::new(teller.now(), Kind::Alarm, text).from(server_ip);
        tale.mac = Some(server_mac);
        teller.tell(tale);
    };
    rogue::Watch { interface: interface.to_owned(), every: rogue::EVERY, neighbours, report }
}

/// A server that can not keep what it promises must not go on promising: it ends, and systemd starts it again.
async fn watch_store(store: Store, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = stopped(&mut stop) => {}
        () = store.ended() => tracing::error!("nothing can be written any more: see the error above"),
    }
}

/// An interface that changes its address changes what machines are told, and where they ask.
async fn watch_addresses(
    engine: Arc<Engine>,
    web: Web,
    doors: Vec<Door>,
    ports: Ports,
    mut stop: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(LOOK);
    let mut served: HashSet<Ipv4Addr> = engine.addresses().into_iter().collect();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = look.tick() => {
                let Some(now) = doors.iter().map(Door::addresses).collect::<Option<Vec<_>>>() else { continue };
                let mut now = now.concat();
                now.sort_unstable();
                now.dedup();
                if now == engine.addresses() {
                    continue;
                }
                tracing::info!(?now, "the addresses of the served interfaces changed");
                for ip in &now {
                    if !served.contains(ip) && serve_at(*ip, &ports, &engine, &web, &stop).await {
                        served.insert(*ip);
                    }
                }
                if let Some((_, secure)) = &ports.https {
                    secure.fit(&engine, &now);
                }
                engine.set_addresses(now.clone());
                drop(engine.store.edit(Edit::Announce(now), "serve", engine.now()).await);
            }
        }
    }
}

/// Servers that share a database know each other's answers from a stranger's.
async fn announce(engine: Arc<Engine>, mut stop: watch::Receiver<bool>) {
    let mut again = tokio::time::interval(ANNOUNCE);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = again.tick() => {
                let said = engine.store.edit(Edit::Announce(engine.addresses()), "serve", engine.now()).await;
                if let Err(error) = said {
                    tracing::debug!(%error, "where this server is could not be written down");
                }
            }
        }
    }
}

/// Far more often than others forget.
const ANNOUNCE: std::time::Duration = std::time::Duration::from_secs(3600);

/// Where TFTP and HTTP are asked for.
struct Ports {
    tftp: (u16, tftp::Limits),
    http: u16,
    https: Option<(u16, Arc<Https>)>,
}

/// TFTP and HTTP at an address that came later; tried again at the next change where it fails.
async fn serve_at(ip: Ipv4Addr, ports: &Ports, engine: &Arc<Engine>, web: &Web, stop: &watch::Receiver<bool>) -> bool {
    let bound = async {
        let tftp = UdpSocket::bind((ip, ports.tftp.0)).await?;
        let https = match &ports.https {
            Some((port, secure)) => Some((bind_tcp((ip, *port).into())?, secure.tls.clone())),
            None => None,
        };
        Ok::<_, io::Error>((tftp, bind_tcp((ip, ports.http).into())?, https))
    };
    match bound.await {
        Ok((tftp, http, https)) => {
            let library = Arc::new(tftp::Loaders::new(engine.clone()));
            let server = tftp::Server::run(vec![tftp], library, ports.tftp.1, stop.clone());
            tokio::spawn(logged("TFTP", server));
            tokio::spawn(logged("HTTP", web.clone().run_tcp(http, stop.clone())));
            if let Some((https, tls)) = https {
                tokio::spawn(logged("HTTPS", web.clone().run_tls(https, tls, stop.clone())));
            }
            true
        }
        Err(error) => {
            tracing::warn!(%error, %ip, "TFTP and HTTP can not be served at the new address");
            false
        }
    }
}

/// What the socket is for, in messages.
const CLI: &str = "the command line";

fn busy(error: io::Error, what: &str, place: &str, remedy: &str) -> anyhow::Error {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => remedy.to_owned(),
        io::ErrorKind::PermissionDenied if what != CLI => {
            "run it as root, or give it CAP_NET_BIND_SERVICE and CAP_NET_RAW (packaging/kickstand.service does)".into()
        }
        _ => "see the settings in kickstand.toml".into(),
    };
    anyhow!("cannot serve {what} on {place}: {error}; {remedy}")
}
