//! A server that can not start says why, where, and what to do; and nothing is half-made.

use std::path::Path;
use std::process::Output;

async fn serve(folder: &Path, settings: &str) -> Output {
    let file = folder.join("kickstand.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command.args(["serve", "--config"]).arg(&file);
    let output = tokio::time::timeout(std::time::Duration::from_secs(20), command.output());
    output.await.expect("it ends by itself").unwrap()
}

async fn refused(folder: &Path, settings: &str, words: &[&str]) {
    let output = serve(folder, settings).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

fn settings(folder: &Path, more: &str) -> String {
    let at = folder.display();
    format!(
        "[database]\nurl = \"sqlite://{at}/k.db\"\n[server]\nfiles = \"{at}/files\"\nsocket = \"{at}/socket\"\n[dhcp]\nport = 0\naddress = \"127.79.0.1\"\n{more}"
    )
}

const PORTS: &str = "[tftp]\nport = 0\n[http]\nport = 0\n[https]\nport = 0\n";

#[tokio::test]
async fn a_malformed_setting_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), "[dhcp]\ninterfaces = \"eth0\"\n", &["kickstand.toml:2:", "expected a sequence"]).await;
    refused(folder.path(), "[dhcp\n", &["kickstand.toml:1:"]).await;
    refused(folder.path(), "[http]\nport = 99999\n", &["kickstand.toml:2:"]).await;
}

#[tokio::test]
async fn a_missing_interface_names_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), "[dhcp]\ninterfaces = [\"nope0\"]\n", &["there is no network interface nope0"]).await;
    refused(folder.path(), "", &["no network interface to serve", "--interface"]).await;
}

#[tokio::test]
async fn a_busy_port_is_named_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.79.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = settings(folder.path(), &format!("[tftp]\nport = 0\n[http]\nport = {port}\n[https]\nport = 0\n"));
    refused(folder.path(), &text, &["cannot serve HTTP on 127.79.0.1", "stop the other web server"]).await;
    assert!(!folder.path().join("k.db").exists(), "nothing half-made");
}

#[tokio::test]
async fn a_database_that_is_none_or_can_not_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k.db"), "this is no database, by no means at all".repeat(50)).unwrap();
    refused(folder.path(), &settings(folder.path(), PORTS), &["k.db is not a SQLite database"]).await;
    let away = settings(folder.path(), PORTS).replace("/k.db", "/files/no/k.db");
    std::fs::write(folder.path().join("files"), "a file, not a folder").unwrap();
    refused(folder.path(), &away, &["k.db"]).await;
}

#[tokio::test]
async fn a_server_stops_at_once_when_it_is_told_to() {
    let mut appliance = crate::rig::Appliance::start().await;
    appliance.add_machine("web-1", 10).await.power_on().await;
    let running = appliance.running.take().unwrap();
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(4), running.stop());
    stopped.await.expect("nothing is waited for that is not under way");
}
