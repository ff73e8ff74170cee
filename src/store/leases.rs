//! Leases: what clients were told, one row for each, written before they hear of it.

use super::Error;
use super::sql::{Conn, Row, sql};
use crate::model::*;
use std::net::Ipv4Addr;

pub async fn all(db: &mut Conn) -> Result<Vec<Lease>, Error> {
    sql("SELECT * FROM leases").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, network: &Name, holder: &Holder) -> Result<Option<Lease>, Error> {
    let row = sql("SELECT * FROM leases WHERE network = $1 AND holder = $2").text(network).text(holder).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Lease, Error> {
    Ok(Lease {
        network: row.get("network")?,
        holder: row.get("holder")?,
        ip: row.get("ip")?,
        starts_at: Time(row.int("starts_at")?),
        ends_at: Time(row.int("ends_at")?),
        hostname: row.text_or_null("hostname")?,
    })
}

/// Takes the address over from whoever had it and no longer has. That somebody still has it is for the
/// unique constraint to say, which holds between nodes too. `was` is the address that this node knows the
/// holder to have: where its lease of yet another runs, somebody else was faster.
pub async fn bind(db: &mut Conn, lease: &Lease, was: Option<Ipv4Addr>) -> Result<(), Error> {
    let clear = "DELETE FROM leases WHERE network = $1 AND ip = $2 AND holder <> $3 AND ends_at <= $4";
    let clear = sql(clear).text(&lease.network).text(lease.ip).text(&lease.holder).int(lease.starts_at.0);
    clear.run(db).await?;
    let upsert =
        "INSERT INTO leases (network, holder, ip, starts_at, ends_at, hostname) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (network, holder) DO UPDATE SET ip = excluded.ip, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, hostname = excluded.hostname
        WHERE leases.ip IN (excluded.ip, $7) OR leases.ends_at <= excluded.starts_at";
    let upsert = sql(upsert).text(&lease.network).text(&lease.holder).text(lease.ip).int(lease.starts_at.0);
    let upsert = upsert.int(lease.ends_at.0).text_or_null(lease.hostname.as_ref()).text_or_null(was);
    if upsert.run(db).await? == 0 { Err(Error::Conflict) } else { Ok(()) }
}

/// Ends a lease before its time. One that is not there, or over, needs no ending.
pub async fn unbind(db: &mut Conn, network: &Name, holder: &Holder, at: Time) -> Result<(), Error> {
    let update = "UPDATE leases SET ends_at = $3 WHERE network = $1 AND holder = $2 AND ends_at > $3";
    sql(update).text(network).text(holder).int(at.0).run(db).await.map(drop)
}

/// Forgets a card on every network; tells on which it had a lease.
pub async fn forget(db: &mut Conn, mac: Mac) -> Result<Vec<Name>, Error> {
    let rows = sql("DELETE FROM leases WHERE holder = $1 RETURNING network").text(mac).rows(db).await?;
    rows.iter().map(|row| row.get("network")).collect()
}
