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
    #[error("{0}")]
    Failed(String),
    #[error("the installer is ready, and could not be started: {0}")]
    Jump(String),
}

impl Error {
    pub fn is_temporary(&self) -> bool {
        matches!(self, Error::Away(_))
    }

    /// Why the same attempt would come no further the next time either: nothing was changed, and the server heard nothing.
    fn hindrance(&self) -> Option<String> {
        match self {
            Error::Unfit(why) => Some(why.clone()),
            Error::NoWay(why) => Some(format!("no way leads to the installer: {why}")),
            Error::Refused(_) => Some(self.to_string()),
            _ => None,
        }
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

/// What the server wished for at a check-in: it is told of what is in the way, or would wish for it again each time.
pub fn wished(patience: Patience, system: &System) -> Result<String, Error> {
    run(patience, system, &Options { now: true, ..Options::default() }).inspect_err(|error| {
        if let (Some(why), Ok(session)) = (error.hindrance(), Session::open(&system.places))
            && let Err(cause) = fail(&session, system, &why)
        {
            eprintln!("kickstand-agent: the server could not be told: {cause}");
        }
    })
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
            let told = fail(&session, system, &why);
            Err(Error::Failed(ending(system, why, told)))
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
        Err(why) => Err(undone(&attempt, system, why)),
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
        let is_away = matches!(failure, Failure::Again(_));
        let why = format!("the server does not take that it starts: {}", failure.into_inner());
        let why = undone(attempt, system, why);
        // Who refused knows; who was away may have heard it all the same.
        let told = if is_away { fail(session, system, &why) } else { Ok(()) };
        return Err(Error::Failed(ending(system, why, told)));
    }
    println!("kickstand-agent: starting the installer by {way}");
    if let Err(why) = leave(system, jump) {
        let why = undone(attempt, system, why);
        let told = fail(session, system, &why);
        return Err(Error::Jump(ending(system, why, told)));
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
fn fail(session: &Session, system: &System, why: &str) -> Result<(), client::Error> {
    let told = Starts { boot_id: system.boot_id(), way: None, failed: Some(why.to_owned()) };
    session.post(Patience::SHORT, "/agent/reinstall/way", &told).map(drop).map_err(Failure::into_inner)
}

/// Takes away what was prepared, and says so where that is not all of it.
fn undone(attempt: &Attempt, system: &System, why: String) -> String {
    match attempt.undo(system) {
        Ok(()) => why,
        Err(also) => format!("{why}; not all that was prepared could be taken away: {also}"),
    }
}

/// Why it came to nothing, what is left of it, and who knows.
fn ending(system: &System, why: String, told: Result<(), client::Error>) -> String {
    let left = match Attempt::noted(system) {
        None => "what was prepared is taken away again",
        Some(_) => "what is left is taken away after the next restart",
    };
    match told {
        Ok(()) => format!("{why}; {left}, and the server knows"),
        Err(cause) => format!("{why}; {left}, but the server could not be told: {cause}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::client::tests::{ScriptedServer, answer};
    use crate::register::Places;

    /// One attempt.
    const NONE: Patience = Patience { total: Duration::ZERO, ..Patience::SHORT };

    /// What is said, and how often the server was asked, where it does not take the way that is told.
    fn refused(answers: &[&str], loaded: &str) -> (String, Vec<String>) {
        let server = ScriptedServer::start(answers.iter().map(|status| answer(status, "")).collect());
        let root = tempfile::tempdir().unwrap();
        let places = Places::below(root.path());
        for (path, text) in [
            (&places.settings, format!(r#"{{"server":"{}"}}"#, server.url)),
            (&places.identity, r#"{"system_id":"s","name":"web-1","credential":"c"}"#.into()),
            (&root.path().join("sys/kernel/kexec_loaded"), loaded.into()),
        ] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let system = System { root: root.path().to_owned(), path: "/nowhere".into(), is_root: true, places };
        let session = Session::open(&system.places).unwrap();
        let attempt = Attempt::begin(&system, Way::Kexec).unwrap();
        let error = started(&session, NONE, &system, &attempt, Jump::Kexec).unwrap_err();
        (error.to_string(), server.asked())
    }

    #[test]
    fn a_server_that_was_away_is_told_that_nothing_is_started() {
        let (error, asked) = refused(&["503 Away", "204 No Content"], "0");
        assert!(error.ends_with("; what was prepared is taken away again, and the server knows"), "{error}");
        assert!(asked.len() == 2 && asked[1].contains(r#""failed":"the server does not take"#), "{asked:?}");
    }

    #[test]
    fn who_could_not_be_told_and_what_is_still_there_are_said() {
        let (error, _) = refused(&["503 Away", "409 Conflict"], "0");
        assert!(error.contains("; what was prepared is taken away again, but the server could not be told"), "{error}");
        let (error, _) = refused(&["503 Away", "204 No Content"], "1");
        assert!(
            error.contains("; not all that was prepared could be taken away") && error.contains("no program kexec")
        );
        assert!(error.ends_with(", and the server knows") && !error.contains("away again"), "{error}");
    }

    #[test]
    fn a_server_that_refused_knows() {
        let (error, asked) = refused(&["409 Conflict"], "0");
        assert!(error.ends_with("is taken away again, and the server knows"), "{error}");
        assert_eq!(asked.len(), 1);
    }
}
