//! Templates: a row for each version, of which the last of each place counts.

use super::Error;
use super::error::touched;
use super::sql::{Conn, Row, sql};
use crate::model::*;

/// The last of each name and place, where it was not taken away.
pub async fn all(db: &mut Conn) -> Result<Vec<TemplateVersion>, Error> {
    let select = "SELECT * FROM template_versions v WHERE text IS NOT NULL AND version =
        (SELECT MAX(version) FROM template_versions w WHERE w.name = v.name AND w.whence = v.whence) ORDER BY name";
    sql(select).rows(db).await?.iter().map(read).collect()
}

/// All versions of a name, the oldest first.
pub async fn history(db: &mut Conn, name: &str) -> Result<Vec<TemplateVersion>, Error> {
    let select = "SELECT * FROM template_versions WHERE name = $1 ORDER BY version";
    sql(select).text(name).rows(db).await?.iter().map(read).collect()
}

/// The last of a name at a place, unless it was taken away.
pub async fn last(db: &mut Conn, name: &str, whence: &Whence) -> Result<Option<Text>, Error> {
    let select = "SELECT * FROM template_versions WHERE name = $1 AND whence = $2 ORDER BY version DESC LIMIT 1";
    let row = sql(select).text(name).text(whence).row(db).await?;
    let version = row.as_ref().map(read).transpose()?;
    Ok(version.filter(|version| version.text.is_some()).as_ref().map(Text::of))
}

/// Whether that is what the last one says already.
pub async fn is_last(db: &mut Conn, name: &str, whence: &Whence, said: &str) -> Result<bool, Error> {
    let Some(last) = last(db, name, whence).await? else { return Ok(false) };
    Ok(text(db, &last).await?.as_deref() == Some(said))
}

/// What a version said.
pub async fn text(db: &mut Conn, of: &Text) -> Result<Option<String>, Error> {
    let select = "SELECT * FROM template_versions WHERE name = $1 AND version = $2";
    let row = sql(select).text(&of.name).int(of.version).row(db).await?;
    row.map_or(Ok(None), |row| row.text_or_null("text"))
}

fn read(row: &Row) -> Result<TemplateVersion, Error> {
    Ok(TemplateVersion {
        name: row.text("name")?,
        version: row.int("version")?,
        text: row.text_or_null("text")?,
        at: Time(row.int("at")?),
        by: row.text("by_whom")?,
        whence: row.get("whence")?,
    })
}

/// Writes the next version of a name.
pub async fn add(
    db: &mut Conn,
    (name, text, whence): (&str, Option<&str>, &Whence),
    by: &str,
    at: Time,
) -> Result<TemplateVersion, Error> {
    let last = sql("SELECT MAX(version) AS version FROM template_versions WHERE name = $1").text(name).row(db).await?;
    let version = last.map_or(Ok(None), |row| row.int_or_null("version"))?.unwrap_or_default() + 1;
    let insert = "INSERT INTO template_versions (name, version, text, at, by_whom, whence)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let insert = sql(insert).text(name).int(version).text_or_null(text).int(at.0).text(by).text(whence);
    touched(insert.run(db).await?, || Error::Conflict)?;
    let (name, text, by) = (name.to_owned(), text.map(str::to_owned), by.to_owned());
    Ok(TemplateVersion { name, version, text, at, by, whence: whence.clone() })
}
