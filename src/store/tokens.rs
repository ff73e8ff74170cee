//! The API's bearer tokens: names and hashes, never the tokens.

use super::Error;
use super::error::touched;
use super::sql::{Conn, sql};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<(Hash, (Name, Time))>, Error> {
    let rows = sql("SELECT * FROM tokens").rows(db).await?;
    rows.iter().map(|row| Ok((row.get("hash")?, (row.get("name")?, Time(row.int("at")?))))).collect()
}

pub async fn add(db: &mut Conn, name: &Name, hash: Hash, at: Time) -> Result<(), Error> {
    let insert = "INSERT INTO tokens (name, hash, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let rows = sql(insert).text(name).text(hash).int(at.0).run(db).await?;
    touched(rows, || Error::duplicate("name", name, format!("token {name}")))
}

pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let rows = sql("DELETE FROM tokens WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("token", name))
}
