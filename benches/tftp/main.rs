//! TFTP on the wire: ours, tftpd-hpa, async-tftp and a bare sender in one run: `cargo bench --bench tftp -- single many memory`.
//!
//! As with DHCP, a server lives in one network namespace and its clients in another; never are two servers up at once.
//! [`servers`] starts them, [`bare`] is one that only sends, [`client`] reads as firmware does, [`crowd`] is many of
//! those. Each question has a file: [`single`], [`many`], [`memory`]. What the figures mean is in docs/benchmarks.md.
//!
//! This program starts itself inside the namespaces: see [`role`].

mod bare;
mod client;
mod crowd;
mod many;
mod memory;
#[allow(dead_code)]
#[path = "../dhcp/net.rs"]
mod net;
mod place;
#[allow(dead_code)]
#[path = "../dhcp/report.rs"]
mod report;
mod servers;
mod single;

use anyhow::{Context, Result, bail, ensure};
use net::Net;
use report::Report;
use std::path::{Path, PathBuf};

/// Its name, and what measures it.
type Case = (&'static str, fn(&Lab) -> Result<Report>);

const CASES: &[Case] = &[("single", single::run), ("many", many::run), ("memory", memory::run)];

/// Names that our server knows; the files behind them are as large as the questions want them.
pub const LARGE: &str = "snponly.efi";
pub const LARGE_BYTES: u64 = 100_000_000;
pub const SMALL: &str = "undionly.kpxe";
pub const SMALL_BYTES: u64 = 1_000_000;

/// Where everything happens.
pub struct Lab {
    pub net: Net,
    pub folder: PathBuf,
    /// Short runs, to see that all of it works.
    pub quick: bool,
}

impl Lab {
    fn lay() -> Result<Lab> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-tftp");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).context("cannot empty the folder of the last run")?;
        }
        let lab = Lab { net: Net::lay()?, folder, quick: std::env::var("QUICK").is_ok_and(|value| value == "1") };
        std::fs::create_dir_all(lab.files())?;
        for (name, bytes) in [(LARGE, LARGE_BYTES), (SMALL, SMALL_BYTES)] {
            std::fs::write(lab.files().join(name), client::content(bytes))?;
        }
        // Each of a crowd has an address of its own; for the server all of them are behind one.
        run(lab.net.beside_clients("ip").args(["route", "add", "local", crowd::CIDR, "dev", "lo"]))?;
        let via = net::CLIENTS.to_string();
        run(lab.net.beside_server("ip").args(["route", "add", crowd::CIDR, "via", &via]))?;
        Ok(lab)
    }

    pub fn files(&self) -> PathBuf {
        self.folder.join("files")
    }
}

pub fn run(command: &mut std::process::Command) -> Result<String> {
    let done = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn main() -> Result<()> {
    // cargo adds --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(("role", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return role(rest);
    }
    if let Some(unknown) = words.iter().find(|word| !CASES.iter().any(|(name, _)| name == word)) {
        bail!("there is no case {unknown}: there are single, many and memory");
    }
    let lab = Lab::lay()?;
    let mut report = Report::default();
    for (name, run) in CASES.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| word == name)) {
        report.extend(run(&lab).with_context(|| format!("the case {name}"))?);
    }
    report.print();
    report.write()
}

/// The crate, as its own example has it.
fn async_tftp(folder: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let server = async_tftp::server::TftpServerBuilder::with_dir_ro(folder)?.bind((net::SERVER, 69).into());
        server.build().await?.serve().await
    })?;
    Ok(())
}

/// The parts that run inside a namespace.
fn role(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bare", file] => bare::serve(Path::new(file)),
        ["bare-many", file] => bare::serve_many(Path::new(file)),
        ["async-tftp", folder] => async_tftp(Path::new(folder)),
        ["fetch", window] => client::print_fetch(window.parse()?),
        ["crowd", clients, window] => crowd::print_rush(clients.parse()?, window.parse()?),
        ["hold", clients] => crowd::hold(clients.parse()?),
        other => bail!("no such role: {other:?}"),
    }
}
