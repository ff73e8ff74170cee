//! The real server of a bench, on SQLite in a folder of its own.

use anyhow::Result;
use kickstand::config::{Config, Dhcp, Secrets};
use kickstand::daemon::{self, Running};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// On ports that are free; what else is set is the bench's word.
pub async fn start(folder: &Path, ip: Ipv4Addr, more: Config) -> Result<Running> {
    std::fs::create_dir_all(folder.join("files"))?;
    let config = Config {
        database: format!("sqlite://{}/bench.db", folder.display()),
        files: folder.join("files"),
        templates: folder.join("etc"),
        socket: folder.join("socket"),
        dhcp: Dhcp { port: 0, address: Some(SocketAddr::from((ip, 0))), ..Config::default().dhcp },
        tftp_port: 0,
        http_port: 0,
        secrets: Secrets { key_file: Some(folder.join("secret.key")) },
        ..more
    };
    daemon::start(config).await
}
