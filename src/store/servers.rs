//! The addresses of all servers that share this database: one setting, as JSON.

use super::Error;
use super::sql::{Conn, sql};
use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const NAME: &str = "servers";
/// How long a server counts that was not heard again.
pub const KNOWN_SECS: u32 = 86_400;

/// Each address, and when it was last said.
pub type Servers = BTreeMap<Ipv4Addr, Time>;

pub async fn read(db: &mut Conn) -> Result<Servers, Error> {
    let row = sql("SELECT value FROM settings WHERE name = $1").text(NAME).row(db).await?;
    row.map_or_else(|| Ok(Servers::new()), |row| row.json("value"))
}

/// What is said now, and what others said not long ago.
pub fn with(mut servers: Servers, addresses: &[Ipv4Addr], at: Time) -> Servers {
    servers.retain(|_, said| at.secs_since(*said) < KNOWN_SECS);
    servers.extend(addresses.iter().map(|ip| (*ip, at)));
    servers
}

pub async fn announce(db: &mut Conn, addresses: &[Ipv4Addr], at: Time) -> Result<(), Error> {
    let servers = with(read(db).await?, addresses, at);
    let upsert = "INSERT INTO settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sql(upsert).text(NAME).json(&servers).run(db).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_silent_for_a_day_is_forgotten() {
        let (a, b, now) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2), Time::from_secs(1_000_000));
        let servers = with(Servers::new(), &[a], now);
        assert_eq!(with(servers.clone(), &[b], now.plus_secs(60)).len(), 2);
        let later = with(servers, &[b], now.plus_secs(KNOWN_SECS));
        assert_eq!(later.into_keys().collect::<Vec<_>>(), vec![b]);
    }
}
