//! A CA of the rehearsal's own, gone with it: what the second server shows by HTTPS, and what clients believe. The real one's key is
//! neither read nor needed.

use super::Error;
use crate::ca::Authority;
use crate::engine::Trust;
use crate::http::tls::Tls;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub struct Throwaway {
    pub tls: Tls,
    /// What answer files carry.
    pub trust: Trust,
    /// For clients, who trust this CA alone.
    pub connector: TlsConnector,
}

impl Throwaway {
    pub fn make(servers: &[Ipv4Addr], now: SystemTime) -> Result<Throwaway, Error> {
        let authority = Authority::throwaway(now).map_err(broken)?;
        let addresses: Vec<_> = servers.iter().map(|ip| (*ip).into()).collect();
        let made = authority.certify(&addresses, &[], now).map_err(broken)?;
        let tls = Tls::given(&made.chain, &made.key).map_err(broken)?;
        let trust = Trust {
            pem: authority.pem().to_owned(),
            sha256: authority.fingerprint(),
            ends_at: authority.ends_at().map(Into::into),
            addresses: servers.to_vec(),
        };
        let connector = who_trusts(made.chain.last().map_or(&[][..], Vec::as_slice))?;
        Ok(Throwaway { tls, trust, connector })
    }
}

fn who_trusts(certificate: &[u8]) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.to_vec())).map_err(broken)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(broken)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    // Each client is another machine: none goes on where another left off.
    config.resumption = tokio_rustls::rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Ca(error.to_string())
}
