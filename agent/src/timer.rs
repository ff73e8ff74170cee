//! The timer that checks in: a unit of systemd's, so that no daemon of ours stays in memory.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::system::System;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no systemd here: let cron, or whatever starts things, run `kickstand-agent check-in` every {} minutes", SECS / 60)]
    NoSystemd,
    #[error("only root writes units: run this as root")]
    NotRoot,
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: io::Error },
    #[error("{0}")]
    Systemctl(String),
}

/// How often a system checks in that was told nothing else.
const SECS: u32 = 900;
/// Sooner is no check-in but a flood, later is none either.
const SENSIBLE_SECS: std::ops::RangeInclusive<u32> = 60..=86_400;

const TIMER: &str = "/etc/systemd/system/kickstand-agent.timer";
const SERVICE: &str = "/etc/systemd/system/kickstand-check-in.service";

/// Soon after each boot, since a system that fell back has something to say; then again and again, spread out so that a
/// whole fleet does not come at once.
fn timer(secs: u32) -> String {
    let spread_secs = secs / 5;
    format!(
        "[Unit]
Description=Check in with Kickstand

[Timer]
Unit=kickstand-check-in.service
OnActiveSec={spread_secs}s
OnUnitActiveSec={secs}s
RandomizedDelaySec={spread_secs}s
AccuracySec=10s

[Install]
WantedBy=timers.target
"
    )
}

fn service(agent: &str) -> String {
    format!(
        "[Unit]
Description=Tell Kickstand that this system is there, and do what it asks for
Wants=network-online.target
After=network-online.target kickstand-agent.service
ConditionPathExists=/var/lib/kickstand/identity.json

[Service]
Type=oneshot
ExecStart={agent} check-in
StandardOutput=journal+console
# 75: the server is away, and is asked again soon enough.
SuccessExitStatus=75

[Install]
WantedBy=multi-user.target
"
    )
}

/// Also in a system that does not run yet (a chroot of an installer): then it starts with that.
pub fn install(system: &System, agent: &str) -> Result<String, Error> {
    may_write(system)?;
    write(system, SERVICE, &service(agent))?;
    write(system, TIMER, &timer(SECS))?;
    systemctl(system, &["enable", "kickstand-check-in.service", "kickstand-agent.timer"])?;
    let minutes = SECS / 60;
    if !system.has_systemd() {
        return Ok(format!("checks in every {minutes} minutes once systemd runs, which it does not now"));
    }
    systemctl(system, &["daemon-reload"])?;
    systemctl(system, &["restart", "kickstand-agent.timer"])?;
    Ok(format!("checks in every {minutes} minutes, and after each boot"))
}

pub fn remove(system: &System) -> Result<String, Error> {
    may_write(system)?;
    if !system.has(TIMER) && !system.has(SERVICE) {
        return Ok("there is no timer".into());
    }
    let now: &[&str] = if system.has_systemd() { &["--now"] } else { &[] };
    systemctl(system, &[&["disable"], now, &["kickstand-agent.timer", "kickstand-check-in.service"]].concat())?;
    for path in [TIMER, SERVICE] {
        match fs::remove_file(system.at(path)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Write { path: path.into(), cause });
            }
            _ => {}
        }
    }
    Ok("checks in no more by itself".into())
}

/// The server said how soon to come again: where a timer of ours says otherwise, it is told. That it can not be is no
/// reason not to check in.
pub fn follow(system: &System, secs: u32) {
    let (wanted, known) = (timer(secs), system.text(TIMER));
    if known.is_empty() || known == wanted || !SENSIBLE_SECS.contains(&secs) {
        return;
    }
    let told = write(system, TIMER, &wanted)
        .and_then(|()| systemctl(system, &["daemon-reload"]))
        .and_then(|()| systemctl(system, &["restart", "kickstand-agent.timer"]));
    if let Err(error) = told {
        eprintln!("kickstand-agent: the timer keeps its pace: {error}");
    }
}

fn may_write(system: &System) -> Result<(), Error> {
    match (system.is_root, system.program("systemctl")) {
        (false, _) => Err(Error::NotRoot),
        (true, None) => Err(Error::NoSystemd),
        (true, Some(_)) => Ok(()),
    }
}

fn write(system: &System, path: &str, text: &str) -> Result<(), Error> {
    let place = system.at(path);
    let written = fs::create_dir_all(place.parent().unwrap_or(&place)).and_then(|()| fs::write(&place, text));
    written.map_err(|cause| Error::Write { path: place, cause })
}

fn systemctl(system: &System, arguments: &[&str]) -> Result<(), Error> {
    system.run("systemctl", arguments).map(drop).map_err(Error::Systemctl)
}
