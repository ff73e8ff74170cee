//! Address ranges that name a profile: their rows.

use super::error::touched;
use super::sql::{Conn, Row, Statement, sql};
use super::{Error, check, seals};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<Range>, Error> {
    sql("SELECT * FROM ranges ORDER BY name").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, name: &Name) -> Result<Option<Range>, Error> {
    let row = sql("SELECT * FROM ranges WHERE name = $1").text(name).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Range, Error> {
    Ok(Range {
        name: row.get("name")?,
        network: row.get("network")?,
        span: row.get("span")?,
        profile: row.get("profile")?,
        options: row.json("options")?,
        variables: row.json("variables")?,
        secrets: seals::read(row)?,
    })
}

fn bind(statement: Statement, range: &Range) -> Statement {
    let statement = statement.text(&range.name).text(&range.network).text(range.span).text(&range.profile);
    statement.json(&range.options).json(&range.variables).text(seals::text(&range.secrets))
}

pub async fn add(db: &mut Conn, range: &Range) -> Result<(), Error> {
    check::ranges(db, &[range]).await?;
    insert(db, range).await
}

/// The row alone: who writes many checks them together.
pub async fn insert(db: &mut Conn, range: &Range) -> Result<(), Error> {
    let text = "INSERT INTO ranges (name, network, span, profile, options, variables, secrets)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let taken = || Error::duplicate("name", &range.name, format!("range {}", range.name));
    touched(bind(sql(text), range).run(db).await?, taken)
}

pub async fn set(db: &mut Conn, range: &Range) -> Result<(), Error> {
    check::ranges(db, &[range]).await?;
    update(db, range).await
}

pub async fn update(db: &mut Conn, range: &Range) -> Result<(), Error> {
    let update = "UPDATE ranges SET network = $2, span = $3, profile = $4, options = $5, variables = $6,
        secrets = $7 WHERE name = $1";
    touched(bind(sql(update), range).run(db).await?, || Error::missing("range", &range.name))
}

pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let rows = sql("DELETE FROM ranges WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("range", name))
}
