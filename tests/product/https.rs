//! HTTPS beside HTTP: with the certificate that the files hold now, and for nobody who takes too long to greet.

use crate::rig::{Appliance, pattern};
use kickstand::config::Https;
use rcgen::{CertificateParams, KeyPair};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::ring};

/// Writes a certificate for these addresses and its key, as an operator does.
fn write(folder: &Path, name: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let addresses = (1..=254).map(|number| format!("127.77.{number}.1")).collect::<Vec<_>>();
    let made = CertificateParams::new(addresses).unwrap().self_signed(&key).unwrap();
    for (ending, text) in [("key", key.serialize_pem()), ("crt", made.pem())] {
        let path = folder.join(format!("{name}.{ending}"));
        std::fs::write(path.with_extension("new"), text).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }
    made.der().clone()
}

async fn appliance(folder: &Path) -> Appliance {
    let file = |ending: &str| Some(folder.join("https").with_extension(ending));
    Appliance::with(|config| {
        config.https = Https { serve: true, port: 0, certificate: file("crt"), key: file("key"), ..Https::default() }
    })
    .await
}

async fn ask(
    appliance: &Appliance,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    path: &str,
) -> std::io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots).with_no_client_auth();
    let at = appliance.running().https[0];
    let name = ServerName::IpAddress(at.ip().into());
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(at).await?).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..answer.len().min(300)]));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    Ok(answer.split_off(end + 4))
}

#[tokio::test]
async fn files_and_loaders_come_by_https_with_either_version() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = write(folder.path(), "https");
    let appliance = appliance(folder.path()).await;
    for version in [&TLS12, &TLS13] {
        assert_eq!(ask(&appliance, &trusted, version, "/files/d/vmlinuz").await.unwrap(), pattern(70_000));
        assert_eq!(ask(&appliance, &trusted, version, "//loader/snponly.efi").await.unwrap(), pattern(131_072));
    }
    let stranger = write(folder.path(), "stranger");
    assert!(ask(&appliance, &stranger, &TLS13, "/files/d/vmlinuz").await.is_err(), "a client that trusts another");
}

/// As docs/install.md says it: rcgen makes no RSA keys.
async fn write_rsa(folder: &Path) {
    let words = "req -x509 -newkey rsa:2048 -nodes -keyout https.key -out https.crt -days 2 -subj /CN=kickstand";
    let made = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// What OpenSSL says of the handshake, and what it got of a file.
async fn openssl_asks(at: SocketAddr, words: &str) -> (String, Vec<u8>) {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-ign_eof", "-connect", &at.to_string()]).args(words.split_whitespace());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = command.spawn().unwrap();
    let request = b"GET /files/d/vmlinuz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.stdin.take().unwrap().write_all(request).await.unwrap();
    let said = client.wait_with_output().await.unwrap().stdout;
    let head = said.windows(8).position(|eight| eight == b"HTTP/1.1").unwrap_or(said.len());
    (String::from_utf8_lossy(&said[..head]).into_owned(), said[head..].to_vec())
}

/// The TLS of some firmware was built without curves; all others get them, whatever they like better.
#[tokio::test]
async fn who_knows_no_curves_is_served_and_who_knows_them_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    write_rsa(folder.path()).await;
    let appliance = appliance(folder.path()).await;
    let file = pattern(70_000);
    for (words, suite, key) in [
        ("-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384", "DH, 2048 bits"),
        ("-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256", "DH, 2048 bits"),
        ("-tls1_3 -groups ffdhe2048", "TLS_AES_256_GCM_SHA384", "DH, 2048 bits"),
        (
            "-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES128-GCM-SHA256",
            "X25519",
        ),
        ("-tls1_3 -groups ffdhe2048:X25519", "TLS_AES_256_GCM_SHA384", "X25519"),
        ("", "TLS_AES_256_GCM_SHA384", "X25519"),
    ] {
        let (said, answer) = openssl_asks(appliance.running().https[0], words).await;
        assert!(said.contains(&format!("Cipher is {suite}\n")), "{words}: {said}");
        assert!(said.contains(&format!("Server Temp Key: {key}")), "{words}: {said}");
        assert!(answer.windows(file.len()).any(|bytes| bytes == file), "{words}: {} bytes", answer.len());
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_without_a_restart_and_half_of_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path(), "https");
    let appliance = appliance(folder.path()).await;
    assert!(ask(&appliance, &first, &TLS13, "/files/d/vmlinuz").await.is_ok());
    let key = std::fs::read(folder.path().join("https.key")).unwrap();
    let second = write(folder.path(), "https");
    let new_key = std::fs::read(folder.path().join("https.key")).unwrap();
    std::fs::write(folder.path().join("https.key"), key).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(ask(&appliance, &first, &TLS13, "/files/d/vmlinuz").await.is_ok(), "half of a pair changes nothing");
    std::fs::write(folder.path().join("https.key"), new_key).unwrap();
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while ask(&appliance, &second, &TLS13, "/files/d/vmlinuz").await.is_err() {
        assert!(tokio::time::Instant::now() < end, "the new one is never taken");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ask(&appliance, &first, &TLS13, "/files/d/vmlinuz").await.is_err());
}

#[tokio::test]
async fn who_never_greets_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = write(folder.path(), "https");
    let appliance = appliance(folder.path()).await;
    let mut silent = TcpStream::connect(appliance.running().https[0]).await.unwrap();
    let mut plain = TcpStream::connect(appliance.running().https[0]).await.unwrap();
    plain.write_all(b"GET /files/d/vmlinuz HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(ask(&appliance, &trusted, &TLS13, "/files/d/vmlinuz").await.is_ok());
    for stream in [&mut silent, &mut plain] {
        let mut said = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut said)).await;
        let _ = ended.expect("it is ended by the server");
        assert!(said.len() < 20, "an alert at most");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_there_stops_the_start_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "https");
    let mut config = Appliance::empty().await.config.clone();
    // Its own server may be on its way out still.
    config.socket = folder.path().join("socket");
    let (crt, key) = (folder.path().join("https.crt"), folder.path().join("none.key"));
    config.https = Https { serve: true, port: 0, certificate: Some(crt), key: Some(key), ..Https::default() };
    let Err(error) = kickstand::daemon::start(config.clone()).await else { panic!("it starts without a key") };
    let text = format!("{error:#}");
    assert!(text.contains("none.key can not be read as a private key") && text.contains("docs/install.md"), "{text}");
    config.https.key = None;
    let Err(error) = kickstand::daemon::start(config).await else { panic!("it starts with half a pair") };
    assert!(error.to_string().contains("name both, or neither"), "{error:#}");
}
