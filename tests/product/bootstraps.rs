//! The line that an operator pastes: real shells, real curl and wget, and an agent that only notes how it was called.

use crate::program::program;
use crate::rig::{Appliance, get};
use kickstand::config::Https;
use serde_json::json;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// As large as it must be to tell who runs it, and where from.
const AGENT: &str = "#!/bin/sh\n\
    [ \"$1\" = --version ] && exit 0\n\
    [ \"$1\" = --help ] && { echo 'kickstand-agent timer install'; exit 0; }\n\
    echo \"$@\" \"key=$KICKSTAND_KEY\" >>\"$(dirname \"$0\")/said\"\n\
    while [ $# -gt 0 ]; do [ \"$1\" = --ca ] && cp \"$2\" \"$(dirname \"$0\")/ca\"; shift; done\n\
    exit 0\n";

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(host.bin()).unwrap();
        program(&host.bin().join("id"), "#!/bin/sh\necho 0\n");
        host
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// Where the agent comes.
    fn place(&self) -> PathBuf {
        self.folder.path().join("sbin")
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.place().join("said")).unwrap_or_default()
    }

    /// Nothing came here, not even half of a file.
    fn is_untouched(&self) -> bool {
        std::fs::read_dir(self.place()).map_or(0, |all| all.count()) == 0
    }

    async fn runs(&self, shell: &[&str], line: &str) -> (bool, String) {
        let path = format!("{}:{}", self.bin().display(), std::env::var("PATH").unwrap());
        let (program, options) = shell.split_first().unwrap();
        let mut command = tokio::process::Command::new(program);
        command.args(options).arg("-c").arg(line).env("PATH", path).env("KICKSTAND_FOLDER", self.place());
        command.env("TMPDIR", self.folder.path()).env_remove("KICKSTAND_KEY");
        let ended = command.stdin(Stdio::null()).output().await.unwrap();
        (ended.status.success(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

fn agent_of(appliance: &Appliance) -> PathBuf {
    let file = format!("kickstand-agent-{}", std::env::consts::ARCH);
    appliance.config.files.join("agent").join(file)
}

async fn appliance() -> Appliance {
    let appliance =
        Appliance::start_with(|config| config.https = Https { serve: true, port: 0, ..Https::default() }).await;
    std::fs::create_dir_all(appliance.config.files.join("agent")).unwrap();
    std::fs::write(agent_of(&appliance), AGENT).unwrap();
    appliance
}

fn is_here(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).exists())
}

#[tokio::test]
async fn the_line_that_is_printed_brings_the_agent_and_registers_by_any_shell() {
    let appliance = appliance().await;
    let line = appliance.cli(&["bootstrap", "--key", "web.aa,db.bb"]).await;
    let by_digest = appliance.cli(&["bootstrap", "--key", "web.aa,db.bb", "--digest"]).await;
    let shells: [&[&str]; 3] = [&["sh"], &["dash"], &["busybox", "sh"]];
    for shell in shells.iter().filter(|shell| is_here(shell[0])) {
        for line in [&line, &by_digest] {
            let host = Host::new();
            let (fine, error) = host.runs(shell, line).await;
            assert!(fine, "{shell:?}: {error}");
            let said = host.said();
            assert!(said.starts_with("register --server https://127.") && said.contains("key=web.aa,db.bb"), "{said}");
            assert!(said.contains("\ntimer install"), "{said}");
            assert!(!said.contains("--key"), "others see what stands on a command line: {said}");
            let ca = get(Ipv4Addr::LOCALHOST, &appliance.url("/ca.pem"), "").await.text();
            assert_eq!(std::fs::read_to_string(host.place().join("ca")).unwrap().trim(), ca.trim());
            let left: Vec<_> = std::fs::read_dir(host.place()).unwrap().map(|file| file.unwrap().file_name()).collect();
            assert_eq!(left.len(), 3, "the agent, and what it noted: {left:?}");
        }
    }
}

#[tokio::test]
async fn with_wget_alone_it_works_as_well() {
    let appliance = appliance().await;
    let line = appliance.cli(&["bootstrap", "--key", "web.aa", "--digest"]).await;
    let host = Host::new();
    program(&host.bin().join("curl"), "#!/bin/sh\nexit 127\n");
    let script = get(Ipv4Addr::LOCALHOST, &appliance.url("/bootstrap"), "").await.text();
    assert!(script.contains("command -v curl"));
    // A host without curl: only what is linked here is found.
    for tool in ["sh", "mktemp", "sha256sum", "wget", "uname", "mkdir", "chmod", "mv", "rm", "grep", "dirname", "cp"] {
        let found =
            std::env::split_paths(&std::env::var_os("PATH").unwrap()).map(|f| f.join(tool)).find(|p| p.exists());
        std::os::unix::fs::symlink(found.unwrap(), host.bin().join(tool)).unwrap();
    }
    std::fs::remove_file(host.bin().join("curl")).unwrap();
    let shut = format!("PATH={}; export PATH; {line}", host.bin().display());
    let (fine, error) = host.runs(&["/bin/sh"], &shut).await;
    assert!(fine && host.said().contains("key=web.aa"), "{error}");
}

#[tokio::test]
async fn an_altered_binary_ca_or_script_is_refused_and_changes_nothing() {
    let appliance = appliance().await;
    let line = appliance.cli(&["bootstrap", "--key", "web.aa"]).await;
    let by_digest = appliance.cli(&["bootstrap", "--key", "web.aa", "--digest"]).await;

    // Another CA than the printed one.
    let digest = line.split('"').find(|word| word.split("  ").next().is_some_and(|hex| hex.len() == 64)).unwrap();
    let digest = digest.split("  ").next().unwrap();
    let host = Host::new();
    let (fine, error) = host.runs(&["sh"], &line.replace(digest, &"0".repeat(64))).await;
    assert!(!fine && host.is_untouched(), "{error}");

    // Another server than the one of that CA: what curl says of it.
    let other = super::bootstraps::appliance().await;
    let strange = other.cli(&["bootstrap", "--key", "web.aa"]).await;
    let url =
        |line: &str| line.split("-o \"$d/bootstrap\" ").nth(1).unwrap().split(" && ").next().unwrap().trim().to_owned();
    let host = Host::new();
    for shell in [&["sh"][..], &["dash"], &["busybox", "sh"]].iter().filter(|shell| is_here(shell[0])) {
        let (fine, error) = host.runs(shell, &line.replace(&url(&line), &url(&strange))).await;
        assert!(!fine && error.contains("curl") && error.contains("certificate"), "{shell:?}: {error}");
    }
    assert!(host.is_untouched());

    // Another script than the one whose digest was printed.
    let digest = by_digest.split("echo \"").nth(1).unwrap().split("  ").next().unwrap();
    let host = Host::new();
    let (fine, _) = host.runs(&["sh"], &by_digest.replace(digest, &"f".repeat(64))).await;
    assert!(!fine && host.is_untouched());

    // Another binary on the way than the script promised: the file is exchanged once the script was given.
    let script = get(Ipv4Addr::LOCALHOST, &appliance.url("/bootstrap"), "").await.text();
    std::fs::write(agent_of(&appliance), AGENT.replace("exit 0", "exit 0 # altered")).unwrap();
    let host = Host::new();
    let file = host.folder.path().join("script");
    std::fs::write(&file, script).unwrap();
    let (fine, error) = host.runs(&["sh"], &format!("sh {} --key web.aa", file.display())).await;
    assert!(!fine && error.contains("is not what the server promised") && host.is_untouched(), "{error}");

    // Half of a script does nothing.
    let script = std::fs::read_to_string(&file).unwrap();
    let half = script.split("\nbootstrap \"$@\"").next().unwrap();
    std::fs::write(&file, half).unwrap();
    assert!(host.runs(&["sh"], &format!("sh {} --key web.aa", file.display())).await.0 && host.is_untouched());
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let appliance = appliance().await;
    for strange in ["kickstand.elsewhere.example", "10.254.254.254"] {
        let said = appliance.refused(&["bootstrap", "--key", "web.aa", "--host", strange]).await;
        assert!(said.contains(strange) && said.contains("certificate") && said.contains("[https] names"), "{said}");
    }
    let own = appliance.json(&["bootstrap", "--key", "web.aa"]).await;
    let host = own["server"].as_str().unwrap().trim_start_matches("https://").split(':').next().unwrap().to_owned();
    let again = appliance.json(&["bootstrap", "--key", "web.aa", "--host", &host]).await;
    assert_eq!(own, again);
    let line = own["line"].as_str().unwrap();
    assert_eq!(line, appliance.cli(&["bootstrap", "--key", "web.aa"]).await.trim());
    assert!(line.ends_with("--key web.aa") && own["needs"].as_array().unwrap().contains(&json!("sha256sum")), "{own}");
    for bad in ["x'y", "a b"] {
        let mut stream = TcpStream::connect(appliance.running().http[0]).await.unwrap();
        let asked = format!("GET /bootstrap HTTP/1.1\r\nHost: {bad}\r\nConnection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bad}: {answer}");
    }
    let host = Host::new();
    let script = get(Ipv4Addr::LOCALHOST, &appliance.url("/bootstrap"), "").await.text();
    let file = host.folder.path().join("script");
    std::fs::write(&file, &script).unwrap();
    let line = |arguments: &str| format!("sh {} {arguments}", file.display());
    let (fine, error) = host.runs(&["sh"], &line("")).await;
    assert!(!fine && error.contains("kickstand key join"), "{error}");
    let (fine, error) = host.runs(&["sh"], &line("--keys x")).await;
    assert!(!fine && error.contains("--keys is no option"), "{error}");
    program(&host.bin().join("id"), "#!/bin/sh\necho 1000\n");
    let (fine, error) = host.runs(&["sh"], &line("--key web.aa")).await;
    assert!(!fine && error.contains("only root"), "{error}");
    assert!(host.is_untouched());
    std::fs::remove_file(agent_of(&appliance)).unwrap();
    assert!(appliance.refused(&["bootstrap"]).await.contains("lab/agent.sh"));

    let plain = Appliance::start().await;
    let answer = get(Ipv4Addr::LOCALHOST, &plain.url("/bootstrap"), "").await;
    assert!(answer.status == 404 && answer.text().contains("HTTPS is not served"), "{}", answer.text());
}
