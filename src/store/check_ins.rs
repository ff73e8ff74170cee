//! Check-ins: when each system was last heard. Memory knows at once, the table by and by.

use super::Error;
use super::sql::{Conn, Rows, either, sql};
use crate::model::*;

/// How many are written at a time.
pub const BATCH: usize = 4096;

pub async fn all(db: &mut Conn) -> Result<Vec<CheckIn>, Error> {
    let rows = sql("SELECT * FROM check_ins").rows(db).await?;
    let read = rows.iter().map(|row| {
        Ok(CheckIn {
            machine: row.get("machine")?,
            at: Time(row.int("at")?),
            booted_at: Time(row.int("booted_at")?),
            ip: row.get("ip")?,
        })
    });
    read.collect()
}

/// Writes them; a machine that was removed meanwhile gets no row, and an older word never replaces a newer one.
pub async fn keep(db: &mut Conn, heard: &[CheckIn]) -> Result<(), Error> {
    let upsert = either(
        "INSERT INTO check_ins (machine, at, booted_at, ip) SELECT value->>0, value->>1, value->>2, value->>3
        FROM json_each($1) WHERE value->>0 IN (SELECT id FROM machines)
        ON CONFLICT (machine) DO UPDATE SET at = excluded.at, booted_at = excluded.booted_at, ip = excluded.ip
        WHERE check_ins.at < excluded.at",
        "INSERT INTO check_ins (machine, at, booted_at, ip)
        SELECT new.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS new (machine, at, booted_at, ip)
        WHERE new.machine IN (SELECT id FROM machines)
        ON CONFLICT (machine) DO UPDATE SET at = excluded.at, booted_at = excluded.booted_at, ip = excluded.ip
        WHERE check_ins.at < excluded.at",
    );
    let all = || heard.iter();
    let rows = Rows::default().texts(all().map(|c| c.machine)).ints(all().map(|c| c.at.0));
    let rows = rows.ints(all().map(|c| c.booted_at.0)).texts(all().map(|c| c.ip));
    upsert.rows_of(rows).run(db).await.map(drop)
}
