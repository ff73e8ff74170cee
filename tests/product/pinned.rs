//! HTTPS after the boot loader: with the CA that the machine was told of, and for nobody who shows another.

use crate::postgres::Fresh;
use crate::program::program;
use crate::rig::{Appliance, Booted, Installer, at_trace, get, key, logged};
use kickstand::ca::{Authority, fingerprint};
use kickstand::config::Https;
use kickstand_agent::register::{self, Places};
use kickstand_agent::retry::Patience;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

const BRIEF: Patience = Patience {
    total: Duration::from_millis(300),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_millis(50),
};

async fn appliance() -> Appliance {
    Appliance::start_with(|config| config.https = Https { serve: true, port: 0, ..Https::default() }).await
}

/// Asks as an installer at this address does who knows this CA alone; status and body.
async fn ask(from: Ipv4Addr, ca: &str, url: &str, body: Option<Value>) -> std::io::Result<(u16, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let (host, path) = url.strip_prefix("https://").unwrap().split_once('/').unwrap();
    let at: SocketAddr = host.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let name = ServerName::IpAddress(at.ip().into());
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket.connect(at).await?).await?;
    let (method, body) = body.map_or(("GET", String::new()), |body| ("POST", body.to_string()));
    let head = "Host: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let text = format!("{method} /{path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
}

/// The CA as the live system gets it: by a fingerprint on its kernel's command line.
async fn told_ca(installer: &Installer) -> String {
    let pin = installer.script.split("kickstand.ca=sha256:").nth(1).unwrap().split_whitespace().next().unwrap();
    let (told, url) = pin.split_once(',').unwrap();
    let ca = get(installer.ip, url, "").await.text();
    assert_eq!(hex::encode(fingerprint(&ca).unwrap()), told);
    ca
}

/// `agent.json`, as the answer file writes it.
fn settings(answer: &str) -> Value {
    let line = answer.lines().find(|line| line.starts_with(r#"{"server""#)).unwrap();
    serde_json::from_str(line).unwrap()
}

/// Where an agent with these settings would live.
fn places(folder: &Path, settings: &Value) -> Places {
    std::fs::write(folder.join("agent.json"), settings.to_string()).unwrap();
    Places::below(folder)
}

async fn registers(folder: &Path, settings: &Value, patience: Patience) -> Result<String, register::Error> {
    let places = places(folder, settings);
    tokio::task::spawn_blocking(move || register::run(patience, &places, Default::default())).await.unwrap()
}

#[tokio::test]
async fn a_machine_installs_and_registers_by_https_and_no_stranger_gets_its_key() {
    at_trace();
    let appliance = appliance().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let ca = told_ca(&installer).await;
    assert!(installer.answer_url.starts_with("https://"), "{}", installer.answer_url);
    let (status, answer) = ask(installer.ip, &ca, &installer.answer_url, None).await.unwrap();
    assert_eq!(status, 200);
    assert!(!answer.contains("http://"), "nothing that comes after it: {answer}");
    let image = answer.split("/files/").nth(1).unwrap().split('\'').next().unwrap();
    let image = format!("{}/files/{image}", installer.server);
    assert_eq!(ask(installer.ip, &ca, &image, None).await.unwrap().0, 200);
    assert!(appliance.told("file", "d/root.tar.zst by HTTPS, 10 B").await);
    let report = answer.lines().find_map(|line| line.strip_prefix("# kickstand-report: ")).unwrap();
    let (status, _) = ask(installer.ip, &ca, report, Some(json!({"stage": "done"}))).await.unwrap();
    assert_eq!((status, appliance.state("web-1").await.as_str()), (204, "installed"));

    let folder = tempfile::tempdir().unwrap();
    let right = settings(&answer);
    assert_eq!(right["ca"], ca);
    let strange = Authority::open(&folder.path().join("strange.key"), SystemTime::now()).unwrap().0;
    let mut wrong = right.clone();
    wrong["ca"] = strange.pem().into();
    let error = registers(folder.path(), &wrong, BRIEF).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("UnknownIssuer"), "{error}");
    wrong["ca"] = Value::Null;
    let error = registers(folder.path(), &wrong, BRIEF).await.unwrap_err();
    assert!(error.to_string().contains("no CA is pinned"), "{error}");
    assert_eq!(appliance.state("web-1").await, "installed", "nobody was told the key");
    registers(folder.path(), &right, Patience::NORMAL).await.unwrap();
    assert_eq!(appliance.state("web-1").await, "registered");
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("agent.json")).unwrap()).unwrap();
    assert_eq!((&kept["ca"], &kept["key"]), (&right["ca"], &Value::Null), "it stays, for the next boot");
    let next = Places::below(folder.path());
    let said =
        tokio::task::spawn_blocking(move || register::run(Patience::NORMAL, &next, Default::default())).await.unwrap();
    assert!(said.unwrap().contains("is registered; inventory sent"));
    let vars = appliance.cli(&["machine", "vars", "web-1"]).await;
    let row = |name: &str| vars.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("secure_server_url").contains("https://"), "{vars}");
    assert!(row("report_url").contains("(secret)") && row("secure_report_url").contains("(secret)"), "{vars}");
    the_key_of_the_ca_is_nowhere_else(&appliance).await;
}

