//! The appliance's own CA: made once, kept in one file, and what it certifies is this server alone.

mod ends;
mod file;

pub use ends::{ends_at, is_root};
pub use file::{Error, FILE, ill_kept};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a CA lives: longer than the machines that were told of it.
const CA_LIFE: Duration = DAY.saturating_mul(365 * 20);
/// How long a certificate of the server does; at half of it another is made.
const LIFE: Duration = DAY.saturating_mul(365);
/// 2026-01-01: a server whose own clock is behind that makes no CA that ends too early.
const AT_LEAST: Duration = DAY.saturating_mul(20_454);
/// How many bytes of randomness tell one CA's name from another's.
const NAME_BYTES: usize = 4;

/// The CA and its key. It is a root: clients whose OpenSSL takes no partial chain, curl before 7.68 among them, believe no other.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    pem: String,
}

/// A certificate of the server, and its key: in memory alone.
pub struct Certified {
    /// DER: its own first, then the CA's.
    pub chain: Vec<Vec<u8>>,
    /// PKCS #8.
    pub key: Zeroizing<Vec<u8>>,
    pub renew_at: SystemTime,
}

impl Authority {
    /// Reads the CA, or makes one where there is none; whether it was made.
    pub fn open(path: &Path, now: SystemTime) -> Result<(Authority, bool), Error> {
        let (text, made) = match file::read(path)? {
            Some(text) => (text, false),
            None => (file::make(path, &Authority::made(now).map_err(|e| Error::unusable(path, &e))?)?, true),
        };
        Ok((Authority::parse(&text).map_err(|e| Error::unusable(path, &e))?, made))
    }

    /// Reads the CA that must be there.
    pub fn read(path: &Path) -> Result<Authority, Error> {
        let text = file::read(path)?.ok_or_else(|| file::Error::Missing { path: path.to_owned() })?;
        Authority::parse(&text).map_err(|e| Error::unusable(path, &e))
    }

    /// One that lies in no file and is gone with this process.
    pub fn throwaway(now: SystemTime) -> Result<Authority, Error> {
        let nowhere = Path::new("in memory");
        let text = Authority::made(now).map_err(|e| Error::unusable(nowhere, &e))?;
        Authority::parse(&text).map_err(|e| Error::unusable(nowhere, &e))
    }

    /// Its file's text: the certificate, then the key.
    fn made(now: SystemTime) -> Result<Zeroizing<String>, rcgen::Error> {
        let mut tag = [0; NAME_BYTES];
        getrandom::fill(&mut tag).map_err(|_| rcgen::Error::RingUnspecified)?;
        let mut wanted = CertificateParams::default();
        // Machines' clocks may be decades behind: see docs/https.md.
        (wanted.not_before, wanted.not_after) = (SystemTime::UNIX_EPOCH.into(), ahead(now, CA_LIFE).into());
        wanted.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // No two have the same name: who trusts an old one and a new one must tell them apart.
        wanted.distinguished_name.push(DnType::CommonName, format!("Kickstand CA {}", hex::encode(tag)));
        let key = KeyPair::generate()?;
        Ok(Zeroizing::new(wanted.self_signed(&key)?.pem() + &Zeroizing::new(key.serialize_pem())))
    }

    fn parse(text: &str) -> Result<Authority, String> {
        let certificate = file::der(text).ok_or("there is no certificate in it")?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| format!("its key: {error}"))?;
        let key = KeyPair::try_from(&key).map_err(|error| format!("its key: {error}"))?;
        let public = key.public_key_raw();
        if !certificate.windows(public.len()).any(|part| part == public) {
            return Err("its key belongs to another certificate".into());
        }
        if !may_certify(&certificate) {
            return Err("its certificate is not a CA's".into());
        }
        if !is_root(&certificate) {
            return Err(
                "its certificate was issued by another CA, and many clients believe none but a root: let that \
                CA certify this server, and name [https] certificate, key and ca"
                    .into(),
            );
        }
        let issuer = Issuer::from_ca_cert_der(&certificate.as_slice().into(), key);
        let issuer = issuer.map_err(|error| format!("its certificate: {error}"))?;
        let pem = file::first(text).unwrap_or_default();
        Ok(Authority { issuer, certificate, pem })
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn ends_at(&self) -> Option<SystemTime> {
        ends_at(&self.certificate)
    }

