//! Sightings: MACs without a record, in a table that is as bounded as the memory.

use super::Error;
use super::sql::{Conn, Rows, either, sql};
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

/// Writes them, and drops what is beyond the limit.
pub async fn keep(db: &mut Conn, seen: &[Sighting]) -> Result<(), Error> {
    let upsert = either(
        "INSERT INTO sightings (mac, network, arch, vendor, uuid, first_at, last_at) SELECT value->>0, value->>1,
        value->>2, value->>3, value->>4, value->>5, value->>6 FROM json_each($1) WHERE true
        ON CONFLICT (mac) DO UPDATE SET network = excluded.network,
        arch = excluded.arch, vendor = excluded.vendor, uuid = excluded.uuid, last_at = excluded.last_at",
        "INSERT INTO sightings (mac, network, arch, vendor, uuid, first_at, last_at) SELECT * FROM unnest($1::text[],
        $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
        ON CONFLICT (mac) DO UPDATE SET network = excluded.network,
        arch = excluded.arch, vendor = excluded.vendor, uuid = excluded.uuid, last_at = excluded.last_at",
    );
    let all = || seen.iter();
    let rows = Rows::default().texts(all().map(|s| s.mac)).texts(all().map(|s| &s.network));
    let rows = rows.ints_or_null(all().map(|s| s.arch.map(|arch| i64::from(arch.0)))).texts(all().map(|s| &s.vendor));
    let rows = rows.texts_or_null(all().map(|s| s.uuid.as_ref()));
    let rows = rows.ints(all().map(|s| s.first_at.0)).ints(all().map(|s| s.last_at.0));
    upsert.rows_of(rows).run(db).await?;
    let trim = "DELETE FROM sightings WHERE mac IN
        (SELECT mac FROM sightings ORDER BY last_at DESC, mac LIMIT 1000000 OFFSET $1)";
    sql(trim).int(LIMIT as i64).run(db).await.map(drop)
}

pub async fn forget(db: &mut Conn, mac: Mac) -> Result<(), Error> {
    sql("DELETE FROM sightings WHERE mac = $1").text(mac).run(db).await.map(drop)
}
