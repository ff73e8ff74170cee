//! Which certificate is shown, and what machines are told of it, at any time and address.

use super::*;
use crate::engine::FoundCa;

const ONE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TWO: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);

fn at(text: &str) -> SystemTime {
    humantime::parse_rfc3339(text).unwrap()
}

fn open(config: &Config, key_file: &Path) -> Result<Arc<Https>> {
    match Https::open(config, key_file, &[ONE], &KnownCa::default())? {
        Opened::Served(https) => Ok(https),
        Opened::Off => bail!("it is off"),
        Opened::Lost(lost) => bail!("{}", lost.why),
    }
}

fn trusted(https: &Https, ip: Ipv4Addr, now: SystemTime) -> bool {
    let (trust, _) = https.trust(&[ip], now).unwrap();
    trust.unwrap().addresses == [ip]
}

#[test]
fn the_certificate_follows_the_addresses_and_is_renewed_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.https.names = vec!["boot.lab.example".into(), "192.0.2.9".into()];
    let https = open(&config, &folder.path().join("secret.key")).unwrap();
    assert!(folder.path().join("ca.key").exists());
    let now = SystemTime::now();
    assert!(trusted(&https, ONE, now) && !trusted(&https, TWO, now));
    assert!(trusted(&https, Ipv4Addr::new(192, 0, 2, 9), now), "an address that was named");
    https.renew(&[ONE, TWO], now).unwrap();
    assert!(trusted(&https, ONE, now) && trusted(&https, TWO, now), "an interface has a new address");
    https.renew(&[TWO], now).unwrap();
    assert!(!trusted(&https, ONE, now) && trusted(&https, TWO, now), "and lost its old one");
    let day = Duration::from_secs(24 * 3600);
    https.renew(&[TWO], now + day).unwrap();
    assert!(!trusted(&https, TWO, now + day * 366), "it has an end");
    https.renew(&[TWO], now + day * 200).unwrap();
    assert!(trusted(&https, TWO, now + day * 366), "before which another is made");
}

#[test]
fn where_no_ca_can_be_made_the_rest_is_served() {
    let folder = tempfile::tempdir().unwrap();
    // No folder can be made there, whoever asks.
    let nowhere = Path::new("/proc/self/nowhere/secret.key");
    assert!(matches!(Https::open(&Config::default(), nowhere, &[ONE], &KnownCa::default()), Ok(Opened::Off)));
    let broken = folder.path().join(ca::FILE);
    std::fs::write(&broken, "no key").unwrap();
    let opened = Https::open(&Config::default(), &folder.path().join("secret.key"), &[ONE], &KnownCa::default());
    assert!(matches!(opened, Ok(Opened::Lost(_))), "it is there");
    let set = config::Https { names: vec!["a b".into()], ..Config::default().https };
    let refused = open(&Config { https: set, ..Config::default() }, &folder.path().join("secret.key"));
    assert!(refused.err().unwrap().to_string().contains("neither a name nor an address"));
}

#[test]
fn a_machine_whose_clock_is_decades_behind_trusts_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let https = open(&Config::default(), &folder.path().join("secret.key")).unwrap();
    for clock in ["1970-01-01T00:00:00Z", "1990-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "2026-01-01T00:00:00Z"] {
        assert!(trusted(&https, ONE, at(clock)), "{clock}");
    }
    assert!(!trusted(&https, ONE, at("2048-01-01T00:00:00Z")));
}