async fn the_key_of_the_ca_is_nowhere_else(appliance: &Appliance) {
    let path = appliance.folder.path().join("ca.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    let secret = text.split("PRIVATE KEY-----\n").nth(1).unwrap().lines().next().unwrap();
    assert!(secret.len() > 40);
    let others = std::fs::read_dir(appliance.folder.path()).unwrap().flatten().map(|file| file.path());
    let others = others.filter(|other| other.is_file() && *other != path);
    let on_disk: Vec<u8> = others.flat_map(|other| std::fs::read(other).unwrap()).collect();
    let shown = appliance.cli(&["--output", "json", "ca", "show"]).await + &appliance.cli(&["events"]).await;
    let public = get(appliance.ip(66), &appliance.url("/ca.pem"), "").await;
    assert_eq!((public.status, public.text()), (200, appliance.cli(&["ca", "show", "--pem"]).await));
    let seen = String::from_utf8_lossy(&on_disk).into_owned() + &logged() + &shown + &public.text();
    assert!(seen.contains("BEGIN CERTIFICATE") && seen.contains("a CA was made"), "the net is cast");
    assert!(!seen.contains(secret), "the CA's key lies in its file alone");
}

/// The clients that installers have, as far as they are here: each reports, and turns away from a stranger.
#[tokio::test]
async fn the_clients_of_installers_report_by_https_to_the_pinned_ca_alone() {
    let appliance = appliance().await;
    let own = appliance.template("image/install.sh");
    std::fs::write(own, "#!/bin/sh\n{% include \"snippets/report.sh\" %}\nkickstand_report \"$1\" 1\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let strange = Authority::open(&folder.path().join("strange.key"), SystemTime::now()).unwrap().0;
    for (last, client, bind) in [(10, "curl", "--interface "), (11, "wget", "--bind-address=")] {
        let name = format!("by-{client}");
        let mut machine = appliance.add_machine(&name, last).await;
        appliance.cli(&["machine", "arm", &name]).await;
        let installer = machine.installer().await;
        let ca = told_ca(&installer).await;
        let (_, script) = ask(installer.ip, &ca, &installer.answer_url, None).await.unwrap();
        let bin = only(folder.path(), client, &format!("{bind}{}", installer.ip));
        assert!(script.contains(&ca), "{script}");
        assert!(!reports(&bin, &script.replace(&ca, strange.pem())).await, "{client} believes a stranger");
        assert_eq!(appliance.state(&name).await, "installing");
        assert!(reports(&bin, &script).await, "{client} does not report");
        assert_eq!(appliance.state(&name).await, "installed");
    }
}

/// A folder with the tools of an installer and this client, which asks from the machine's own address.
fn only(folder: &Path, client: &str, bind: &str) -> std::path::PathBuf {
    let bin = folder.join(client);
    std::fs::create_dir(&bin).unwrap();
    for tool in ["cat", "mktemp", "rm", "sleep"] {
        std::os::unix::fs::symlink(format!("/bin/{tool}"), bin.join(tool)).unwrap();
    }
    let path = bin.join(client);
    program(&path, &format!("#!/bin/sh\nexec /usr/bin/{client} {bind} \"$@\"\n"));
    bin
}

async fn reports(bin: &Path, script: &str) -> bool {
    let mut command = tokio::process::Command::new("/bin/sh");
    command.args(["-c", script, "sh", "done"]).env("PATH", bin).env_remove("http_proxy").env("no_proxy", "*");
    command.output().await.unwrap().status.success()
}

#[tokio::test]
async fn the_command_line_asks_by_https_whom_the_ca_vouches_for() {
    let appliance = appliance().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("ca.pem"), appliance.cli(&["ca", "show", "--pem"]).await).unwrap();
    let strange = Authority::open(&folder.path().join("strange.key"), SystemTime::now()).unwrap().0;
    std::fs::write(path("strange.pem"), strange.pem()).unwrap();
    let token = appliance.json(&["token", "add", "ci"]).await["token"].as_str().unwrap().to_owned();
    let server = format!("https://{}", appliance.running().https[0]);
    let list =
        |ca: &str| ["--server", &server, "--token", &token, "--ca", &path(ca), "network", "list"].map(str::to_owned);
    let words = list("ca.pem");
    assert!(appliance.cli(&words.each_ref().map(String::as_str)).await.contains("lab"));
    let words = list("strange.pem");
    let said = appliance.refused(&words.each_ref().map(String::as_str)).await;
    assert!(said.contains("not known by the CA"), "{said}");
    let said = appliance.refused(&["--server", &server, "--token", &token, "network", "list"]).await;
    assert!(said.contains("kickstand ca show --pem"), "{said}");
}

#[tokio::test]
async fn a_ca_stays_over_a_restart_and_a_copy_of_its_file_is_the_same_ca() {
    let mut appliance = appliance().await;
    let before = appliance.cli(&["ca", "show", "--pem"]).await;
    appliance.restart().await;
    assert_eq!(appliance.cli(&["ca", "show", "--pem"]).await, before);
    let copy = appliance.folder.path().join("ca.key");
    let other = Appliance::with(|config| {
        config.https = Https { serve: true, port: 0, ca_key_file: Some(copy.clone()), ..Https::default() };
    });
    let other = other.await;
    assert_eq!(other.cli(&["ca", "show", "--pem"]).await, before, "for servers that stand in for each other");
    let certified = Authority::open(&copy, SystemTime::now()).unwrap().0;
    assert!(certified.certify(&[IpAddr::from([10, 0, 0, 1])], &[], SystemTime::now()).is_ok());
}

/// What is wrong is said, nothing is installed, and what needs no CA goes on.
async fn is_held(appliance: &Appliance, why: &str) {
    let refused = appliance.refused(&["machine", "arm", "web-2"]).await;
    assert!(refused.contains(why) && refused.contains("DHCP, TFTP and boots from disks go on"), "{refused}");
    assert!(appliance.told("alarm", why).await);
    assert!(appliance.refused(&["ca", "show"]).await.contains(why));
    assert!(appliance.running().https.is_empty(), "nobody is told of another CA");
    assert_eq!(get(appliance.ip(66), &appliance.url("/ca.pem"), "").await.status, 404);
}

#[tokio::test]
async fn a_ca_that_is_lost_or_another_is_noticed_and_accepted_by_an_operator_alone() {
    let mut appliance = appliance().await;
    let before = appliance.cli(&["ca", "show", "--pem"]).await;
    let path = appliance.folder.path().join("ca.key");
    let (kept, known) = (std::fs::read(&path).unwrap(), hex::encode(fingerprint(&before).unwrap()));
    let mut armed = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let mut idle = appliance.add_machine("web-2", 11).await;
    assert!(appliance.refused(&["ca", "accept"]).await.contains("nothing to accept"));

    std::fs::remove_file(&path).unwrap();
    appliance.restart().await;
    assert!(!path.exists(), "no second CA is made");
    is_held(&appliance, "is not there, and machines were told of one").await;
    assert!(appliance.told("alarm", &known).await);
    armed.reconnect(&appliance);
    assert!(matches!(armed.power_on().await, Booted::OwnDisk), "it waits for its install");
    let why = appliance.cli(&["why", "web-1"]).await;
    assert!(why.contains("lost: no installer can be served") && !why.contains("installer of profile"), "{why}");
    assert_eq!(appliance.state("web-1").await, "armed");
    idle.reconnect(&appliance);
    assert!(matches!(idle.power_on().await, Booted::OwnDisk));

    std::fs::write(&path, "hunter2").unwrap();
    appliance.restart().await;
    is_held(&appliance, "ca.key can not be used").await;
    assert!(appliance.refused(&["ca", "accept"]).await.contains("restore the file"));
    assert!(!(logged() + &appliance.cli(&["events"]).await).contains("hunter2"));

    std::fs::write(&path, &kept).unwrap();
    appliance.restart().await;
    assert_eq!(appliance.cli(&["ca", "show", "--pem"]).await, before, "restored");
    armed.reconnect(&appliance);
    assert!(matches!(armed.power_on().await, Booted::Installer(_)));

    std::fs::remove_file(&path).unwrap();
    let other = Authority::open(&path, SystemTime::now()).unwrap().0.pem().to_owned();
    appliance.restart().await;
    is_held(&appliance, "is another one").await;
    let accepted = appliance.cli(&["ca", "accept"]).await;
    assert!(accepted.contains(&hex::encode(fingerprint(&other).unwrap())), "{accepted}");
    assert!(appliance.told("appliance", "accepted another CA").await);
    appliance.restart().await;
    assert_eq!(appliance.cli(&["ca", "show", "--pem"]).await, other);
    appliance.cli(&["machine", "arm", "web-2"]).await;

    std::fs::remove_file(&path).unwrap();
    appliance.restart().await;
    assert!(appliance.cli(&["ca", "accept"]).await.contains("a new CA is made"));
    appliance.restart().await;
    let made = appliance.cli(&["ca", "show", "--pem"]).await;
    assert!(made != other && made != before);
}

/// A database of before there was a CA, and registered systems in it.
#[tokio::test]
async fn where_systems_have_registered_no_first_ca_is_made_unasked() {
    let mut appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.add_machine("web-2", 11).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let answer = installer.answer().await;
    installer.report(&answer, json!({"stage": "done"})).await;
    let folder = tempfile::tempdir().unwrap();
    registers(folder.path(), &settings(&answer), Patience::NORMAL).await.unwrap();
    appliance.config.https = Https { serve: true, port: 0, ..Https::default() };
    appliance.restart().await;
    is_held(&appliance, "is not there, and systems have registered").await;
    let path = appliance.folder.path().join("ca.key");
    assert!(!path.exists());
    assert!(appliance.cli(&["ca", "accept"]).await.contains("a new CA is made"));
    appliance.restart().await;
    assert!(path.exists());
    appliance.cli(&["machine", "arm", "web-2"]).await;
}

/// Its operator's `ca` is an intermediate alone.
#[tokio::test]
async fn an_operators_ca_that_is_none_holds_installs_and_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut appliance = appliance().await;
    appliance.add_machine("web-2", 11).await;
    by_intermediate(folder.path(), &appliance.ip(1).to_string());
    let both = std::fs::read_to_string(path("ca.pem")).unwrap();
    let between = both.replace(&std::fs::read_to_string(path("root.pem")).unwrap(), "");
    std::fs::write(path("ca.pem"), between).unwrap();
    let [certificate, key, ca] = ["https.crt", "https.key", "ca.pem"].map(|name| Some(path(name)));
    appliance.config.https = Https { serve: true, port: 0, certificate, key, ca, ..Https::default() };
    appliance.restart().await;
    is_held(&appliance, "holds intermediate CAs alone").await;
    assert!(appliance.refused(&["ca", "accept"]).await.contains("name a file with the root"));
}

