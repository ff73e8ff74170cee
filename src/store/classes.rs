//! Classes: their rows.

use super::error::touched;
use super::sql::{Conn, Row, Statement, sql};
use super::{Error, check_dhcp};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<Class>, Error> {
    sql("SELECT * FROM classes ORDER BY name").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, name: &Name) -> Result<Option<Class>, Error> {
    let row = sql("SELECT * FROM classes WHERE name = $1").text(name).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Class, Error> {
    let (name, network) = (row.get("name")?, row.get_or_null("network")?);
    Ok(Class { name, network, matches: row.json("matches")?, options: row.json("options")? })
}

fn bind(statement: Statement, class: &Class) -> Statement {
    let statement = statement.text(&class.name).text_or_null(class.network.as_ref());
    statement.json(&class.matches).json(&class.options)
}

pub async fn add(db: &mut Conn, class: &Class) -> Result<(), Error> {
    check_dhcp::class(db, class).await?;
    insert(db, class).await
}

/// The row alone: who writes many checks them together.
pub async fn insert(db: &mut Conn, class: &Class) -> Result<(), Error> {
    let text = "INSERT INTO classes (name, network, matches, options) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let taken = || Error::duplicate("name", &class.name, format!("class {}", class.name));
    touched(bind(sql(text), class).run(db).await?, taken)
}

pub async fn set(db: &mut Conn, class: &Class) -> Result<(), Error> {
    check_dhcp::class(db, class).await?;
    update(db, class).await
}

pub async fn update(db: &mut Conn, class: &Class) -> Result<(), Error> {
    let update = "UPDATE classes SET network = $2, matches = $3, options = $4 WHERE name = $1";
    touched(bind(sql(update), class).run(db).await?, || Error::missing("class", &class.name))
}

pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let rows = sql("DELETE FROM classes WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("class", name))
}
