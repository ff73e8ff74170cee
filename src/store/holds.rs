//! Holds: addresses that are given to nobody (else) until a moment.

use super::Error;
use super::sql::{Conn, Row, Rows, either, sql};
use crate::model::*;
use std::collections::HashMap;
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
    put_all(db, std::slice::from_ref(hold)).await
}

async fn put_all(db: &mut Conn, holds: &[Hold]) -> Result<(), Error> {
    let upsert = either(
        "INSERT INTO holds (network, ip, until, why, holder, times) SELECT value->>0, value->>1, value->>2, value->>3,
        value->>4, value->>5 FROM json_each($1) WHERE true
        ON CONFLICT (network, ip) DO UPDATE SET until = excluded.until, why = excluded.why,
        holder = excluded.holder, times = excluded.times",
        "INSERT INTO holds (network, ip, until, why, holder, times) SELECT * FROM unnest($1::text[], $2::text[],
        $3::bigint[], $4::text[], $5::text[], $6::bigint[])
        ON CONFLICT (network, ip) DO UPDATE SET until = excluded.until, why = excluded.why,
        holder = excluded.holder, times = excluded.times",
    );
    let all = || holds.iter();
    let rows = Rows::default().texts(all().map(|h| &h.network)).texts(all().map(|h| h.ip));
    let rows = rows.ints(all().map(|h| h.until.0)).texts(all().map(|h| h.why));
    let rows = rows.texts_or_null(all().map(|h| h.holder.as_ref())).ints(all().map(|h| h.times.into()));
    upsert.rows_of(rows).run(db).await.map(drop)
}

/// Lifts it before its time; tells whether it was there.
pub async fn lift(db: &mut Conn, network: &Name, ip: Ipv4Addr) -> Result<bool, Error> {
    let rows = sql("DELETE FROM holds WHERE network = $1 AND ip = $2").text(network).text(ip).run(db).await?;
    Ok(rows > 0)
}

/// How long a client that is about to renew may be late.
const SLACK_SECS: u32 = 60;

/// A reserved address that changes hands or is given up, and whose it was, where the record says who that can be.
pub type GivenUp = (Ipv4Addr, Option<Holder>);

/// To be called where reserved addresses change hands or are given up: whoever was ever told that it has one
/// may go on using it until its last possible lease ends, so nobody else gets it before. A reserved address is
/// renewed without writes: that there is a row says that it was told, when the row ends says little.
pub async fn moved(db: &mut Conn, given_up: Vec<GivenUp>, at: Time) -> Result<Vec<Hold>, Error> {
    if given_up.is_empty() {
        return Ok(Vec::new());
    }
    let select = either(
        "SELECT leases.network, leases.ip, leases.holder, leases.ends_at, networks.lease_secs, holds.until
        FROM networks JOIN leases ON leases.network = networks.name
        LEFT JOIN holds ON holds.network = leases.network AND holds.ip = leases.ip
        WHERE leases.ip IN (SELECT value->>0 FROM json_each($1))",
        "SELECT leases.network, leases.ip, leases.holder, leases.ends_at, networks.lease_secs, holds.until
        FROM networks JOIN leases ON leases.network = networks.name
        LEFT JOIN holds ON holds.network = leases.network AND holds.ip = leases.ip
        WHERE leases.ip IN (SELECT unnest($1::text[]))",
    );
    let rows = select.rows_of(Rows::default().texts(given_up.iter().map(|(ip, _)| ip))).rows(db).await?;
    let mut whose: HashMap<Ipv4Addr, Option<Holder>> = given_up.into_iter().collect();
    let mut holds = Vec::new();
    for row in rows {
        if let Some(holder) = whose.remove(&row.get("ip")?) {
            holds.extend(hold_of(&row, holder, at)?);
        }
    }
    put_all(db, &holds).await?;
    Ok(holds)
}

/// None where somebody else has the lease, or the hold that is there lasts as long.
fn hold_of(row: &Row, holder: Option<Holder>, at: Time) -> Result<Option<Hold>, Error> {
    let told: Holder = row.get("holder")?;
    let last = at.plus_secs(row.number("lease_secs")?).max(Time(row.int("ends_at")?));
    let until = last.plus_secs(SLACK_SECS);
    if holder.is_some_and(|holder| holder != told) || row.int_or_null("until")?.is_some_and(|held| Time(held) >= until)
    {
        return Ok(None);
    }
    let (network, ip) = (row.get("network")?, row.get("ip")?);
    Ok(Some(Hold { network, ip, until, why: HoldWhy::Moved, holder: Some(told), times: 0 }))
}
