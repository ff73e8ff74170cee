//! Reservations: their rows, one for each address.

use super::error::touched;
use super::sql::{Conn, Row, Statement, sql};
use super::{Error, check_dhcp};
use crate::model::*;
use std::net::Ipv4Addr;

pub async fn all(db: &mut Conn) -> Result<Vec<Reservation>, Error> {
    sql("SELECT * FROM reservations").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, ip: Ipv4Addr) -> Result<Option<Reservation>, Error> {
    let row = sql("SELECT * FROM reservations WHERE ip = $1").text(ip).row(db).await?;
    row.as_ref().map(read).transpose()
}

/// What is kept for whoever shows such a mark, on any network.
pub async fn marked(db: &mut Conn, mark: &Mark) -> Result<Vec<Reservation>, Error> {
    let rows = sql("SELECT * FROM reservations WHERE mark = $1 ORDER BY ip").text(mark).rows(db).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Reservation, Error> {
    let (ip, network) = (row.get("ip")?, row.get("network")?);
    Ok(Reservation { ip, network, by: row.get("mark")?, description: row.text("description")? })
}

fn bind(statement: Statement, kept: &Reservation) -> Statement {
    statement.text(kept.ip).text(&kept.network).text(&kept.by).text(&kept.description)
}

pub async fn add(db: &mut Conn, kept: &Reservation) -> Result<(), Error> {
    check_dhcp::reservation(db, kept, None).await?;
    insert(db, kept).await
}

/// The row alone: who writes many checks them together.
pub async fn insert(db: &mut Conn, kept: &Reservation) -> Result<(), Error> {
    let text = "INSERT INTO reservations (ip, network, mark, description) VALUES ($1, $2, $3, $4)";
    bind(sql(text), kept).run(db).await.map(drop)
}

/// Gives what was, to tell where it lay and for whom.
pub async fn set(db: &mut Conn, was: Ipv4Addr, kept: &Reservation) -> Result<Reservation, Error> {
    let old = one(db, was).await?.ok_or_else(|| Error::missing("reservation", was))?;
    check_dhcp::reservation(db, kept, Some(was)).await?;
    let update = "UPDATE reservations SET ip = $1, network = $2, mark = $3, description = $4 WHERE ip = $5";
    let rows = bind(sql(update), kept).text(was).run(db).await?;
    touched(rows, || Error::missing("reservation", was))?;
    Ok(old)
}

pub async fn remove(db: &mut Conn, ip: Ipv4Addr) -> Result<Reservation, Error> {
    let old = one(db, ip).await?.ok_or_else(|| Error::missing("reservation", ip))?;
    sql("DELETE FROM reservations WHERE ip = $1").text(ip).run(db).await?;
    Ok(old)
}
