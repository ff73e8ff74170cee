//! The command line: one row for each command, and what its outcome means to who called it.

use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::client::Client;
use crate::retry::Patience;
use crate::system::System;
use crate::wire::Report;
use crate::{arguments, check_in, client, fetch, install, inventory, join, register, reinstall, report, timer};

/// How a command ended, as its caller sees it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}\n{USAGE}")]
    Usage(String),
    #[error("{0}\nusage:{1}")]
    UsageOf(String, String),
    #[error("KICKSTAND_REPORT is not set: the answer file exports it, with the address for its reports")]
    NoReportUrl,
    #[error(transparent)]
    Client(client::Error),
    #[error("the report was not taken: {0}")]
    Report(client::Error),
    #[error(transparent)]
    Install(#[from] install::Error),
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    #[error(transparent)]
    Register(#[from] register::Error),
    #[error(transparent)]
    Join(#[from] join::Error),
    #[error("this system is not registered")]
    Unregistered,
    #[error(transparent)]
    CheckIn(#[from] check_in::Error),
    #[error(transparent)]
    Reinstall(#[from] reinstall::Error),
    #[error(transparent)]
    Timer(#[from] timer::Error),
}

impl Error {
    /// 1: no use to repeat; 2: called wrongly; 75 (EX_TEMPFAIL): the server was away, repeat later.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::UsageOf(..) | Error::NoReportUrl => 2,
            Error::Register(error) if error.is_temporary() => 75,
            Error::Join(error) if error.is_temporary() => 75,
            Error::CheckIn(error) if error.is_temporary() => 75,
            Error::Reinstall(error) if error.is_temporary() => 75,
            // EX_UNAVAILABLE
            Error::Timer(timer::Error::NoSystemd) => 69,
            _ => 1,
        }
    }
}

type Run = fn(&[&str]) -> Result<(), Error>;

const COMMANDS: &[(&str, Run)] = &[
    ("install", run_install),
    ("report", run_report),
    ("fetch", run_fetch),
    ("register", run_register),
    ("status", run_status),
    ("unregister", run_unregister),
    ("inventory", run_inventory),
    ("check-in", run_check_in),
    ("reinstall", run_reinstall),
    ("timer", run_timer),
];

pub const USAGE: &str = "\
usage: kickstand-agent install
           fetch the answer file that kickstand.answer= on the kernel line
           names, and run it
       kickstand-agent report started|inventory|progress PERCENT MESSAGE|done|
               failed MESSAGE
           tell the server, at $KICKSTAND_REPORT, how the install goes; the file
           $KICKSTAND_CA names the CA of https:// addresses
       kickstand-agent fetch URL [--from PERCENT --to PERCENT MESSAGE]
           write URL to standard output, resuming as often as needed, and report
           progress
       kickstand-agent register
           register with the key in /etc/kickstand/agent.json, or only send the
           inventory
       kickstand-agent register --server URL --key KEY[,KEY…]
               [--ca FILE | --fingerprint SHA256] [--name NAME] [--insecure]
           join as a system that runs already; $KICKSTAND_KEY instead of --key
           is not seen by others
       kickstand-agent status [--output json]
           tell who this system is to its server; 1 if it is not registered
       kickstand-agent unregister [--force]
           leave the server, or call off a registration that was not finished;
           --force forgets it here alone
       kickstand-agent inventory
           print what this machine is made of
       kickstand-agent check-in
           tell the server that this system is there, and do what it asks for
       kickstand-agent reinstall [--profile NAME] [--now] [--keep-network]
               [--way kexec|grubby|grub|bootnext]
           install this system anew, if the server allows it; --now asks nobody,
           --keep-network takes the address along
       kickstand-agent timer install|remove
           check in every 15 minutes, by a timer of systemd; or no more
       kickstand-agent --version";

/// Runs the command that `arguments` (without the program's name) ask for.
pub fn run(arguments: &[&str]) -> Result<(), Error> {
    let (name, rest) = match arguments {
        [] => return Err(Error::Usage("no command given".to_owned())),
        ["--version" | "-V"] => {
            println!("kickstand-agent {}", env!("CARGO_PKG_VERSION"));
            return Ok(());
        }
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return Ok(());
        }
        [name, rest @ ..] => (name, rest),
    };
    let Some((_, command)) = COMMANDS.iter().find(|(known, _)| known == name) else {
        return Err(Error::Usage(format!("no such command: {name}")));
    };
    if let ["--help" | "-h"] = rest {
        println!("usage:{}", usage_of(name));
        return Ok(());
    }
    command(rest).map_err(|error| match error {
        Error::Usage(said) => Error::UsageOf(said, usage_of(name)),
        other => other,
    })
}

/// Its own lines of the usage.
fn usage_of(name: &str) -> String {
    let mut is_own = false;
    let mut own = String::new();
    for line in USAGE.trim_start_matches("usage:").lines() {
        let called = line.trim_start().strip_prefix("kickstand-agent ").map(|rest| rest.split([' ', '\n']).next());
        is_own = called.map_or(is_own, |called| called == Some(name));
        if is_own {
            own = if own.is_empty() { format!(" {}", line.trim_start()) } else { format!("{own}\n{line}") };
        }
    }
    own
}

fn run_install(arguments: &[&str]) -> Result<(), Error> {
    arguments::no_more(arguments)?;
    Ok(install::run(Patience::NORMAL, &install::Places::default())?)
}

fn run_report(arguments: &[&str]) -> Result<(), Error> {
    let report = arguments::report(arguments)?;
    let outcome = reporter()
        .and_then(|(client, url)| report::send(&client, &url, &report).map_err(|e| Error::Report(e.into_inner())));
    match (outcome, report) {
        // An install never fails because nobody watched it.
        (Err(error), Report::Progress { .. }) => {
            eprintln!("kickstand-agent: {error}");
            Ok(())
        }
        (outcome, _) => outcome,
    }
}

/// Who reports, and where.
fn reporter() -> Result<(Client, String), Error> {
    let url = std::env::var("KICKSTAND_REPORT").map_err(|_| Error::NoReportUrl)?;
    Ok((Client::of_environment().map_err(Error::Client)?, url))
}

fn run_fetch(arguments: &[&str]) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    match arguments {
        [url] => {
            let client = Client::of_environment().map_err(Error::Client)?;
            fetch::stream(&client, Patience::NORMAL, url, &mut output, |_, _| {})?;
            Ok(())
        }
        [url, "--from", from, "--to", to, message] => {
            let gauge = fetch::Gauge::new(arguments::percentage(from)?, arguments::percentage(to)?);
            fetch_with_progress(&reporter()?, url, gauge, message, &mut output)
        }
        _ => Err(Error::Usage("fetch: which URL?".to_owned())),
    }
}

/// Reports from a thread of its own: the download never waits for a report, a late report is overtaken by the next.
fn fetch_with_progress(
    (client, report_url): &(Client, String),
    url: &str,
    mut gauge: fetch::Gauge,
    message: &str,
    output: &mut dyn io::Write,
) -> Result<(), Error> {
    let (sender, receiver) = mpsc::sync_channel::<u8>(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for percent in receiver {
                let message = message.to_owned();
                report::send_or_warn(client, report_url, &Report::Progress { percent, message });
            }
        });
        fetch::stream(client, Patience::NORMAL, url, output, |written, total| {
            if let Some(percent) = gauge.step(written, total, Instant::now()) {
                let _ = sender.try_send(percent);
            }
        })?;
        drop(sender);
        Ok(())
    })
}

