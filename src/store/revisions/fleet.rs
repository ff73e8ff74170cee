//! The machines of a rollback: thousands of them in a few statements, since everybody waits meanwhile.

use super::super::machines::{holder, insert_all, insert_all_interfaces, with_cards, write_all};
use super::super::sql::{Conn, Row, Rows, either};
use super::super::{Error, tombstones};
use super::plan::Given;
use crate::model::*;
use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;

fn ids(ids: &[MachineId]) -> Rows {
    Rows::default().texts(ids.iter())
}

/// Of these, who is more than a record: somebody installed it, or is about to.
pub async fn lived(db: &mut Conn, of: &[MachineId]) -> Result<HashSet<MachineId>, Error> {
    let select = either(
        "SELECT id FROM machines WHERE id IN (SELECT value->>0 FROM json_each($1))
        AND (state NOT IN ('ready', 'discovered') OR credential IS NOT NULL OR inventory IS NOT NULL OR joined <> '')",
        "SELECT id FROM machines WHERE id IN (SELECT unnest($1::text[]))
        AND (state NOT IN ('ready', 'discovered') OR credential IS NOT NULL OR inventory IS NOT NULL OR joined <> '')",
    );
    let rows = select.rows_of(ids(of)).rows(db).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// What these machines belong to, and the profiles that they have.
pub async fn given(db: &mut Conn, of: impl Iterator<Item = MachineId>) -> Result<BTreeMap<MachineId, Given>, Error> {
    let select = either(
        "SELECT id, member_of, profile FROM machines WHERE id IN (SELECT value->>0 FROM json_each($1))",
        "SELECT id, member_of, profile FROM machines WHERE id IN (SELECT unnest($1::text[]))",
    );
    let rows = select.rows_of(ids(&of.collect::<Vec<_>>())).rows(db).await?;
    let read =
        |row: &Row| Ok((row.get("id")?, Given { groups: row.get("member_of")?, profile: row.get_or_null("profile")? }));
    rows.iter().map(read).collect()
}

/// Takes the names, cards and references of machines away for a moment: others may be about to get them.
pub async fn lay_open(db: &mut Conn, of: &[MachineId]) -> Result<(), Error> {
    let update = either(
        "UPDATE machines SET name = id, profile = NULL, activation_keys = ''
        WHERE id IN (SELECT value->>0 FROM json_each($1))",
        "UPDATE machines SET name = id, profile = NULL, activation_keys = '' WHERE id IN (SELECT unnest($1::text[]))",
    );
    update.rows_of(ids(of)).run(db).await?;
    let delete = either(
        "DELETE FROM interfaces WHERE machine IN (SELECT value->>0 FROM json_each($1))",
        "DELETE FROM interfaces WHERE machine IN (SELECT unnest($1::text[]))",
    );
    delete.rows_of(ids(of)).run(db).await.map(drop)
}

pub async fn remove(db: &mut Conn, of: &[MachineId]) -> Result<(), Error> {
    let delete = either(
        "DELETE FROM machines WHERE id IN (SELECT value->>0 FROM json_each($1))",
        "DELETE FROM machines WHERE id IN (SELECT unnest($1::text[]))",
    );
    delete.rows_of(ids(of)).run(db).await.map(drop)
}

/// What becomes of the machines that are in the configuration again.
#[derive(Default)]
pub struct Fleet {
    pub added: Vec<Machine>,
    pub changed: Vec<Machine>,
    /// Which of these were laid open.
    pub open: HashSet<MachineId>,
}

impl Fleet {
    /// Writes them; tells whose tombstones that lifted.
    pub async fn put(self, db: &mut Conn) -> Result<Vec<Mac>, Error> {
        let opened: Vec<Machine> = self.changed.iter().filter(|m| self.open.contains(&m.id)).cloned().collect();
        are_free(db, &self.added, &opened).await?;
        let lifted = lift(db, self.added.iter().chain(&opened)).await?;
        if write_all(db, &self.changed).await? != self.changed.len() as u64 {
            return Err(Error::Conflict);
        }
        insert_all(db, &self.added).await?;
        insert_all_interfaces(db, &opened).await?;
        Ok(lifted)
    }
}

/// Nobody else came to their names, cards or addresses: who announces itself is in no history.
async fn are_free(db: &mut Conn, added: &[Machine], opened: &[Machine]) -> Result<(), Error> {
    let all = || added.iter().chain(opened);
    let select = either(
        "SELECT name FROM machines WHERE name IN (SELECT value->>0 FROM json_each($1))",
        "SELECT name FROM machines WHERE name IN (SELECT unnest($1::text[]))",
    );
    if let Some(row) = select.rows_of(Rows::default().texts(all().map(|m| &m.name))).row(db).await? {
        let name = row.text("name")?;
        return Err(Error::duplicate("name", &name, format!("machine {name}")));
    }
    let cards = || all().flat_map(|machine| &machine.interfaces);
    let (macs, ips): (Vec<Mac>, Vec<Ipv4Addr>) =
        (cards().map(|c| c.mac).collect(), cards().filter_map(|c| c.ip).collect());
    let taken = with_cards(db, &macs, &ips).await?;
    let Some((_, other)) = taken.first() else { return Ok(()) };
    let same = |card: &&Interface| card.mac == other.mac || (card.ip.is_some() && card.ip == other.ip);
    match cards().find(same) {
        Some(card) => Err(holder(db, card).await?),
        None => Err(Error::Conflict),
    }
}

/// A replaced card gets no role again, unless it comes back to the machine that it was replaced in.
async fn lift(db: &mut Conn, of: impl Iterator<Item = &Machine>) -> Result<Vec<Mac>, Error> {
    let of: BTreeMap<Mac, MachineId> = of.flat_map(|m| m.interfaces.iter().map(|card| (card.mac, m.id))).collect();
    let retired = tombstones::some(db, of.keys()).await?;
    if let Some(other) = retired.iter().find(|retired| of.get(&retired.mac) != Some(&retired.machine)) {
        return Err(tombstones::refusal(other));
    }
    for card in &retired {
        tombstones::lift(db, card.mac).await?;
    }
    Ok(retired.into_iter().map(|card| card.mac).collect())
}
