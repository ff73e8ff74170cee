//! Leases: what clients were told, one row for each, written before they hear of it.

use super::Error;
use super::sql::{Conn, Row, Rows, Statement, either, sql};
use crate::model::*;
use std::net::Ipv4Addr;

/// Each as it comes.
pub async fn each(db: &mut Conn, mut take: impl FnMut(Lease)) -> Result<(), Error> {
    sql("SELECT * FROM leases").each(db, |row| read(row).map(&mut take)).await
}

/// What these have there.
pub async fn some(db: &mut Conn, network: &Name, holders: &[Holder]) -> Result<Vec<Lease>, Error> {
    let select = either(
        "SELECT * FROM leases WHERE network = $1 AND holder IN (SELECT value->>0 FROM json_each($2))",
        "SELECT * FROM leases WHERE network = $1 AND holder = ANY($2)",
    );
    let rows = Rows::default().texts(holders.iter());
    select.text(network).rows_of(rows).rows(db).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Lease, Error> {
    Ok(Lease {
        network: row.get("network")?,
        holder: row.get("holder")?,
        ip: row.get("ip")?,
        starts_at: Time(row.int("starts_at")?),
        ends_at: Time(row.int("ends_at")?),
        hostname: row.text_or_null("hostname")?,
    })
}

/// Takes the address over from whoever had it and no longer has. That somebody still has it is for the
/// unique constraint to say, which holds between nodes too. `was` is the address that this node knows the
/// holder to have: where its lease of yet another runs, somebody else was faster. What another node
/// promised later stays.
pub async fn bind(db: &mut Conn, lease: &Lease, was: Option<Ipv4Addr>) -> Result<(), Error> {
    let clear = "DELETE FROM leases WHERE network = $1 AND ip = $2 AND holder <> $3 AND ends_at <= $4";
    let clear = sql(clear).text(&lease.network).text(lease.ip).text(&lease.holder).int(lease.starts_at.0);
    clear.run(db).await?;
    let upsert =
        "INSERT INTO leases (network, holder, ip, starts_at, ends_at, hostname) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (network, holder) DO UPDATE SET ip = excluded.ip,
        starts_at = CASE WHEN leases.ip = excluded.ip AND leases.starts_at > excluded.starts_at THEN leases.starts_at
        ELSE excluded.starts_at END, ends_at = CASE WHEN leases.ip = excluded.ip AND leases.starts_at > excluded.starts_at THEN leases.ends_at
        ELSE excluded.ends_at END, hostname = excluded.hostname
        WHERE leases.ip IN (excluded.ip, $7) OR leases.ends_at <= excluded.starts_at";
    let upsert = sql(upsert).text(&lease.network).text(&lease.holder).text(lease.ip).int(lease.starts_at.0);
    let upsert = upsert.int(lease.ends_at.0).text_or_null(lease.hostname.as_ref()).text_or_null(was);
    if upsert.run(db).await? == 0 { Err(Error::Conflict) } else { Ok(()) }
}

/// How the rows of a group reach their statement, in the words of each database.
macro_rules! each_of_sqlite {
    ($then:literal) => {
        concat!(
            "INSERT INTO leases (network, holder, ip, starts_at, ends_at, hostname)
            SELECT $1, value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each($2) WHERE true
            ON CONFLICT (network, holder) DO UPDATE SET starts_at = CASE
            WHEN leases.ip = excluded.ip AND leases.starts_at > excluded.starts_at THEN leases.starts_at
            ELSE excluded.starts_at END, ends_at = CASE
            WHEN leases.ip = excluded.ip AND leases.starts_at > excluded.starts_at THEN leases.ends_at
            ELSE excluded.ends_at END, hostname = excluded.hostname",
            $then
        )
    };
}
macro_rules! each_of_postgres {
    ($then:literal) => {
        concat!(
            "INSERT INTO leases (network, holder, ip, starts_at, ends_at, hostname)
            SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
            ON CONFLICT (network, holder) DO UPDATE SET starts_at = CASE
            WHEN leases.ip = excluded.ip AND leases.starts_at > excluded.starts_at THEN leases.starts_at
            ELSE excluded.starts_at END, ends_at = CASE
            WHEN leases.ip = excluded.ip AND leases.starts_at > excluded.starts_at THEN leases.ends_at
            ELSE excluded.ends_at END, hostname = excluded.hostname",
            $then
        )
    };
}

/// A lease on its way to its row.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub lease: &'a Lease,
    /// Its holder is known to have the address already.
    pub renews: bool,
    /// Somebody else may have a row with the address.
    pub takes_over: bool,
}

