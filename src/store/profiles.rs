//! Profiles: their rows.

use super::error::touched;
use super::sql::{Conn, Row, Statement, sql};
use super::{Error, check, seals};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<Profile>, Error> {
    sql("SELECT * FROM profiles ORDER BY name").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, name: &Name) -> Result<Option<Profile>, Error> {
    let row = sql("SELECT * FROM profiles WHERE name = $1").text(name).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Profile, Error> {
    Ok(Profile {
        name: row.get("name")?,
        parent: row.get_or_null("parent")?,
        distro: row.get_or_null("distro")?,
        template: row.text_or_null("template")?,
        arguments: row.text("arguments")?,
        keys: row.get("activation_keys")?,
        variables: row.json("variables")?,
        secrets: seals::read(row)?,
        options: row.json("options")?,
        loader: row.get_or_null("loader")?,
        disk_boot: row.get_or_null("disk_boot")?,
    })
}

fn bind(statement: Statement, profile: &Profile) -> Statement {
    statement
        .text(&profile.name)
        .text_or_null(profile.parent.as_ref())
        .text_or_null(profile.distro.as_ref())
        .text_or_null(profile.template.as_ref())
        .text(&profile.arguments)
        .text(&profile.keys)
        .json(&profile.variables)
        .json(&profile.options)
        .text_or_null(profile.loader.as_ref())
        .text_or_null(profile.disk_boot)
        .text(seals::text(&profile.secrets))
}

pub async fn add(db: &mut Conn, profile: &Profile) -> Result<(), Error> {
    check::profiles(db, &[profile]).await?;
    insert(db, profile).await
}

/// The row alone: who writes many checks them together.
pub async fn insert(db: &mut Conn, profile: &Profile) -> Result<(), Error> {
    let text = "INSERT INTO profiles (name, parent, distro, template, arguments, activation_keys, variables, options,
        loader, disk_boot, secrets) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    let taken = || Error::duplicate("name", &profile.name, format!("profile {}", profile.name));
    touched(bind(sql(text), profile).run(db).await?, taken)
}

pub async fn set(db: &mut Conn, profile: &Profile) -> Result<(), Error> {
    check::profiles(db, &[profile]).await?;
    update(db, profile).await
}

pub async fn update(db: &mut Conn, profile: &Profile) -> Result<(), Error> {
    let update = "UPDATE profiles SET parent = $2, distro = $3, template = $4, arguments = $5, activation_keys = $6,
        variables = $7, options = $8, loader = $9, disk_boot = $10, secrets = $11 WHERE name = $1";
    touched(bind(sql(update), profile).run(db).await?, || Error::missing("profile", &profile.name))
}

pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let users = sql("SELECT 'profile ' || name AS holder FROM profiles WHERE parent = $1
        UNION ALL SELECT 'range ' || name FROM ranges WHERE profile = $1
        UNION ALL SELECT 'network ' || name FROM networks WHERE profile = $1
        UNION ALL SELECT 'key ' || name FROM activation_keys WHERE profile = $1
        UNION ALL SELECT 'machine ' || name FROM machines WHERE profile = $1 LIMIT 1");
    check::unused(db, "profile", name, users).await?;
    let rows = sql("DELETE FROM profiles WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("profile", name))
}
