//! In the live system: fetches the answer file that the kernel line names, and runs it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::client::{self, Client};
use crate::report;
use crate::retry::{Patience, retry};
use crate::wire::Report;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {cause}")]
    Read { path: PathBuf, cause: io::Error },
    #[error("the kernel line has no kickstand.answer=URL: nothing to install")]
    NoAnswer,
    #[error("kickstand.ca on the kernel line is not sha256:FINGERPRINT,URL")]
    NoPin,
    #[error(
        "{url} is another CA than the one that the kernel line names: somebody stands between, or the server has a new one; boot again"
    )]
    OtherCa { url: String },
    #[error("cannot fetch the answer file: {0}{hint}", hint = hint(.0))]
    Fetch(client::Error),
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: io::Error },
    #[error("cannot run {path}: {cause}")]
    Run { path: PathBuf, cause: io::Error },
    #[error("the install failed ({status}); this system stays up, its log: journalctl -u kickstand-install")]
    Failed { status: std::process::ExitStatus },
}

fn hint(error: &client::Error) -> &'static str {
    match error.status() {
        Some(_) => {
            "\nIts address is good for one boot of one machine. On the server, `kickstand why MAC` tells what this \
             machine would get now, and `kickstand machine arm NAME` lets it install again."
        }
        None => "\nIs the cable in, and the server up?",
    }
}

/// Where things are: elsewhere in tests.
pub struct Places {
    pub cmdline: PathBuf,
    pub run: PathBuf,
}

impl Default for Places {
    fn default() -> Places {
        Places { cmdline: "/proc/cmdline".into(), run: "/run/kickstand".into() }
    }
}

/// Fetches the answer file and runs it with /bin/sh; what it says goes to standard output.
///
/// A script that fails is reported to the address in its own header; the live system stays up to be looked at.
pub fn run(patience: Patience, places: &Places) -> Result<(), Error> {
    let cmdline =
        fs::read_to_string(&places.cmdline).map_err(|cause| Error::Read { path: places.cmdline.clone(), cause })?;
    let url = argument(&cmdline, "kickstand.answer").ok_or(Error::NoAnswer)?;
    let client = match argument(&cmdline, "kickstand.ca") {
        Some(pin) => pinned(patience, pin)?,
        None => Client::new(None).map_err(Error::Fetch)?,
    };
    eprintln!("kickstand-agent: fetching the answer file");
    let script = fetch(&client, patience, url).map_err(Error::Fetch)?;
    let path = write_script(&places.run, &script)?;
    let (status, last_lines) = run_script(&path)?;
    if status.success() {
        return Ok(());
    }
    if let Some(url) = report_url(&script) {
        let message = format!("{status}\n{last_lines}");
        report::send_or_warn(&client, url, &Report::Failed { message });
    }
    Err(Error::Failed { status })
}

/// The value of `name=` on a kernel line; the last one wins, as in the kernel.
fn argument<'a>(cmdline: &'a str, name: &str) -> Option<&'a str> {
    cmdline
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .rfind(|value| !value.is_empty())
}

/// Fetches the CA, which anybody may have exchanged on its way, and believes it if it has the fingerprint.
fn pinned(patience: Patience, pin: &str) -> Result<Client, Error> {
    let (fingerprint, url) = pin.strip_prefix("sha256:").and_then(|pin| pin.split_once(',')).ok_or(Error::NoPin)?;
    let plain = Client::new(None).map_err(Error::Fetch)?;
    let pem = fetch(&plain, patience, url).map_err(Error::Fetch)?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| Error::OtherCa { url: url.to_owned() })?;
    let seen = ring::digest::digest(&ring::digest::SHA256, &der);
    let seen: String = seen.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if seen != fingerprint.to_lowercase() {
        return Err(Error::OtherCa { url: url.to_owned() });
    }
    Client::pinned(&[der]).map_err(Error::Fetch)
}

fn fetch(client: &Client, patience: Patience, url: &str) -> Result<String, client::Error> {
    retry(patience, || {
        let mut response = client.get(url, &[])?;
        response
            .body_mut()
            .read_to_string()
            .map_err(|error| crate::retry::Failure::Again(client::unreachable(url, &error)))
    })
    .map_err(crate::retry::Failure::into_inner)
}

/// Only root may read it: it carries the machine's activation key.
fn write_script(folder: &Path, script: &str) -> Result<PathBuf, Error> {
    let path = folder.join("install.sh");
    let written = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .and_then(|()| fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(&path))
        .and_then(|mut file| file.write_all(script.as_bytes()));
    match written {
        Ok(()) => Ok(path),
        Err(cause) => Err(Error::Write { path, cause }),
    }
}

/// The report address that the script names in its header, for the one report that the script cannot make itself.
fn report_url(script: &str) -> Option<&str> {
    script
        .lines()
        .take_while(|line| line.starts_with('#') || line.is_empty())
        .find_map(|line| line.strip_prefix("# kickstand-report:"))
        .map(str::trim)
}

const KEPT_LINES: usize = 10;
const KEPT_LINE_BYTES: usize = 300;

fn run_script(path: &Path) -> Result<(std::process::ExitStatus, String), Error> {
    let failed = |cause| Error::Run { path: path.to_owned(), cause };
    let (reader, writer) = io::pipe().map_err(failed)?;
    // The command holds our copies of the writing end: they must be gone before we read to the end.
    let mut child = {
        let mut command = Command::new("/bin/sh");
        command.arg(path).stdout(writer.try_clone().map_err(failed)?).stderr(writer);
        command.spawn().map_err(failed)?
    };
    let last_lines = copy_output(BufReader::new(reader)).map_err(failed)?;
    Ok((child.wait().map_err(failed)?, last_lines))
}

