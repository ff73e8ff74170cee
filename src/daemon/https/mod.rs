//! HTTPS as it is set: whose certificate is shown, for which addresses, and what machines are told of it.

use super::continuity::{self, Found};
use crate::boot::Tale;
use crate::ca::{self, Authority};
use crate::config::{self, Config};
use crate::engine::{Engine, LostCa, Trust, stopped};
use crate::http::tls::Tls;
use crate::model::{Hash, Kind};
use crate::store::{Edit, KnownCa, Store};
use anyhow::{Context, Result, anyhow, bail};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_rustls::rustls::pki_types::ServerName;

/// How often it is asked whether a certificate must be made anew, or was changed.
const LOOK: Duration = Duration::from_secs(60);

pub(super) struct Https {
    pub tls: Tls,
    whose: Whose,
    now: Mutex<Shown>,
}

/// What comes of the settings.
pub(super) enum Opened {
    Off,
    Served(Arc<Https>),
    /// It is not served: machines know another CA than lies here.
    Lost(LostCa),
}

enum Whose {
    /// Of the appliance's own CA, which was made just now or lay there.
    Own { authority: Box<Authority>, names: Vec<String>, further: Vec<IpAddr>, made: Option<PathBuf> },
    /// The operator's, and the CA that it comes from.
    Operators { ca: Option<PathBuf> },
}

/// The certificate of now.
struct Shown {
    addresses: Vec<Ipv4Addr>,
    renew_at: SystemTime,
    /// Why some address is not vouched for: said once.
    warned: Option<String>,
    /// The operator's CA that machines were told of last.
    known: Option<Hash>,
}

impl Https {
    /// As it is set, with the CA that machines of this database know.
    pub async fn start(config: &Config, key_file: &Path, addresses: &[Ipv4Addr], store: &Store) -> Result<Opened> {
        let opened = Https::open(config, key_file, addresses, &store.known_ca().await?)?;
        let Opened::Served(https) = &opened else { return Ok(opened) };
        let Whose::Own { authority, .. } = &https.whose else { return Ok(opened) };
        let path = own_file(&config.https, key_file);
        let lost = continuity::keep(store, &path, Hash(authority.fingerprint())).await?;
        Ok(lost.map_or(opened, Opened::Lost))
    }

    fn open(config: &Config, key_file: &Path, addresses: &[Ipv4Addr], known: &KnownCa) -> Result<Opened> {
        let set = &config.https;
        if !set.serve {
            return Ok(Opened::Off);
        }
        match (&set.certificate, &set.key) {
            (Some(certificate), Some(key)) => {
                let tls = Tls::read(certificate, key).context("cannot serve HTTPS")?;
                // DHCP and TFTP must not depend on it.
                if let Err(error) = set.ca.as_deref().map_or(Ok(Vec::new()), certificates) {
                    let text = format!("{error:#}, and restart");
                    return Ok(Opened::Lost(continuity::unusable(&text, known.told)));
                }
                let whose = Whose::Operators { ca: set.ca.clone() };
                Ok(Https::served(tls, whose, addresses, SystemTime::now()))
            }
            (None, None) if set.ca.is_none() => Https::by_own_ca(set, &own_file(set, key_file), addresses, known),
            (None, None) => bail!("[https] names a ca, but no certificate and key of it: name all of them, or none"),
            _ => bail!("[https] names one of certificate and key: name both, or neither"),
        }
    }

    fn by_own_ca(set: &config::Https, path: &Path, addresses: &[Ipv4Addr], known: &KnownCa) -> Result<Opened> {
        let (names, further) = named(set)?;
        let now = SystemTime::now();
        let (authority, made) = match continuity::find(path, known, now) {
            Found::Ours(authority) => (Box::new(authority), None),
            Found::Made(authority) => (Box::new(authority), Some(path.to_owned())),
            Found::Nowhere(error) => {
                tracing::error!("HTTPS is not served, and machines are told http:// URLs: {error:#}");
                return Ok(Opened::Off);
            }
            Found::Lost(lost) => return Ok(Opened::Lost(lost)),
        };
        let whose = Whose::Own { authority, names, further, made };
        let made = whose.certify(addresses, now).context("cannot serve HTTPS")??;
        Ok(Https::served(Tls::given(&made.chain, &made.key)?, whose, addresses, made.renew_at))
    }

