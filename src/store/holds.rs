//! Holds: addresses that are given to nobody (else) until a moment.

use super::Error;
use super::sql::{Conn, Row, sql};
use crate::model::*;
use std::net::Ipv4Addr;

pub async fn all(db: &mut Conn) -> Result<Vec<Hold>, Error> {
    sql("SELECT * FROM holds").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, network: &Name, ip: Ipv4Addr) -> Result<Option<Hold>, Error> {
    let row = sql("SELECT * FROM holds WHERE network = $1 AND ip = $2").text(network).text(ip).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Hold, Error> {
    Ok(Hold {
        network: row.get("network")?,
        ip: row.get("ip")?,
        until: Time(row.int("until")?),
        why: row.get("why")?,
        holder: row.get_or_null("holder")?,
        times: row.number("times")?,
    })
}

/// The newest word on an address counts.
pub async fn put(db: &mut Conn, hold: &Hold) -> Result<(), Error> {
    let upsert = "INSERT INTO holds (network, ip, until, why, holder, times) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (network, ip) DO UPDATE SET until = excluded.until, why = excluded.why,
        holder = excluded.holder, times = excluded.times";
    let upsert = sql(upsert).text(&hold.network).text(hold.ip).int(hold.until.0).text(hold.why);
    upsert.text_or_null(hold.holder.as_ref()).int(hold.times).run(db).await.map(drop)
}

/// Lifts it before its time; tells whether it was there.
pub async fn lift(db: &mut Conn, network: &Name, ip: Ipv4Addr) -> Result<bool, Error> {
    let rows = sql("DELETE FROM holds WHERE network = $1 AND ip = $2").text(network).text(ip).run(db).await?;
    Ok(rows > 0)
}

/// How long a client that is about to renew may be late.
const SLACK_SECS: u32 = 60;

/// To be called where a reserved address changes hands or is given up: whoever was ever told that it has it
/// (`holder`, where the record says who that can be) may go on using it until its last possible lease ends,
/// so nobody else gets it before. A reserved address is renewed without writes: that there is a row says that
/// it was told, when the row ends says little.
pub async fn moved(db: &mut Conn, ip: Ipv4Addr, holder: Option<&Holder>, at: Time) -> Result<Option<Hold>, Error> {
    let select = "SELECT leases.network, leases.holder, leases.ends_at, networks.lease_secs
        FROM networks JOIN leases ON leases.network = networks.name WHERE leases.ip = $1";
    let rows = sql(select).text(ip).rows(db).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let told: Holder = row.get("holder")?;
    if holder.is_some_and(|holder| *holder != told) {
        return Ok(None);
    }
    let last = at.plus_secs(row.number("lease_secs")?).max(Time(row.int("ends_at")?));
    let (network, until) = (row.get("network")?, last.plus_secs(SLACK_SECS));
    if one(db, &network, ip).await?.is_some_and(|hold| hold.until >= until) {
        return Ok(None);
    }
    let hold = Hold { network, ip, until, why: HoldWhy::Moved, holder: Some(told), times: 0 };
    put(db, &hold).await?;
    Ok(Some(hold))
}