fn copy_output(mut reader: impl BufRead) -> io::Result<String> {
    let mut kept = std::collections::VecDeque::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        // A console that went away must not stop an install.
        let _ = io::stdout().write_all(&line);
        let text = String::from_utf8_lossy(&line[..line.len().min(KEPT_LINE_BYTES)]);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(text.trim_end().to_owned());
        line.clear();
    }
    Ok(Vec::from(kept).join("\n"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::client::tests::{ScriptedServer, answer};
    use crate::retry::tests::BRISK;

    fn places(folder: &Path, cmdline: &str) -> Places {
        fs::write(folder.join("cmdline"), cmdline).unwrap();
        Places { cmdline: folder.join("cmdline"), run: folder.join("run") }
    }

    #[test]
    fn finds_its_argument_on_the_kernel_line() {
        for (cmdline, expected) in [
            ("boot=live kickstand.answer=http://a/1 quiet\n", Some("http://a/1")),
            ("kickstand.answer=http://a/?x=1&y=2", Some("http://a/?x=1&y=2")),
            ("kickstand.answer=http://a kickstand.answer=http://b", Some("http://b")),
            ("not-kickstand.answer=http://a kickstand.answers=http://b", None),
            ("kickstand.answer kickstand.answer=", None),
            ("", None),
        ] {
            assert_eq!(argument(cmdline, "kickstand.answer"), expected, "{cmdline}");
        }
    }

    #[test]
    fn runs_the_answer_file_which_only_root_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("#!/bin/sh\ntouch {}/ran", folder.path().display());
        let server = ScriptedServer::start(vec![answer("503 Starting", ""), answer("200 OK", &script)]);
        let cmdline = format!("boot=live kickstand.answer={}/x", server.url);
        run(BRISK, &places(folder.path(), &cmdline)).unwrap();
        assert!(folder.path().join("ran").exists());
        let mode = fs::metadata(folder.path().join("run/install.sh")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn an_answer_file_that_is_not_there_is_asked_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(vec![answer("404 Not Found", "no such token")]);
        let cmdline = format!("kickstand.answer={}/x", server.url);
        let error = run(BRISK, &places(folder.path(), &cmdline)).unwrap_err().to_string();
        assert!(error.contains("404: no such token") && error.contains("kickstand why"), "{error}");
        assert_eq!(server.asked().len(), 1);
    }

    #[test]
    fn a_failed_install_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(vec![answer("204 No Content", "")]);
        let script = format!(
            "#!/bin/sh\n# kickstand-report: {}/report\nfor i in $(seq 30); do echo line $i; done\necho no disk >&2\nexit 3\n",
            server.url
        );
        let file = ScriptedServer::start(vec![answer("200 OK", &script)]);
        let cmdline = format!("kickstand.answer={}/x", file.url);
        let error = run(BRISK, &places(folder.path(), &cmdline)).unwrap_err();
        assert!(matches!(error, Error::Failed { status } if status.code() == Some(3)));
        let asked = server.asked().remove(0);
        assert!(asked.contains(r#""stage":"failed""#), "{asked}");
        assert!(asked.contains(r"line 22\nline 23") && asked.contains(r"line 30\nno disk"), "{asked}");
        assert!(!asked.contains("line 21"), "{asked}");
    }

    #[test]
    fn the_report_address_stands_in_the_header_and_nowhere_else() {
        assert_eq!(report_url("#!/bin/sh\n\n# kickstand-report: http://a/r\nset -eu"), Some("http://a/r"));
        assert_eq!(report_url("#!/bin/sh\nset -eu\n# kickstand-report: http://a/r"), None);
    }

    #[test]
    fn a_ca_without_the_fingerprint_of_the_kernel_line_is_believed_in_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::new(vec!["x".into()]).unwrap().self_signed(&key).unwrap();
        let seen = ring::digest::digest(&ring::digest::SHA256, ca.der());
        let right: String = seen.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let brief = Patience { total: std::time::Duration::from_millis(20), ..BRISK };
        for (body, fingerprint, taken) in [
            (ca.pem(), right.clone(), true),
            (format!("hello\n{}", ca.pem()), right.to_uppercase(), true),
            (ca.pem(), "00".repeat(32), false),
            ("no certificate".to_owned(), right, false),
        ] {
            let server = ScriptedServer::start(vec![answer("200 OK", &body)]);
            let pin = format!("kickstand.ca=sha256:{fingerprint},{}/ca.pem", server.url);
            let error = run(brief, &places(folder.path(), &format!("kickstand.answer=https://127.0.0.1:1/x {pin}")));
            let is_other = matches!(error, Err(Error::OtherCa { .. }));
            assert_eq!(is_other, !taken, "{body}");
        }
        for pin in ["kickstand.ca=x", "kickstand.ca=sha256:00"] {
            let error = run(BRISK, &places(folder.path(), &format!("kickstand.answer=https://127.0.0.1:1/x {pin}")));
            assert!(matches!(error, Err(Error::NoPin)), "{pin}");
        }
        let error = run(BRISK, &places(folder.path(), "kickstand.answer=https://127.0.0.1:1/x")).unwrap_err();
        assert!(error.to_string().contains("no CA is pinned"), "{error}");
    }
}
