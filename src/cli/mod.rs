//! The command line, one file for each command: what operators type, and what they read.
//!
//! [`serve`], [`init`], [`check`], [`loader`] and [`rehearse`] work on this host, [`import`] does and asks a running server, too; all other commands ask a running server:
//! `client` speaks to it, `session` writes what came of it, `table` and `values` are the words for both.
//! [`watch`] and [`events`] stay on the line by way of `follow`.

mod agreed;
mod authority;
mod bootstrap;
mod capture;
mod check;
mod class;
mod client;
mod cobbler;
mod csv;
mod dhcp;
mod distro;
mod events;
mod follow;
mod import;
mod init;
mod inventory;
mod key;
mod lease;
mod loader;
mod machine;
mod network;
mod option;
mod profile;
mod quirk;
mod range;
mod rehearse;
mod reservation;
mod revision;
mod secret;
mod serve;
mod session;
mod sighting;
mod table;
mod template;
mod token;
mod values;
mod vars;
mod watch;
mod why;

#[cfg(test)]
mod tests;

use crate::config::DEFAULT_SOCKET;
use crate::model::Secret;
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use client::{Client, Server};
use session::{Output, Session, Unfinished};
use std::path::PathBuf;
use std::process::ExitCode;

/// Installs machines over the network: DHCP, TFTP and HTTP in one program.
#[derive(Debug, Parser)]
#[command(name = "kickstand", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    command: Command,
}

/// Which server to ask, and how to write what it says.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Remote {
    /// A server to ask over TCP instead of the local one, for example https://10.0.0.2
    #[arg(long, global = true, env = "KICKSTAND_SERVER", hide_env_values = true, value_name = "URL")]
    server: Option<String>,
    /// The file of its CA, for https://
    #[arg(long, global = true, env = "KICKSTAND_CA", hide_env_values = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The token for it; better given in the environment, where `ps` does not show it
    #[arg(long, global = true, env = "KICKSTAND_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The local server's socket
    #[arg(long, global = true, env = "KICKSTAND_SOCKET", hide_env_values = true, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    socket: PathBuf,
    /// How to write results
    #[arg(long, global = true, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the appliance
    Serve(serve::Serve),
    /// Write a kickstand.toml with every setting explained
    Init(init::Init),
    /// Say whether kickstand.toml is fine, or machines' answer files
    Check(check::Check),
    /// Boot loaders: import them from packages or files
    #[command(subcommand)]
    Loader(loader::Command),
    /// Networks that are served
    #[command(subcommand)]
    Network(network::Command),
    /// Addresses that name a profile
    #[command(subcommand)]
    Range(range::Command),
    /// DHCP options for clients that have something in common
    #[command(subcommand)]
    Class(class::Command),
    /// Addresses that are kept for clients without a record
    #[command(subcommand)]
    Reservation(reservation::Command),
    /// DHCP options: which there are, and those for everybody
    #[command(subcommand)]
    Option(option::Command),
    /// The files that boot an installer
    #[command(subcommand)]
    Distro(distro::Command),
    /// How to install
    #[command(subcommand)]
    Profile(profile::Command),
    /// The texts that machines are given, and their versions
    #[command(subcommand)]
    Template(template::Command),
    /// Each change of the configuration, with a number
    #[command(subcommand)]
    Revision(revision::Command),
    /// Restore the configuration as it was at a revision, whole
    Rollback(revision::Rollback),
    /// Take over what another server knows
    #[command(subcommand)]
    Import(cobbler::Command),
    /// Activation keys, which let installed systems register
    #[command(subcommand)]
    Key(key::Command),
    /// Machines, and what is done with them
    #[command(subcommand)]
    Machine(machine::Command),
    /// What some firmware needs that others do not
    #[command(subcommand)]
    Quirk(quirk::Command),
    /// Which address which client was told, and how to free it
    #[command(subcommand)]
    Lease(lease::Command),
    /// Cards that were heard and that no record holds
    #[command(subcommand)]
    Sighting(sighting::Command),
    /// The CA by which machines know this server
    #[command(subcommand)]
    Ca(authority::Command),
    /// Print the line that puts the agent onto a system that runs already, and registers it
    Bootstrap(bootstrap::Bootstrap),
    /// Who may use the API over TCP
    #[command(subcommand)]
    Token(token::Command),
    /// What happened
    Events(events::Events),
    /// The last DHCP packets of a machine, for tcpdump, Wireshark or the eye
    Capture(capture::Capture),
    /// What would happen if a machine booted now, and which rule says so
    Why(why::Why),
    /// Boot and install machines with real packets, against a second server on a copy of the configuration
    Rehearse(rehearse::Rehearse),
    /// Watch a machine's install live, until it is registered
    Watch(watch::Watch),
}

/// Runs one command: 0 when it worked, 1 when it was refused or failed, 2 (from clap) for a bad command line.
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Unfinished>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kickstand: {}", session::complaint(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(Cli { remote, command }: Cli) -> Result<()> {
    match command {
        Command::Serve(serve) => serve::run(serve),
        Command::Init(init) => init::run(init),
        Command::Check(check) if check.what.is_none() => runtime()?.block_on(check::run(check)),
        Command::Rehearse(rehearse) => rehearse::run(rehearse, remote.output),
        Command::Quirk(quirk::Command::Check { file }) => quirk::check(&file),
        Command::Loader(command) => loader::run(command, remote.output),
        Command::Distro(distro::Command::Import(import)) => import::run(import, remote.session()?),
        command => runtime()?.block_on(ask(command, &remote.session()?)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

async fn ask(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Serve(_) | Command::Init(_) | Command::Loader(_) | Command::Rehearse(_) => Ok(()),
        Command::Check(check) => match check.what {
            Some(check::What::Answers(answers)) => check::answers::run(answers, session).await,
            None => Ok(()),
        },
        Command::Network(command) => network::run(command, session).await,
        Command::Range(command) => range::run(command, session).await,
        Command::Class(command) => class::run(command, session).await,
        Command::Reservation(command) => reservation::run(command, session).await,
        Command::Option(command) => option::run(command, session).await,
        Command::Distro(command) => distro::run(command, session).await,
        Command::Profile(command) => profile::run(command, session).await,
        Command::Template(command) => template::run(command, session).await,
        Command::Revision(command) => revision::run(command, session).await,
        Command::Rollback(rollback) => revision::rollback(rollback, session).await,
        Command::Import(command) => cobbler::run(command, session).await,
        Command::Key(command) => key::run(command, session).await,
        Command::Machine(command) => machine::run(command, session).await,
        Command::Quirk(command) => quirk::run(command, session).await,
        Command::Lease(command) => lease::run(command, session).await,
        Command::Sighting(command) => sighting::run(command, session).await,
        Command::Ca(command) => authority::run(command, session).await,
        Command::Bootstrap(bootstrap) => bootstrap::run(bootstrap, session).await,
        Command::Token(command) => token::run(command, session).await,
        Command::Events(events) => events::run(events, session).await,
        Command::Capture(capture) => capture::run(capture, session).await,
        Command::Why(why) => why::run(why, session).await,
        Command::Watch(watch) => watch::run(watch, session).await,
    }
}

impl Remote {
    fn session(self) -> Result<Session> {
        let server = match &self.server {
            Some(url) => Server::parse(url, self.ca.as_deref())?,
            None => Server::Socket(self.socket),
        };
        let token = self.token.filter(|token| !token.is_empty()).map(Secret::new);
        Ok(Session { client: Client { server, token }, output: self.output })
    }
}