    fn served(tls: Tls, whose: Whose, addresses: &[Ipv4Addr], renew_at: SystemTime) -> Opened {
        let shown = Shown { addresses: addresses.to_vec(), renew_at, warned: None, known: None };
        Opened::Served(Arc::new(Https { tls, whose, now: Mutex::new(shown) }))
    }

    /// Makes the certificate fit these addresses, and says where machines may rely on it.
    pub fn fit(&self, engine: &Engine, addresses: &[Ipv4Addr]) {
        let now = SystemTime::now();
        if let Err(error) = self.renew(addresses, now) {
            tracing::error!("HTTPS goes on with the certificate that it has: {error:#}");
        }
        match self.trust(addresses, now) {
            Ok((trust, doubt)) => {
                engine.set_trust(trust);
                self.warn(doubt);
            }
            // A file in the middle of being written is no reason to send a key in clear.
            Err(error) => self.warn(Some(format!("machines are told of the CA that was read last: {error:#}"))),
        }
    }

    fn renew(&self, addresses: &[Ipv4Addr], now: SystemTime) -> Result<()> {
        let mut shown = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.addresses == addresses && now < shown.renew_at {
            return Ok(());
        }
        if let Some(made) = self.whose.certify(addresses, now) {
            let made = made?;
            self.tls.replace(&made.chain, &made.key)?;
            shown.renew_at = made.renew_at;
            tracing::info!(?addresses, "HTTPS has a new certificate");
        }
        shown.addresses = addresses.to_vec();
        Ok(())
    }

    /// What machines are told, and what keeps some of them from being told.
    fn trust(&self, addresses: &[Ipv4Addr], now: SystemTime) -> Result<(Option<Trust>, Option<String>)> {
        let pem = match &self.whose {
            Whose::Own { authority, .. } => authority.pem().to_owned(),
            Whose::Operators { ca: None } => {
                let text = "[https] names a certificate and no ca, so installers are told http:// URLs";
                return Ok((None, Some(text.into())));
            }
            // Machines are told of one certificate: of several, that which vouches for the most addresses.
            Whose::Operators { ca: Some(path) } => {
                let vouches = |pem: &String| addresses.iter().filter(|ip| self.is_good(pem, **ip, now)).count();
                let all = certificates(path)?;
                all.into_iter().rev().max_by_key(vouches).context("[https] ca holds no certificate: it must be PEM")?
            }
        };
        let sha256 = ca::fingerprint(&pem).context("[https] ca holds no certificate: it must be PEM")?;
        if ca::ends_at_of(&pem).is_some_and(|end| end <= now) {
            let trust = Trust { pem, sha256, ends_at: None, addresses: Vec::new() };
            return Ok((Some(trust), Some("the CA's certificate is over, so installers are told http:// URLs".into())));
        }
        let seen = addresses.iter().map(|ip| (*ip, self.tls.convinces(&pem, (*ip).into(), now)));
        let (good, bad): (Vec<_>, Vec<_>) = seen.partition(|(_, seen)| seen.is_ok());
        let doubt = bad.into_iter().find_map(|(ip, seen)| Some((ip, seen.err()?)));
        let text = |(ip, why)| {
            format!(
                "installers are told http:// URLs at {ip}: who trusts [https] ca alone refuses the certificate there: {why}"
            )
        };
        let ends_at = ca::ends_at_of(&pem).map(Into::into);
        let trust = Trust { pem, sha256, ends_at, addresses: good.into_iter().map(|(ip, _)| ip).collect() };
        Ok((Some(trust), doubt.map(text)))
    }

    /// Whether who trusts this CA alone believes the certificate under this name or address.
    pub fn vouches(&self, ca: &str, host: &str) -> Result<(), String> {
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        self.tls.convinces_as(ca, &name, SystemTime::now()).map_err(|error| error.to_string())
    }

    fn is_good(&self, pem: &str, ip: Ipv4Addr, now: SystemTime) -> bool {
        self.tls.convinces(pem, ip.into(), now).is_ok()
    }

    fn warn(&self, doubt: Option<String>) {
        let mut shown = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = doubt.as_ref().filter(|_| shown.warned != doubt) {
            tracing::warn!("{text}");
        }
        shown.warned = doubt;
    }

    /// That there is a CA from now on, which machines will trust for as long as they live.
    pub fn announce(&self, engine: &Engine) {
        let (Whose::Own { made: Some(path), .. }, Some(trust)) = (&self.whose, engine.trust()) else { return };
        let text =
            format!("a CA was made: {}, SHA-256 {}; keep a copy of it", path.display(), hex::encode(trust.sha256));
        engine.tell(Tale::new(engine.now(), Kind::Appliance, text));
    }

