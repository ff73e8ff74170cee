//! Distros: their rows.

use super::error::touched;
use super::sql::{Conn, Row, Statement, sql};
use super::{Error, check, seals};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<Distro>, Error> {
    sql("SELECT * FROM distros ORDER BY name").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, name: &Name) -> Result<Option<Distro>, Error> {
    let row = sql("SELECT * FROM distros WHERE name = $1").text(name).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Distro, Error> {
    Ok(Distro {
        name: row.get("name")?,
        family: row.get("family")?,
        kernel: row.text("kernel")?,
        initrd: row.text("initrd")?,
        arguments: row.text("arguments")?,
        variables: row.json("variables")?,
        secrets: seals::read(row)?,
        loader: row.get_or_null("loader")?,
    })
}

fn bind(statement: Statement, distro: &Distro) -> Statement {
    let statement = statement.text(&distro.name).text(distro.family).text(&distro.kernel).text(&distro.initrd);
    let statement = statement.text(&distro.arguments).json(&distro.variables).text_or_null(distro.loader.as_ref());
    statement.text(seals::text(&distro.secrets))
}

pub async fn add(db: &mut Conn, distro: &Distro) -> Result<(), Error> {
    let insert = "INSERT INTO distros (name, family, kernel, initrd, arguments, variables, loader, secrets)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let taken = || Error::duplicate("name", &distro.name, format!("distro {}", distro.name));
    touched(bind(sql(insert), distro).run(db).await?, taken)
}

pub async fn set(db: &mut Conn, distro: &Distro) -> Result<(), Error> {
    let update = "UPDATE distros SET family = $2, kernel = $3, initrd = $4, arguments = $5, variables = $6,
        loader = $7, secrets = $8 WHERE name = $1";
    touched(bind(sql(update), distro).run(db).await?, || Error::missing("distro", &distro.name))
}

pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let users = sql("SELECT 'profile ' || name AS holder FROM profiles WHERE distro = $1 ORDER BY name LIMIT 1");
    check::unused(db, "distro", name, users).await?;
    let rows = sql("DELETE FROM distros WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("distro", name))
}
