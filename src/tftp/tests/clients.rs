//! Clients that other people wrote: tftp-hpa and curl, when they are installed.

use super::content;
use super::rig::{LOADER_SIZE, Rig};
use crate::tftp::{Ending, Limits};
use std::io::ErrorKind;
use std::process::{Command, Output};

/// What the client printed, or None with a note when it is not installed.
async fn run(program: &'static str, arguments: Vec<String>) -> Option<Output> {
    let run = move || Command::new(program).args(arguments).output();
    match tokio::task::spawn_blocking(run).await.unwrap() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

#[tokio::test]
async fn curl_reads_a_loader() {
    for blksize in ["512", "1468", "65464"] {
        let mut rig = Rig::start(Limits::default()).await;
        let url = format!("tftp://{}//boot/loader", rig.address);
        let arguments = ["-sS", "--max-time", "20", "--tftp-blksize", blksize, &url].map(String::from).to_vec();
        let Some(output) = run("curl", arguments).await else { return };
        let (stderr, outcome) = (String::from_utf8_lossy(&output.stderr), rig.outcome().await);
        assert!(output.stdout == content(LOADER_SIZE), "{blksize}: {stderr} {outcome:?}");
        assert_eq!((outcome.ending, outcome.request.name.as_str()), (Ending::Complete, "boot/loader"));
    }
}

#[tokio::test]
async fn curl_is_told_that_a_file_is_missing() {
    let rig = Rig::start(Limits::default()).await;
    let url = format!("tftp://{}/missing", rig.address);
    let Some(output) = run("curl", ["-sS", "--max-time", "20", &url].map(String::from).to_vec()).await else { return };
    assert_eq!(output.status.code(), Some(68), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn tftp_hpa_reads_a_loader_and_is_refused_to_write() {
    let mut rig = Rig::start(Limits::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loader").display().to_string();
    let (host, port) = (rig.address.ip().to_string(), rig.address.port().to_string());
    let get = ["-m", "octet", &host, &port, "-c", "get", "/loader", &file].map(String::from).to_vec();
    let Some(output) = run("tftp", get).await else { return };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(std::fs::read(&file).unwrap() == content(LOADER_SIZE), "{stderr}");
    assert_eq!(rig.outcome().await.ending, Ending::Complete);

    let put = ["-m", "octet", &host, &port, "-c", "put", &file, "loader"].map(String::from).to_vec();
    let Some(output) = run("tftp", put).await else { return };
    let printed = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&printed).contains("this server only reads"), "{}", printed.escape_ascii());
}
