//! Tombstones: MACs of metal that was replaced.

use super::Error;
use super::sql::{Conn, Row, Rows, either, sql};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<Tombstone>, Error> {
    sql("SELECT * FROM tombstones").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, mac: Mac) -> Result<Option<Tombstone>, Error> {
    let row = sql("SELECT * FROM tombstones WHERE mac = $1").text(mac).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Tombstone, Error> {
    let (mac, machine) = (row.get("mac")?, row.get("machine")?);
    Ok(Tombstone { mac, machine, replaced_by: row.get("replaced_by")?, at: Time(row.int("at")?) })
}

pub async fn set(db: &mut Conn, tombstone: &Tombstone) -> Result<(), Error> {
    let upsert = "INSERT INTO tombstones (mac, machine, replaced_by, at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (mac) DO UPDATE SET machine = excluded.machine, replaced_by = excluded.replaced_by, at = excluded.at";
    let statement = sql(upsert).text(tombstone.mac).text(tombstone.machine).text(tombstone.replaced_by);
    statement.int(tombstone.at.0).run(db).await.map(drop)
}

pub async fn some(db: &mut Conn, macs: impl Iterator<Item = &Mac>) -> Result<Vec<Tombstone>, Error> {
    let select = either(
        "SELECT * FROM tombstones WHERE mac IN (SELECT value->>0 FROM json_each($1))",
        "SELECT * FROM tombstones WHERE mac IN (SELECT unnest($1::text[]))",
    );
    select.rows_of(Rows::default().texts(macs)).rows(db).await?.iter().map(read).collect()
}

/// Why a retired card gets into no other machine.
pub fn refusal(Tombstone { mac, replaced_by, at, .. }: &Tombstone) -> Error {
    Error::contradiction(format!(
        "{mac} was replaced by {replaced_by} at {at} and gets no role again: if it was mended and is meant, `kickstand machine forget {mac}` first"
    ))
}

/// An operator named this card again, so it is not retired any more; tells whether it was.
pub async fn lift(db: &mut Conn, mac: Mac) -> Result<bool, Error> {
    Ok(sql("DELETE FROM tombstones WHERE mac = $1").text(mac).run(db).await? > 0)
}