/// What `bind` does for each, in a few statements for all: no holder and no address may come twice. A holder is
/// known to have either this address or none; who renews touches no index. Refused as a whole where one of
/// them would be, or might be: then they are for `bind`.
pub async fn bind_all(db: &mut Conn, leases: &[Given<'_>]) -> Result<(), Error> {
    let mut networks: Vec<&Name> = leases.iter().map(|given| &given.lease.network).collect();
    networks.sort();
    networks.dedup();
    for network in networks {
        let here = || leases.iter().filter(|given| given.lease.network == *network);
        let renew = either(
            each_of_sqlite!(" WHERE leases.ip = excluded.ip"),
            each_of_postgres!(" WHERE leases.ip = excluded.ip"),
        );
        upsert(db, renew, network, here().filter(|given| given.renews).map(|given| given.lease).collect()).await?;
        let new = || here().filter(|given| !given.renews);
        clear(db, network, &new().filter(|given| given.takes_over).map(|given| given.lease).collect::<Vec<_>>())
            .await?;
        let give = either(
            each_of_sqlite!(", ip = excluded.ip WHERE leases.ip = excluded.ip OR leases.ends_at <= excluded.starts_at"),
            each_of_postgres!(
                ", ip = excluded.ip WHERE leases.ip = excluded.ip OR leases.ends_at <= excluded.starts_at"
            ),
        );
        upsert(db, give, network, new().map(|given| given.lease).collect()).await?;
    }
    Ok(())
}

async fn upsert(db: &mut Conn, statement: Statement, network: &Name, leases: Vec<&Lease>) -> Result<(), Error> {
    if leases.is_empty() {
        return Ok(());
    }
    let rows = Rows::default().texts(leases.iter().map(|l| &l.holder)).texts(leases.iter().map(|l| Dotted(l.ip)));
    let rows = rows.ints(leases.iter().map(|l| l.starts_at.0)).ints(leases.iter().map(|l| l.ends_at.0));
    let rows = rows.texts_or_null(leases.iter().map(|l| l.hostname.as_ref()));
    let touched = statement.text(network).rows_of(rows).run(db).await?;
    if touched == leases.len() as u64 { Ok(()) } else { Err(Error::Conflict) }
}

/// Takes the addresses from those whose leases of them are over.
async fn clear(db: &mut Conn, network: &Name, leases: &[&Lease]) -> Result<(), Error> {
    let Some(now) = leases.iter().map(|lease| lease.starts_at.0).min() else { return Ok(()) };
    let delete = either(
        "DELETE FROM leases WHERE network = $1 AND ends_at <= $2 AND ip IN (SELECT value->>0 FROM json_each($3))",
        "DELETE FROM leases WHERE network = $1 AND ends_at <= $2 AND ip = ANY($3)",
    );
    let rows = Rows::default().texts(leases.iter().map(|lease| Dotted(lease.ip)));
    delete.text(network).int(now).rows_of(rows).run(db).await.map(drop)
}

/// Ends a lease before its time. One that is not there, or over, needs no ending; one that another node gave after
/// that moment is another lease, whichever is written first.
pub async fn unbind(db: &mut Conn, network: &Name, holder: &Holder, at: Time) -> Result<(), Error> {
    let update =
        "UPDATE leases SET ends_at = $3 WHERE network = $1 AND holder = $2 AND ends_at > $3 AND starts_at <= $3";
    sql(update).text(network).text(holder).int(at.0).run(db).await.map(drop)
}

/// Ends what runs of the lease on an address; tells who has that lease, ended or not, and whether it ran.
pub async fn release(db: &mut Conn, network: &Name, ip: Ipv4Addr, at: Time) -> Result<Option<(Holder, bool)>, Error> {
    let select = sql("SELECT holder FROM leases WHERE network = $1 AND ip = $2").text(network).text(ip);
    let Some(row) = select.row(db).await? else { return Ok(None) };
    let update = sql("UPDATE leases SET ends_at = $3 WHERE network = $1 AND ip = $2 AND ends_at > $3");
    let ran = update.text(network).text(ip).int(at.0).run(db).await? > 0;
    Ok(Some((row.get("holder")?, ran)))
}

/// Forgets a card on every network; tells on which it had a lease.
pub async fn forget(db: &mut Conn, mac: Mac) -> Result<Vec<Name>, Error> {
    let delete = "DELETE FROM leases WHERE network IN (SELECT name FROM networks) AND holder = $1 RETURNING network";
    let rows = sql(delete).text(mac).rows(db).await?;
    rows.iter().map(|row| row.get("network")).collect()
}
