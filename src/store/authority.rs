//! Which CA machines were told of: its fingerprint, one setting that all servers of this database share.

use super::Error;
use super::sql::{Conn, sql};
use crate::model::*;

const NAME: &str = "ca";

pub async fn read(db: &mut Conn) -> Result<Option<Hash>, Error> {
    let row = sql("SELECT value FROM settings WHERE name = $1").text(NAME).row(db).await?;
    row.map(|row| row.get("value")).transpose()
}

/// Who comes first says which it is.
pub async fn keep(db: &mut Conn, ca: Hash) -> Result<(), Error> {
    let insert = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    sql(insert).text(NAME).text(ca).run(db).await.map(drop)
}

/// Another from now on; none: that which the next start finds or makes.
pub async fn accept(db: &mut Conn, ca: Option<Hash>) -> Result<(), Error> {
    sql("DELETE FROM settings WHERE name = $1").text(NAME).run(db).await?;
    if let Some(ca) = ca { keep(db, ca).await } else { Ok(()) }
}