    /// As people compare it: SHA-256 of its certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }

    /// A fresh key, and a certificate for these addresses and names.
    pub fn certify(&self, addresses: &[IpAddr], names: &[String], now: SystemTime) -> Result<Certified, rcgen::Error> {
        let mut wanted = CertificateParams::default();
        // No longer than the CA itself.
        let end = ahead(now, LIFE).min(self.ends_at().unwrap_or_else(|| ahead(now, LIFE)));
        (wanted.not_before, wanted.not_after) = (SystemTime::UNIX_EPOCH.into(), end.into());
        wanted.subject_alt_names = addresses.iter().map(|ip| SanType::IpAddress(*ip)).collect();
        for name in names {
            wanted.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        let name = names.first().cloned().or_else(|| addresses.first().map(IpAddr::to_string));
        wanted.distinguished_name.push(DnType::CommonName, name.unwrap_or_else(|| "Kickstand".into()));
        wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        wanted.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let made = wanted.signed_by(&key, &self.issuer)?;
        let chain = vec![made.der().to_vec(), self.certificate.clone()];
        Ok(Certified { chain, key: Zeroizing::new(key.serialize_der()), renew_at: ahead(now, LIFE / 2) })
    }
}

/// Whether its basic constraints (RFC 5280 §4.2.1.9), mostly critical, say that it is a CA's: clients look at that.
fn may_certify(certificate: &[u8]) -> bool {
    const BASIC_CONSTRAINTS: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x13];
    const TRUE: &[u8] = &[0x01, 1, 0xff];
    let mut found = certificate.windows(BASIC_CONSTRAINTS.len()).enumerate();
    let Some((at, _)) = found.find(|(_, part)| *part == BASIC_CONSTRAINTS) else { return false };
    let rest = certificate.get(at.saturating_add(BASIC_CONSTRAINTS.len())..).unwrap_or_default();
    match rest.strip_prefix(TRUE).unwrap_or(rest) {
        [0x04, _, 0x30, _, rest @ ..] => rest.starts_with(TRUE),
        _ => false,
    }
}

/// When the first certificate of a PEM text ends.
pub fn ends_at_of(pem: &str) -> Option<SystemTime> {
    ends_at(&file::der(pem)?)
}

/// Whether the first certificate of a PEM text is a root's.
pub fn is_root_of(pem: &str) -> bool {
    file::der(pem).is_some_and(|der| is_root(&der))
}

/// Each certificate of a PEM text, and nothing else of it.
pub fn certificates(text: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let bodies = text.split(BEGIN).skip(1).filter_map(|part| part.split_once(END));
    bodies.map(|(body, _)| format!("{BEGIN}{body}{END}\n")).collect()
}

/// As people compare it: SHA-256 of the first certificate of a PEM text.
pub fn fingerprint(pem: &str) -> Option<[u8; 32]> {
    Some(Sha256::digest(file::der(pem)?).into())
}

fn ahead(now: SystemTime, by: Duration) -> SystemTime {
    let now = now.max(SystemTime::UNIX_EPOCH + AT_LEAST);
    now.checked_add(by).unwrap_or(now)
}

/// Certificates that are issued by one another.
#[cfg(test)]
pub mod testing {
    use super::*;