    /// Whose CA the operator's is, `[https] ca` says: machines are told of it even where they know another, and that is said.
    pub async fn follow(&self, engine: &Engine) {
        let Whose::Operators { .. } = &self.whose else { return };
        let told = engine.trust().filter(|trust| !trust.addresses.is_empty()).map(|trust| Hash(trust.sha256));
        let is_new = |told: &Hash| self.now.lock().unwrap_or_else(PoisonError::into_inner).known != Some(*told);
        let Some(told) = told.filter(is_new) else { return };
        match keep(engine, told).await {
            Ok(()) => self.now.lock().unwrap_or_else(PoisonError::into_inner).known = Some(told),
            Err(error) => tracing::warn!("it could not be written down which CA machines are told of: {error:#}"),
        }
    }

    pub async fn watch(self: Arc<Self>, engine: Arc<Engine>, mut stop: watch::Receiver<bool>) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return,
                _ = look.tick() => {
                    self.fit(&engine, &engine.addresses());
                    self.follow(&engine).await;
                }
            }
        }
    }
}

impl Whose {
    /// None: it is not ours to make.
    fn certify(&self, addresses: &[Ipv4Addr], now: SystemTime) -> Option<Result<ca::Certified>> {
        let Whose::Own { authority, names, further, .. } = self else { return None };
        let all: Vec<_> = addresses.iter().map(|ip| IpAddr::V4(*ip)).chain(further.iter().copied()).collect();
        Some(authority.certify(&all, names, now).context("no certificate could be made"))
    }
}

/// The roots in the operator's file of CAs, each certificate alone: everybody may read what is told of it. An intermediate is none:
/// OpenSSL's clients, curl before 7.68 among them, believe no chain that ends there.
pub(crate) fn certificates(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow!("cannot read [https] ca {} ({error}): mend that", path.display()))?;
    if text.contains("PRIVATE KEY-----") {
        bail!(
            "{} holds a private key, and [https] ca is given to everybody: name a file with the certificate alone",
            path.display()
        );
    }
    let all = ca::certificates(&text);
    let roots: Vec<_> = all.iter().filter(|pem| ca::is_root_of(pem)).cloned().collect();
    if roots.is_empty() && !all.is_empty() {
        bail!(
            "{} holds intermediate CAs alone, and many clients believe none but a root: name a file with the root in [https] ca, \
             and put the intermediate behind the server's own certificate in [https] certificate",
            path.display()
        );
    }
    Ok(roots)
}

/// The operator's CA from now on; registered systems that know another are named an alarm.
async fn keep(engine: &Engine, told: Hash) -> Result<()> {
    let known = engine.store.known_ca().await?.told;
    let edit = match known {
        None => Edit::KeepCa(told),
        Some(known) if known == told => return Ok(()),
        from @ Some(known) => {
            let text = format!(
                "machines are told of another CA (SHA-256 {told}) than before (SHA-256 {known}): systems that know that one \
                 alone refuse this server until their agent.json has both; see docs/https.md"
            );
            engine.tell(Tale::new(engine.now(), Kind::Alarm, text));
            Edit::AcceptCa { from, ca: Some(told) }
        }
    };
    Ok(engine.store.edit(edit, "serve", engine.now()).await?)
}

/// Where the CA of its own lies: as set, or beside the key of secrets.
pub(crate) fn own_file(set: &config::Https, key_file: &Path) -> PathBuf {
    set.ca_key_file.clone().unwrap_or_else(|| key_file.with_file_name(ca::FILE))
}

/// What its certificate names beside the addresses that are served.
fn named(set: &config::Https) -> Result<(Vec<String>, Vec<IpAddr>)> {
    let (mut names, mut further) = (host().into_iter().collect::<Vec<_>>(), Vec::new());
    for name in &set.names {
        match ServerName::try_from(name.as_str()) {
            Ok(ServerName::IpAddress(ip)) => further.push(ip.into()),
            Ok(_) if !names.contains(name) => names.push(name.clone()),
            Ok(_) => {}
            Err(_) => bail!("[https] names {name:?}, which is neither a name nor an address of a server"),
        }
    }
    Ok((names, further))
}

/// This host's own name, if it is one that a certificate can hold.
fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_lowercase();
    matches!(ServerName::try_from(name.as_str()), Ok(ServerName::DnsName(_))).then_some(name)
}

#[cfg(test)]
mod tests;
