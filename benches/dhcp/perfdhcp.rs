//! perfdhcp, which plays many clients behind one relay, and what it says of a run.

use crate::Lab;
use crate::net::{CLIENTS, SERVER};
use anyhow::{Context, Result, bail, ensure};
use std::process::{Command, Output};

/// How many clients it plays.
pub const CLIENTS_COUNT: u32 = 50_000;

/// What became of the exchanges of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    pub acks: u64,
    pub acks_per_sec: f64,
    /// Exchanges that began and did not end with an ACK.
    pub lost_percent: f64,
}

/// Begins `rate` exchanges a second. Each `family` is a set of clients of its own.
pub fn exchanges(lab: &Lab, family: u8, rate: u32, secs: u32) -> Result<Run> {
    let mut command = command(lab, family, CLIENTS_COUNT);
    // It waits 0.1 s for the last answers.
    command.args(["-r", &rate.to_string(), "-p", &secs.to_string(), "-W", "100000"]);
    read_run(&output(command)?, secs)
}

/// Switches `count` machines on at once, each of which asks again until it was answered: how long it takes until all were.
pub fn avalanche_secs(lab: &Lab, family: u8, count: u32) -> Result<f64> {
    let mut command = command(lab, family, count);
    command.args(["--scenario", "avalanche"]);
    read_avalanche(&output(command)?)
}

fn command(lab: &Lab, family: u8, clients: u32) -> Command {
    let mut command = lab.net.beside_clients("timeout");
    // One thread: with two it takes from the second processor what the server needs, and drives less.
    command.args(["300", "perfdhcp", "-4", "-g", "single", "-l", &CLIENTS.to_string(), "-R", &clients.to_string()]);
    command.args(["-b", &format!("mac=00:0c:{family:02x}:00:00:00")]);
    command
}

fn output(mut command: Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.arg(SERVER.to_string()).output().context("cannot run perfdhcp: install kea-admin")?;
    let said = String::from_utf8_lossy(&stdout).into_owned();
    // 3 says that some exchange did not end.
    let error = String::from_utf8_lossy(&stderr);
    // It explains itself at length.
    let error = error.lines().next().unwrap_or_default();
    ensure!(matches!(status.code(), Some(0 | 3)), "perfdhcp: {status}: {error}");
    Ok(said)
}

fn read_run(said: &str, secs: u32) -> Result<Run> {
    let (offers, acks) = said.split_once("Statistics for: REQUEST-ACK").context("perfdhcp says nothing of ACKs")?;
    let begun = number(offers, "sent packets:")?;
    let ended = number(acks, "received packets:")?;
    ensure!(begun > 0.0, "perfdhcp sent nothing");
    let lost_percent = (begun - ended) / begun * 100.0;
    Ok(Run { acks: ended as u64, acks_per_sec: ended / f64::from(secs), lost_percent })
}

fn number(text: &str, label: &str) -> Result<f64> {
    let rest = text.split_once(label).with_context(|| format!("perfdhcp says no {label}"))?.1;
    Ok(rest.split_whitespace().next().unwrap_or_default().parse()?)
}

/// `It took 00:00:32.649902 to provision 5000 clients.`
fn read_avalanche(said: &str) -> Result<f64> {
    let time = said.split_once("It took ").and_then(|(_, rest)| rest.split_once(" to provision"));
    let Some((time, _)) = time else { bail!("perfdhcp did not end its avalanche: {said}") };
    let units = time.split(':').map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?;
    Ok(units.iter().fold(0.0, |sum, unit| sum * 60.0 + unit))
}