#[test]
fn a_ca_that_does_not_vouch_for_the_operators_certificate_is_told_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority = Authority::open(&path("lab.key"), SystemTime::now()).unwrap().0;
    let own = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec![ONE.to_string()]).unwrap().self_signed(&own).unwrap();
    std::fs::write(path("https.crt"), made.pem()).unwrap();
    std::fs::write(path("https.key"), own.serialize_pem()).unwrap();
    let mut config = Config::default();
    (config.https.certificate, config.https.key) = (Some(path("https.crt")), Some(path("https.key")));
    let open = |config: &Config| open(config, &path("secret.key"));
    let https = open(&config).unwrap();
    let (trust, doubt) = https.trust(&[ONE], SystemTime::now()).unwrap();
    assert!(trust.is_none() && doubt.unwrap().contains("no ca"), "as it was before there was one");
    for (ca, good) in [(made.pem(), true), (authority.pem().to_owned(), false)] {
        std::fs::write(path("ca.pem"), ca).unwrap();
        config.https.ca = Some(path("ca.pem"));
        let (trust, doubt) = open(&config).unwrap().trust(&[ONE, TWO], SystemTime::now()).unwrap();
        let wanted: &[Ipv4Addr] = if good { &[ONE] } else { &[] };
        assert_eq!(trust.unwrap().addresses, wanted);
        assert!(doubt.unwrap().contains("http://"), "the other address is not vouched for");
    }
    let both = [authority.pem(), &made.pem()].concat();
    std::fs::write(path("ca.pem"), format!("subject = words of openssl\n{both}")).unwrap();
    config.https.ca = Some(path("ca.pem"));
    let (trust, _) = open(&config).unwrap().trust(&[ONE], SystemTime::now()).unwrap();
    let trust = trust.unwrap();
    assert_eq!((trust.pem.trim(), trust.addresses.as_slice()), (made.pem().trim(), &[ONE][..]), "the one that vouches");
    std::fs::write(path("ca.pem"), format!("{}{}", made.pem(), own.serialize_pem())).unwrap();
    let error = open(&config).err().unwrap().to_string();
    assert!(error.contains("holds a private key"), "{error}");
    config.https.ca = Some(path("ca.pem"));
    assert!(!path("ca.key").exists(), "none is made beside the operator's");
    config.https.key = None;
    assert!(open(&config).err().unwrap().to_string().contains("name both"));
    (config.https.certificate, config.https.key) = (None, None);
    assert!(open(&config).err().unwrap().to_string().contains("name all of them"));
}

/// A certificate for an address by an intermediate, and what its operator may name as its CA.
#[test]
fn an_intermediate_is_never_told_but_its_root_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [(_, root, _), (der, between, key)] = ca::testing::chain();
    let issuer = rcgen::Issuer::from_ca_cert_der(&der.as_slice().into(), key).unwrap();
    let own = rcgen::KeyPair::generate().unwrap();
    let wanted = rcgen::CertificateParams::new(vec![ONE.to_string()]).unwrap();
    let leaf = wanted.signed_by(&own, &issuer).unwrap().pem();
    std::fs::write(path("https.key"), own.serialize_pem()).unwrap();
    let mut config = Config::default();
    (config.https.certificate, config.https.key) = (Some(path("https.crt")), Some(path("https.key")));
    config.https.ca = Some(path("ca.pem"));
    let with = |chain: &str, ca: &str| {
        std::fs::write(path("https.crt"), chain).unwrap();
        std::fs::write(path("ca.pem"), ca).unwrap();
        open(&config, &path("secret.key"))
    };
    let error = with(&[leaf.as_str(), &between].concat(), &between).err().unwrap().to_string();
    let opened = Https::open(&config, &path("secret.key"), &[ONE], &KnownCa::default());
    let Ok(Opened::Lost(lost)) = opened else { panic!("DHCP and TFTP start all the same") };
    assert!(lost.why.contains("DHCP, TFTP and boots from disks go on") && lost.found == FoundCa::Unusable);
    assert!(error.contains("intermediate CAs alone") && error.contains("[https] certificate"), "{error}");
    let both = [between.as_str(), &root].concat();
    let https = with(&[leaf.as_str(), &between].concat(), &both).unwrap();
    let (trust, _) = https.trust(&[ONE], SystemTime::now()).unwrap();
    let trust = trust.unwrap();
    assert_eq!((trust.pem.trim(), trust.addresses.as_slice()), (root.trim(), &[ONE][..]));
    let (trust, doubt) = with(&leaf, &both).unwrap().trust(&[ONE], SystemTime::now()).unwrap();
    assert!(trust.unwrap().addresses.is_empty() && doubt.is_some(), "the server does not show what leads to the root");
}