/// The second is started with a file of its own, as one is that somebody forgot to copy.
#[tokio::test]
async fn a_second_server_with_another_ca_is_held_and_the_first_goes_on() {
    let database = Fresh::make().await;
    let with_file = async |name: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        let node = Appliance::with(|config| {
            config.database = database.url();
            config.https = Https { serve: true, port: 0, ca_key_file: Some(file.clone()), ..Https::default() };
        });
        (node.await, folder)
    };
    let (one, _folder) = with_file("one.key").await;
    let (two, folder) = with_file("two.key").await;
    assert!(two.running().https.is_empty() && !folder.path().join("two.key").exists(), "none is made beside the first");
    let said = two.refused(&["ca", "show"]).await;
    assert!(said.contains("two.key is not there") && said.contains("copy it from another server"), "{said}");
    assert!(one.cli(&["ca", "show"]).await.contains("SHA-256"));
    drop((one, two));
    database.drop().await;
}

#[tokio::test]
async fn without_https_all_is_as_it_was() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let answer = installer.answer().await;
    assert!(
        !answer.contains("https://") && !answer.contains("CERTIFICATE") && !installer.script.contains("kickstand.ca")
    );
    assert!(!key(&answer).is_empty());
    assert_eq!(get(appliance.ip(66), &appliance.url("/ca.pem"), "").await.status, 404);
    assert!(appliance.refused(&["ca", "show"]).await.contains("there is no CA"));
    assert!(!appliance.folder.path().join("ca.key").exists());
}

