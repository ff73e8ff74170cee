//! Sightings: MACs without a record, in a table that is as bounded as the memory.

use super::Error;
use super::sql::{Conn, sql};
use crate::model::*;

/// How many are kept; the one that was silent longest goes first.
pub const LIMIT: usize = 4096;

pub async fn all(db: &mut Conn) -> Result<Vec<Sighting>, Error> {
    let rows = sql("SELECT * FROM sightings").rows(db).await?;
    let read = rows.iter().map(|row| {
        Ok(Sighting {
            mac: row.get("mac")?,
            network: row.get("network")?,
            arch: row.number_or_null("arch")?.map(Arch),
            vendor: row.text("vendor")?,
            uuid: row.text_or_null("uuid")?,
            first_at: Time(row.int("first_at")?),
            last_at: Time(row.int("last_at")?),
        })
    });
    read.collect()
}

pub async fn keep(db: &mut Conn, seen: &Sighting) -> Result<(), Error> {
    let upsert = "INSERT INTO sightings (mac, network, arch, vendor, uuid, first_at, last_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (mac) DO UPDATE SET network = excluded.network,
        arch = excluded.arch, vendor = excluded.vendor, uuid = excluded.uuid, last_at = excluded.last_at";
    let statement = sql(upsert).text(seen.mac).text(&seen.network).int_or_null(seen.arch.map(|a| a.0));
    let statement = statement.text(&seen.vendor).text_or_null(seen.uuid.as_ref());
    statement.int(seen.first_at.0).int(seen.last_at.0).run(db).await.map(drop)
}

/// Drops what is beyond the limit: once for each batch that brought a new one.
pub async fn trim(db: &mut Conn) -> Result<(), Error> {
    let delete = "DELETE FROM sightings WHERE mac IN
        (SELECT mac FROM sightings ORDER BY last_at DESC, mac LIMIT 1000000 OFFSET $1)";
    sql(delete).int(LIMIT as i64).run(db).await.map(drop)
}

pub async fn forget(db: &mut Conn, mac: Mac) -> Result<(), Error> {
    sql("DELETE FROM sightings WHERE mac = $1").text(mac).run(db).await.map(drop)
}
