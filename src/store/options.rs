//! The options for everybody: one setting, as JSON.

use super::sql::{Conn, sql};
use super::{Error, check_dhcp};
use crate::model::*;

const NAME: &str = "options";

pub async fn read(db: &mut Conn) -> Result<OptionSet, Error> {
    let row = sql("SELECT value FROM settings WHERE name = $1").text(NAME).row(db).await?;
    row.map_or_else(|| Ok(OptionSet::default()), |row| row.json("value"))
}

/// Lays a change over what is there: two operators who set different options lose nothing.
pub async fn change(db: &mut Conn, patch: &OptionPatch) -> Result<(), Error> {
    let mut options = read(db).await?;
    options.patch(patch.clone());
    write(db, &options).await
}

pub async fn write(db: &mut Conn, options: &OptionSet) -> Result<(), Error> {
    check_dhcp::options(options, "everybody")?;
    let upsert = "INSERT INTO settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sql(upsert).text(NAME).json(options).run(db).await.map(drop)
}