    /// A root and an intermediate below it: DER, and the certificate with its key as PEM.
    pub fn chain() -> [(Vec<u8>, String, KeyPair); 2] {
        let wanted = |name: &str| {
            let mut wanted = CertificateParams::default();
            wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            wanted.distinguished_name.push(DnType::CommonName, name);
            wanted
        };
        let [root_key, key] = [(); 2].map(|()| KeyPair::generate().unwrap());
        let root = wanted("root").self_signed(&root_key).unwrap();
        let issuer = Issuer::from_ca_cert_der(root.der(), &root_key).unwrap();
        let between = wanted("between").signed_by(&key, &issuer).unwrap();
        [(root.der().to_vec(), root.pem(), root_key), (between.der().to_vec(), between.pem(), key)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_ca_is_made_once_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let now = at("2026-06-01T00:00:00Z");
        let (made, was_made) = Authority::open(&path, now).unwrap();
        assert!(was_made);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let (again, was_made) = Authority::open(&path, now).unwrap();
        assert_eq!((again.pem(), was_made), (made.pem(), false));
        assert!(
            !made.pem().contains("PRIVATE") && made.pem().ends_with("-----END CERTIFICATE-----\n"),
            "{}",
            made.pem()
        );
        let other = Authority::open(&folder.path().join("other"), now).unwrap().0;
        assert_ne!(fingerprint(other.pem()), fingerprint(made.pem()));
    }

    #[test]
    fn a_file_that_is_no_ca_is_named_and_its_text_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let own = |pem: &str| pem[pem.find("-----BEGIN PRIVATE").unwrap()..].to_owned();
        let [first, second] = [(); 2].map(|()| Authority::made(at("2026-06-01T00:00:00Z")).unwrap());
        let leaf = CertificateParams::new(vec!["x".into()]).unwrap();
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = leaf.self_signed(&leaf_key).unwrap().pem() + &leaf_key.serialize_pem();
        let strange = Authority::parse(&first).unwrap().pem + &own(&second);
        for text in ["hunter2", "", Authority::parse(&first).unwrap().pem(), &own(&first), &leaf, &strange] {
            std::fs::write(&path, text).unwrap();
            let Err(error) = Authority::open(&path, SystemTime::now()) else { panic!("{text} is taken for a CA") };
            let said = error.to_string();
            assert!(said.contains("ca.key can not be used") && said.contains("restore"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        let [_, (_, between, key)] = testing::chain();
        std::fs::write(&path, between + &key.serialize_pem()).unwrap();
        let error = Authority::open(&path, SystemTime::now()).err().unwrap().to_string();
        assert!(error.contains("issued by another CA") && error.contains("[https] certificate"), "{error}");
        // In whatever order a tool wrote them.
        std::fs::write(&path, own(&first) + Authority::parse(&first).unwrap().pem()).unwrap();
        assert!(Authority::open(&path, SystemTime::now()).is_ok());
    }

    #[test]
    fn what_it_makes_outlives_a_server_whose_clock_stands_still() {
        for (now, ca, own, renew) in [
            ("2030-01-01T00:00:00Z", "2049-12-27T00:00:00Z", "2031-01-01T00:00:00Z", "2030-07-02T12:00:00Z"),
            ("1970-01-01T00:00:03Z", "2045-12-27T00:00:00Z", "2027-01-01T00:00:00Z", "2026-07-02T12:00:00Z"),
        ] {
            let authority = Authority::parse(&Authority::made(at(now)).unwrap()).unwrap();
            let made = authority.certify(&[IpAddr::from([10, 0, 0, 1])], &[], at(now)).unwrap();
            assert_eq!((authority.ends_at(), ends_at(&made.chain[0])), (Some(at(ca)), Some(at(own))), "{now}");
            assert_eq!((made.renew_at, &made.chain[1]), (at(renew), &authority.certificate), "{now}");
        }
    }

    #[test]
    fn no_certificate_outlives_its_ca() {
        let authority = Authority::parse(&Authority::made(at("2030-01-01T00:00:00Z")).unwrap()).unwrap();
        let made = authority.certify(&[IpAddr::from([10, 0, 0, 1])], &[], at("2049-06-01T00:00:00Z")).unwrap();
        assert_eq!(ends_at(&made.chain[0]), Some(at("2049-12-27T00:00:00Z")));
        assert_eq!(ends_at(&made.chain[0]), authority.ends_at());
    }
}
