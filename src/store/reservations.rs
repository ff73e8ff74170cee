//! Reservations: their rows, one for each address.

use super::error::touched;
use super::sql::{Conn, Row, Rows, Statement, either, sql};
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

/// What lies at such addresses, or is kept for such marks.
pub async fn like(
    db: &mut Conn,
    ips: &[Ipv4Addr],
    marks: impl Iterator<Item = &Mark>,
) -> Result<Vec<Reservation>, Error> {
    let select = either(
        "SELECT * FROM reservations WHERE ip IN (SELECT value->>0 FROM json_each($1))
        OR mark IN (SELECT value->>1 FROM json_each($1)) ORDER BY ip",
        "SELECT * FROM reservations WHERE ip IN (SELECT unnest($1::text[])) OR mark IN (SELECT unnest($2::text[]))
        ORDER BY ip",
    );
    let rows = select.rows_of(Rows::default().texts(ips.iter()).texts(marks)).rows(db).await?;
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
    check_dhcp::reservations(db, &[(kept, None)]).await?;
    insert(db, kept).await
}

async fn insert(db: &mut Conn, kept: &Reservation) -> Result<(), Error> {
    insert_all(db, &[kept]).await
}

/// The rows alone: who writes many checks them together.
pub async fn insert_all(db: &mut Conn, list: &[&Reservation]) -> Result<(), Error> {
    let insert = either(
        "INSERT INTO reservations (ip, network, mark, description)
        SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each($1)",
        "INSERT INTO reservations (ip, network, mark, description)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])",
    );
    let all = || list.iter();
    let rows = Rows::default().texts(all().map(|kept| kept.ip)).texts(all().map(|kept| &kept.network));
    let rows = rows.texts(all().map(|kept| &kept.by)).texts(all().map(|kept| &kept.description));
    insert.rows_of(rows).run(db).await.map(drop)
}

pub async fn remove_all(db: &mut Conn, ips: &[Ipv4Addr]) -> Result<(), Error> {
    let delete = either(
        "DELETE FROM reservations WHERE ip IN (SELECT value->>0 FROM json_each($1))",
        "DELETE FROM reservations WHERE ip IN (SELECT unnest($1::text[]))",
    );
    delete.rows_of(Rows::default().texts(ips.iter())).run(db).await.map(drop)
}

/// Gives what was, to tell where it lay and for whom.
pub async fn set(db: &mut Conn, was: Ipv4Addr, kept: &Reservation) -> Result<Reservation, Error> {
    let old = one(db, was).await?.ok_or_else(|| Error::missing("reservation", was))?;
    check_dhcp::reservations(db, &[(kept, Some(was))]).await?;
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