fn run_register(arguments: &[&str]) -> Result<(), Error> {
    if !arguments.is_empty() {
        let wish = arguments::wish(arguments, std::env::var("KICKSTAND_KEY").ok())?;
        let inventory = inventory::gather(Path::new("/"));
        let outcome = join::run(Patience::NORMAL, &register::Places::default(), &wish, inventory)?;
        println!("kickstand-agent: {outcome}");
        if !register::Places::default().timer.exists() {
            println!("kickstand-agent: `kickstand-agent timer install` lets it check in by itself");
        }
        return Ok(());
    }
    let inventory = inventory::gather(Path::new("/"));
    let outcome = register::run(Patience::NORMAL, &register::Places::default(), inventory)?;
    println!("kickstand-agent: {outcome}");
    Ok(())
}

fn run_status(arguments: &[&str]) -> Result<(), Error> {
    let status = join::status(&register::Places::default(), std::time::SystemTime::now())?;
    match arguments {
        [] => println!("{}", status.lines()),
        ["--output", "json"] => println!("{}", serde_json::to_string_pretty(&status).expect("string keys only")),
        _ => return Err(Error::Usage("status takes --output json, or nothing".to_owned())),
    }
    if status.registered { Ok(()) } else { Err(Error::Unregistered) }
}

fn run_unregister(arguments: &[&str]) -> Result<(), Error> {
    let is_forced = match arguments {
        [] => false,
        ["--force"] => true,
        _ => return Err(Error::Usage("unregister takes --force, or nothing".to_owned())),
    };
    println!("kickstand-agent: {}", join::unregister(Patience::SHORT, &register::Places::default(), is_forced)?);
    if register::Places::default().timer.exists() {
        println!("kickstand-agent: {}", timer::remove(&System::own())?);
    }
    Ok(())
}

