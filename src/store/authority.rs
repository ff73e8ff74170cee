//! What is known of the CA: settings that all servers of this database share.

use super::Error;
use super::sql::{Conn, sql};
use crate::model::*;

const NAME: &str = "ca";
/// Is there from an operator's word on until a CA is kept.
const ANY: &str = "ca_any";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownCa {
    /// The one that machines were told of: the hash of its certificate.
    pub told: Option<Hash>,
    /// Systems have registered: they may know one, whether it was written down or not.
    pub registered: bool,
    /// An operator takes whichever the next start finds or makes.
    pub any: bool,
}

pub async fn read(db: &mut Conn) -> Result<KnownCa, Error> {
    let setting = "SELECT value FROM settings WHERE name = $1";
    let told = sql(setting).text(NAME).row(db).await?.map(|row| row.get("value")).transpose()?;
    let any = sql(setting).text(ANY).row(db).await?.is_some();
    let registered = sql("SELECT id FROM machines WHERE credential IS NOT NULL LIMIT 1").row(db).await?.is_some();
    Ok(KnownCa { told, registered, any })
}

/// Who comes first says which it is.
pub async fn keep(db: &mut Conn, ca: Hash) -> Result<(), Error> {
    let insert = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    sql(insert).text(NAME).text(ca).run(db).await?;
    sql("DELETE FROM settings WHERE name = $1").text(ANY).run(db).await.map(drop)
}

/// Another than this one from now on; none: that which the next start finds or makes.
pub async fn accept(db: &mut Conn, from: Option<Hash>, ca: Option<Hash>) -> Result<(), Error> {
    let told = read(db).await?.told;
    if told != from && told != ca {
        return Err(Error::Conflict);
    }
    sql("DELETE FROM settings WHERE name = $1").text(NAME).run(db).await?;
    match ca {
        Some(ca) => keep(db, ca).await,
        None => {
            let insert = "INSERT INTO settings (name, value) VALUES ($1, 'yes') ON CONFLICT DO NOTHING";
            sql(insert).text(ANY).run(db).await.map(drop)
        }
    }
}
