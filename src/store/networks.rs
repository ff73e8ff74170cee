//! Networks: their rows.

use super::error::touched;
use super::sql::{Conn, Row, Statement, sql};
use super::{Error, check, seals};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<Network>, Error> {
    sql("SELECT * FROM networks ORDER BY name").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, name: &Name) -> Result<Option<Network>, Error> {
    let row = sql("SELECT * FROM networks WHERE name = $1").text(name).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Network, Error> {
    Ok(Network {
        name: row.get("name")?,
        cidr: row.get("cidr")?,
        gateway: row.get_or_null("gateway")?,
        dns: row.json("dns")?,
        domain: row.get_or_null("domain")?,
        pools: row.json("pools")?,
        lease_secs: row.number("lease_secs")?,
        profile: row.get_or_null("profile")?,
        unknown: row.get("unknown_gets")?,
        dhcp: row.json("dhcp")?,
        variables: row.json("variables")?,
        secrets: seals::read(row)?,
    })
}

fn bind(statement: Statement, network: &Network) -> Statement {
    statement
        .text(&network.name)
        .text(network.cidr)
        .text_or_null(network.gateway)
        .json(&network.dns)
        .text_or_null(network.domain.as_ref())
        .json(&network.pools)
        .int(network.lease_secs)
        .text_or_null(network.profile.as_ref())
        .text(network.unknown)
        .json(&network.dhcp)
        .json(&network.variables)
        .text(seals::text(&network.secrets))
}

pub async fn add(db: &mut Conn, network: &Network) -> Result<(), Error> {
    check::networks(db, &[network]).await?;
    insert(db, network).await
}

/// The row alone: who writes many checks them together.
pub async fn insert(db: &mut Conn, network: &Network) -> Result<(), Error> {
    let text = "INSERT INTO networks (name, cidr, gateway, dns, domain, pools, lease_secs, profile, unknown_gets, dhcp,
        variables, secrets) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
    let name = &network.name;
    let taken = || Error::duplicate("name", name, format!("network {name}"));
    touched(bind(sql(text), network).run(db).await?, taken)
}

pub async fn set(db: &mut Conn, network: &Network) -> Result<(), Error> {
    check::networks(db, &[network]).await?;
    update(db, network).await?;
    check::residents(db, &[network]).await
}

pub async fn update(db: &mut Conn, network: &Network) -> Result<(), Error> {
    let update = "UPDATE networks SET cidr = $2, gateway = $3, dns = $4, domain = $5, pools = $6, lease_secs = $7,
        profile = $8, unknown_gets = $9, dhcp = $10, variables = $11, secrets = $12 WHERE name = $1";
    touched(bind(sql(update), network).run(db).await?, || Error::missing("network", &network.name))
}

/// Its leases go with it.
pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    check::nothing_lives_on(db, name).await?;
    let rows = sql("DELETE FROM networks WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("network", name))
}