/// The operator's certificate comes from an intermediate: machines are told the root, and curl and the agent believe it.
#[tokio::test]
async fn behind_an_intermediate_machines_are_told_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let appliance = Appliance::start_with(|config| {
        let ip = config.dhcp.address.unwrap().ip();
        by_intermediate(folder.path(), &ip.to_string());
        let [certificate, key, ca] = ["https.crt", "https.key", "ca.pem"].map(|name| Some(path(name)));
        config.https = Https { serve: true, port: 0, certificate, key, ca, ..Https::default() };
    });
    let appliance = appliance.await;
    let root = std::fs::read_to_string(path("root.pem")).unwrap();
    assert_eq!(appliance.cli(&["ca", "show", "--pem"]).await.trim(), root.trim());
    let report = "#!/bin/sh\n{% include \"snippets/report.sh\" %}\nkickstand_report \"$1\" 1\n";
    std::fs::write(appliance.template("image/install.sh"), report).unwrap();
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let (_, script) = ask(installer.ip, &told_ca(&installer).await, &installer.answer_url, None).await.unwrap();
    let bin = only(folder.path(), "curl", &format!("--interface {}", installer.ip));
    assert!(reports(&bin, &script).await, "curl");

    std::fs::remove_file(appliance.template("image/install.sh")).unwrap();
    let mut machine = appliance.add_machine("web-2", 11).await;
    appliance.cli(&["machine", "arm", "web-2"]).await;
    let installer = machine.installer().await;
    let ca = told_ca(&installer).await;
    let (_, answer) = ask(installer.ip, &ca, &installer.answer_url, None).await.unwrap();
    let done = answer.lines().find_map(|line| line.strip_prefix("# kickstand-report: ")).unwrap();
    ask(installer.ip, &ca, done, Some(json!({"stage": "done"}))).await.unwrap();
    registers(folder.path(), &settings(&answer), Patience::NORMAL).await.unwrap();
    assert_eq!(appliance.state("web-2").await, "registered", "the agent");

    // Another CA in the file is the operator's word, and said.
    by_intermediate(folder.path(), &appliance.ip(1).to_string());
    let mut appliance = appliance;
    appliance.restart().await;
    assert!(appliance.told("alarm", "machines are told of another CA").await);
}

/// Writes a certificate for this address, by an intermediate, and the file of CAs: the intermediate and its root.
fn by_intermediate(folder: &Path, ip: &str) {
    let wanted = |name: &str| {
        let mut wanted = rcgen::CertificateParams::default();
        wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
        wanted
    };
    let [root_key, between_key, own] = [(); 3].map(|()| rcgen::KeyPair::generate().unwrap());
    let root = wanted("root").self_signed(&root_key).unwrap();
    let by_root = rcgen::Issuer::from_ca_cert_der(root.der(), &root_key).unwrap();
    let between = wanted("between").signed_by(&between_key, &by_root).unwrap();
    let by_between = rcgen::Issuer::from_ca_cert_der(between.der(), &between_key).unwrap();
    let leaf = rcgen::CertificateParams::new(vec![ip.to_owned()]).unwrap().signed_by(&own, &by_between).unwrap();
    std::fs::write(folder.join("https.crt"), leaf.pem() + &between.pem()).unwrap();
    std::fs::write(folder.join("https.key"), own.serialize_pem()).unwrap();
    std::fs::write(folder.join("ca.pem"), between.pem() + &root.pem()).unwrap();
    std::fs::write(folder.join("root.pem"), root.pem()).unwrap();
}
