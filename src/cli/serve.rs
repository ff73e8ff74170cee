//! `kickstand serve`: runs the appliance.

use crate::config::{Config, DEFAULT_PATH};
use crate::daemon;
use anyhow::{Context, Result};
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use tracing_subscriber::EnvFilter;

#[derive(Debug, Args)]
pub struct Serve {
    /// Its settings [default: /etc/kickstand/kickstand.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A network interface to serve, instead of those in the settings; may be repeated
    #[arg(long = "interface", value_name = "NAME")]
    interfaces: Vec<String>,
}

pub fn run(serve: Serve) -> Result<()> {
    let config = serve.config()?;
    log(&config)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(daemon::run(config))
}

impl Serve {
    /// The file that was named must be there; the usual one need not.
    fn config(self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None if Path::new(DEFAULT_PATH).exists() => Config::read(Path::new(DEFAULT_PATH))?,
            None => Config { own_networks: true, ..Config::default() },
        };
        if !self.interfaces.is_empty() {
            config.dhcp.interfaces = self.interfaces;
        }
        Ok(config)
    }
}

/// To stderr, where systemd and people look.
fn log(config: &Config) -> Result<()> {
    let bad = || format!("log level {:?}: write it like info, debug or info,kickstand::dhcp=debug", config.log);
    // The database driver tells of every statement that found things in order.
    let filter = EnvFilter::try_new(format!("sqlx=warn,{}", config.log)).with_context(bad)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let log = log.with_ansi(std::io::stderr().is_terminal());
    if config.log_json {
        log.json().init()
    } else {
        log.init()
    }
    Ok(())
}
