//! By what the server is known, before a key goes there.

use std::fs;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Error, Wish};
use crate::client::{self, Client};
use crate::register;
use crate::retry::{Failure, Patience, retry};

/// The CA by which the server is known, as PEM; none where nothing is encrypted.
pub fn trusted(patience: Patience, server: &str, wish: &Wish) -> Result<Option<String>, Error> {
    let url = || server.to_owned();
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['/', '@', '?', '#', ' '])) {
        return Err(Error::Address { url: url() });
    }
    match (server.starts_with("http://"), &wish.ca, &wish.fingerprint) {
        (true, _, _) if wish.is_insecure => Ok(None),
        (true, _, _) => Err(Error::InTheClear { url: url() }),
        (false, Some(path), _) => {
            let unreadable = |cause| register::Error::Read { path: path.clone(), cause };
            let pem = fs::read_to_string(path).map_err(unreadable)?;
            Client::new(Some(&pem)).map_err(|cause| Error::NoCertificate { path: path.clone(), cause })?;
            Ok(Some(pem))
        }
        (false, None, Some(fingerprint)) => fetched(patience, server, fingerprint).map(Some),
        (false, None, None) => Err(Error::NoCa { url: url() }),
    }
}

/// Anybody may have answered: it is believed for its fingerprint alone.
fn fetched(patience: Patience, server: &str, fingerprint: &str) -> Result<String, Error> {
    let wanted = fingerprint.trim().trim_start_matches("sha256:").replace(':', "").to_lowercase();
    if wanted.len() != 64 || !wanted.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Error::BadFingerprint(fingerprint.to_owned()));
    }
    let url = format!("{server}/ca.pem");
    let client = Client::of_nobody();
    let fetch = || {
        let mut response = client.get(&url, &[])?;
        response.body_mut().read_to_string().map_err(|error| Failure::Again(client::unreachable(&url, &error)))
    };
    let pem = retry(patience, fetch).map_err(|failure| match failure {
        Failure::Again(error) => register::Error::Away(error),
        Failure::Final(error) => register::Error::Refused(error),
    })?;
    let seen = CertificateDer::from_pem_slice(pem.as_bytes()).map(|der| {
        let digest = ring::digest::digest(&ring::digest::SHA256, &der);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let seen = seen.unwrap_or_else(|_| "no certificate".to_owned());
    match seen == wanted {
        // What else may stand in the file was in no fingerprint.
        true => Ok(first_certificate(&pem)),
        false => Err(Error::OtherCa { url: server.to_owned(), seen }),
    }
}

fn first_certificate(pem: &str) -> String {
    let mut lines = Vec::new();
    for line in pem.lines().skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE")) {
        lines.push(line);
        if line.starts_with("-----END CERTIFICATE") {
            break;
        }
    }
    lines.join("\n") + "\n"
}