fn run_inventory(arguments: &[&str]) -> Result<(), Error> {
    arguments::no_more(arguments)?;
    let inventory = inventory::gather(Path::new("/"));
    let text = serde_json::to_string_pretty(&inventory).expect("string keys only");
    println!("{text}");
    Ok(())
}

fn run_check_in(arguments: &[&str]) -> Result<(), Error> {
    arguments::no_more(arguments)?;
    println!("kickstand-agent: {}", check_in::run(Patience::NORMAL, &System::own())?);
    Ok(())
}

fn run_reinstall(arguments: &[&str]) -> Result<(), Error> {
    let options = arguments::reinstall(arguments)?;
    println!("kickstand-agent: {}", reinstall::run(Patience::NORMAL, &System::own(), &options)?);
    Ok(())
}

/// The units name this very program.
fn run_timer(arguments: &[&str]) -> Result<(), Error> {
    let system = System::own();
    let said = match arguments {
        ["install"] => {
            let own = std::env::current_exe().ok().map(|path| path.display().to_string());
            timer::install(&system, own.as_deref().unwrap_or("/usr/local/sbin/kickstand-agent"))?
        }
        ["remove"] => timer::remove(&system)?,
        _ => return Err(Error::Usage("timer: install or remove?".to_owned())),
    };
    println!("kickstand-agent: {said}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{ScriptedServer, answer, plain};

    #[test]
    fn every_command_is_in_the_usage() {
        for (name, _) in COMMANDS {
            assert!(USAGE.contains(&format!("kickstand-agent {name}")), "{name}");
        }
    }

    #[test]
    fn what_is_called_wrongly_shows_its_own_usage_and_fits_a_terminal() {
        let wrong = run(&["register", "--helm", "x"]).unwrap_err();
        let said = wrong.to_string();
        assert!(said.starts_with("register: no such option: --helm\nusage: kickstand-agent register\n"), "{said}");
        assert!(said.contains("--insecure") && !said.contains("kickstand-agent status"), "{said}");
        assert_eq!(wrong.exit_code(), 2);
        assert!(run(&["register", "--help"]).is_ok());
        for (name, _) in COMMANDS {
            assert!(usage_of(name).starts_with(&format!(" kickstand-agent {name}")), "{name}");
        }
        let wide: Vec<_> = USAGE.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{wide:?}");
    }

    #[test]
    fn an_unknown_command_shows_the_usage() {
        let error = run(&["destroy"]).unwrap_err();
        assert!(error.to_string().contains("no such command: destroy\nusage:"));
    }

    #[test]
    fn a_download_reports_its_progress_on_the_way() {
        let file = ScriptedServer::start(vec![answer("200 OK", "0123456789")]);
        let reports = ScriptedServer::start(vec![answer("204 No Content", "")]);
        let mut output = Vec::new();
        let gauge = fetch::Gauge::new(20, 70);
        fetch_with_progress(&(plain(), reports.url.clone()), &file.url, gauge, "unpacking", &mut output).unwrap();
        assert_eq!(output, b"0123456789");
        let report = r#"{"stage":"progress","percent":70,"message":"unpacking"}"#;
        assert!(reports.asked()[0].ends_with(report), "{:?}", reports.asked());
    }

    #[test]
    fn a_lost_progress_report_does_not_fail_the_download() {
        let file = ScriptedServer::start(vec![answer("200 OK", "0123456789")]);
        let reports = ScriptedServer::start(vec![answer("410 Gone", "")]);
        let mut output = Vec::new();
        let gauge = fetch::Gauge::new(20, 70);
        fetch_with_progress(&(plain(), reports.url.clone()), &file.url, gauge, "unpacking", &mut output).unwrap();
        assert_eq!(output, b"0123456789");
    }
}
