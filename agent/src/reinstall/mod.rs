//! A running system installs itself anew, if its server lets it: nothing is changed before everything is known to fit.
//!
//! [`fit`] says what must be so, [`network`] by which card the server is reached, [`stage`] fetches kernel and initrd,
//! [`ways`] has the ways to start them, and [`attempt`] remembers what to take away where the old system comes back.

mod attempt;
mod fit;
mod network;
mod stage;
mod ways;

pub use attempt::Attempt;
pub use ways::{WAYS, Way};

use crate::client;
use crate::kit::{Kit, Reinstall, Starts};
use crate::retry::{Failure, Patience};
use crate::session::{self, Session};
use crate::system::System;
use ways::Jump;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Session(#[from] session::Error),
    #[error("{0}; nothing was changed")]
    Unfit(String),
    #[error("no way leads to the installer: {0}; nothing was changed")]
    NoWay(String),
    #[error("not confirmed: everything on this system would be replaced; --now asks nobody")]
    NotConfirmed,
    #[error("the server does not allow it: {0}")]
    Refused(client::Error),
    #[error("the server did not answer: {0}; nothing was changed")]
    Away(client::Error),
    #[error("the server's answer can not be read: {0}; nothing was changed")]
    Answer(serde_json::Error),
    #[error("{0}; what was prepared is taken away again, and the server knows")]
    Failed(String),
    #[error("the installer is ready, and could not be started: {0}; what was prepared is taken away again")]
    Jump(String),
}

impl Error {
    pub fn is_temporary(&self) -> bool {
        matches!(self, Error::Away(_))
    }
}

/// What who calls wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    pub profile: Option<String>,
    /// Asks nobody.
    pub now: bool,
    pub keep_network: bool,
    /// This way and no other.
    pub way: Option<Way>,
}

/// Up to the moment at which the installer takes over. Gives a sentence for the log.
pub fn run(patience: Patience, system: &System, options: &Options) -> Result<String, Error> {
    fit::system(system).map_err(Error::Unfit)?;
    let session = Session::open(&system.places)?;
    let ways = possible(system, options.way).map_err(Error::NoWay)?;
    let card = network::card(system, &session.server).map_err(Error::Unfit)?;
    let network = match options.keep_network {
        true => Some(network::carried(system, &card).map_err(Error::Unfit)?),
        false => None,
    };
    if !options.now && !confirmed(&session) {
        return Err(Error::NotConfirmed);
    }
    let asked = Reinstall { boot_id: system.boot_id(), mac: card.mac, profile: options.profile.clone(), network };
    let answer = session.post(patience, "/agent/reinstall", &asked).map_err(|failure| match failure {
        Failure::Again(error) => Error::Away(error),
        Failure::Final(error) => Error::Refused(error),
    })?;
    let kit: Kit = serde_json::from_str(&answer).map_err(Error::Answer)?;
    println!("kickstand-agent: {} may be installed anew with profile {}", kit.machine, kit.profile);
    match prepared(&session, patience, system, &kit, &ways) {
        Ok((attempt, jump)) => started(&session, patience, system, &attempt, jump),
        Err(why) => {
            fail(&session, system, &why);
            Err(Error::Failed(why))
        }
    }
}

/// In the order in which they are tried; the error says of each what is in its way.
fn possible(system: &System, only: Option<Way>) -> Result<Vec<Way>, String> {
    let wanted: Vec<Way> = only.map_or_else(|| WAYS.to_vec(), |way| vec![way]);
    let (mut ways, mut lacks) = (Vec::new(), Vec::new());
    for way in wanted {
        match way.lacks(system) {
            None => ways.push(way),
            Some(why) => lacks.push(format!("{way}: {why}")),
        }
    }
    if ways.is_empty() { Err(lacks.join("; ")) } else { Ok(ways) }
}

/// On a terminal alone: a pipe says yes to anything.
fn confirmed(session: &Session) -> bool {
    use std::io::{BufRead, IsTerminal, Write};
    let input = std::io::stdin();
    if !input.is_terminal() {
        return false;
    }
    print!(
        "{} will be installed anew by {}: everything on it is lost. Type its name to go on: ",
        session.name, session.server
    );
    let mut line = String::new();
    let _ = std::io::stdout().flush();
    input.lock().read_line(&mut line).is_ok() && line.trim() == session.name
}

/// The first way that works, with everything in its place; what others left is taken away.
fn prepared(
    session: &Session,
    patience: Patience,
    system: &System,
    kit: &Kit,
    ways: &[Way],
) -> Result<(Attempt, Jump), String> {
    fit::kit(system, kit)?;
    let mut refusals = Vec::new();
    for way in ways {
        match prepare(session, patience, system, kit, *way) {
            Ok(prepared) => return Ok(prepared),
            Err(why) => {
                eprintln!("kickstand-agent: not by {way}: {why}");
                refusals.push(format!("{way}: {why}"));
            }
        }
    }
    Err(refusals.join("; "))
}

fn prepare(
    session: &Session,
    patience: Patience,
    system: &System,
    kit: &Kit,
    way: Way,
) -> Result<(Attempt, Jump), String> {
    fit::way(system, way, kit)?;
    let attempt = Attempt::begin(system, way)?;
    let staged = stage::fetch(session, patience, kit, &attempt.folder);
    match staged.and_then(|staged| way.prepare(system, &staged)) {
        Ok(jump) => Ok((attempt, jump)),
        Err(why) => Err(match attempt.undo(system) {
            Ok(()) => why,
            Err(also) => format!("{why}; and what was prepared is still there: {also}"),
        }),
    }
}

/// The server hears of it first: an arming that was taken back meanwhile starts nothing.
fn started(
    session: &Session,
    patience: Patience,
    system: &System,
    attempt: &Attempt,
    jump: Jump,
) -> Result<String, Error> {
    let way = attempt.way;
    let told = Starts { boot_id: system.boot_id(), way: Some(way.word().into()), failed: None };
    if let Err(failure) = session.post(patience, "/agent/reinstall/way", &told) {
        let why = format!("the server does not take that it starts: {}", failure.into_inner());
        return Err(Error::Failed(match attempt.undo(system) {
            Ok(()) => why,
            Err(also) => format!("{why}; {also}"),
        }));
    }
    println!("kickstand-agent: starting the installer by {way}");
    if let Err(why) = leave(system, jump) {
        let _ = attempt.undo(system);
        fail(session, system, &why);
        return Err(Error::Jump(why));
    }
    Ok(format!("the installer is started by {way}"))
}

/// Services end and file systems are left clean where there is somebody who sees to that.
fn leave(system: &System, jump: Jump) -> Result<(), String> {
    match (jump, system.has_systemd()) {
        (Jump::Kexec, true) => system.run("systemctl", &["kexec"]),
        (Jump::Kexec, false) => system.run("sync", &[]).and_then(|_| system.run("kexec", &["-e"])),
        (Jump::Restart, true) => system.run("systemctl", &["reboot"]),
        (Jump::Restart, false) => system.run("reboot", &[]),
    }
    .map(drop)
}

/// That the server does not hear it costs a moment: this system's next check-in says as much.
fn fail(session: &Session, system: &System, why: &str) {
    let told = Starts { boot_id: system.boot_id(), way: None, failed: Some(why.to_owned()) };
    if let Err(failure) = session.post(Patience::SHORT, "/agent/reinstall/way", &told) {
        eprintln!("kickstand-agent: the server could not be told: {}", failure.into_inner());
    }
}
