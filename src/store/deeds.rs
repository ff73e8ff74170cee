//! Decisions on their way to the database: those that only write leases share their statements, and so do steps of machines.

use super::leases::{self, Given};
use super::sql::Conn;
use super::{Change, Error, effects, events, keys, machines};
use crate::boot::{Effect, Step};
use crate::model::*;
use foldhash::{HashSet, HashSetExt};

/// One decision: written all or none.
pub struct Deed {
    pub effects: Vec<Effect>,
    /// What it tells, durable or not. The writer gives them their ids.
    pub events: Vec<Event>,
    /// Its lease may take over somebody else's row; only then is one looked for. A row that memory does not know
    /// is found by the unique constraint.
    pub takes_over: bool,
}

impl Deed {
    /// Whether it must reach the database; another one is memory's alone.
    pub fn lasts(&self) -> bool {
        self.effects.iter().any(effects::must_last) || self.events.iter().any(|event| event.kind.is_durable())
    }

    /// Its lease, where it writes that and no other row. A holder that is known to have another address needs its
    /// own comparison.
    pub fn lease(&self) -> Option<Given<'_>> {
        match self.effects.as_slice() {
            [Effect::Bind { lease, was }] if was.is_none_or(|was| was == lease.ip) => {
                Some(Given { lease, renews: was.is_some(), takes_over: self.takes_over })
            }
            _ => None,
        }
    }

    /// A machine's step, where that is all but the key that its answer file carries.
    fn step(&self) -> Option<(&Step, Option<&InstallKey>)> {
        match self.effects.as_slice() {
            [Effect::Step(step)] => Some((step, None)),
            [Effect::Step(step), Effect::Mint(key)] => Some((step, Some(key))),
            _ => None,
        }
    }
}

/// Writes them in their order: what is refused leaves nothing behind and does not spoil the others. The outer
/// error means that the transaction is lost.
pub async fn write(db: &mut Conn, deeds: &[&Deed], shared: bool) -> Result<Vec<Result<Vec<Change>, Error>>, Error> {
    let mut ended = Vec::with_capacity(deeds.len());
    // Nearly always they are all alike and none is refused: then a savepoint would be two statements in vain.
    // To begin again is to wait for the other nodes once more, so it is for a database of one's own.
    if !shared && alike(deeds) == deeds.len() {
        match together(db, deeds, shared).await {
            Ok(changes) => return Ok(changes.into_iter().map(Ok).collect()),
            Err(refusal) if refusal.is_a_refusal() => db.begin_again().await?,
            Err(error) => return Err(error),
        }
    }
    let mut rest = deeds;
    while !rest.is_empty() {
        let (run, later) = rest.split_at(alike(rest));
        write_run(db, run, shared, &mut ended).await?;
        rest = later;
    }
    Ok(ended)
}

/// How many at the head can share statements: leases in which no holder and no address comes twice, or steps in which no
/// machine does.
fn alike(deeds: &[&Deed]) -> usize {
    let (mut holders, mut ips, mut machines) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut fresh =
        |lease: &'_ Lease| holders.insert((lease.network.clone(), lease.holder.clone())) & ips.insert(lease.ip);
    let leases = deeds.iter().take_while(|deed| deed.lease().is_some_and(|given| fresh(given.lease))).count();
    let steps = deeds.iter().take_while(|deed| deed.step().is_some_and(|(step, _)| machines.insert(step.machine)));
    leases.max(steps.count()).max(1)
}

/// Behind savepoints. A run that is refused is written again in halves: one that can not be costs the others little.
async fn write_run(
    db: &mut Conn,
    run: &[&Deed],
    shared: bool,
    ended: &mut Vec<Result<Vec<Change>, Error>>,
) -> Result<(), Error> {
    let mut parts = vec![run];
    while let Some(part) = parts.pop() {
        db.set_savepoint().await?;
        match together(db, part, shared).await {
            Ok(changes) => {
                db.release_savepoint().await?;
                ended.extend(changes.into_iter().map(Ok));
            }
            Err(refusal) if refusal.is_a_refusal() => {
                db.undo_to_savepoint().await?;
                match part {
                    [_] => ended.push(Err(refusal)),
                    _ => {
                        let (first, second) = part.split_at(part.len() / 2);
                        parts.extend([second, first]);
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What each of them changed. Only other nodes need to be told of leases: who made one here knows it.
async fn together(db: &mut Conn, deeds: &[&Deed], shared: bool) -> Result<Vec<Vec<Change>>, Error> {
    let changes = match deeds {
        [deed] => vec![effects::write(db, &deed.effects).await?],
        [first, ..] if first.step().is_some() => step_all(db, deeds).await?,
        _ => bind_all(db, deeds, shared).await?,
    };
    let told: Vec<&Event> = deeds.iter().flat_map(|d| &d.events).filter(|event| event.kind.is_durable()).collect();
    events::add(db, &told).await?;
    Ok(changes)
}

async fn bind_all(db: &mut Conn, deeds: &[&Deed], shared: bool) -> Result<Vec<Vec<Change>>, Error> {
    let leases: Vec<Given<'_>> = deeds.iter().filter_map(|deed| deed.lease()).collect();
    leases::bind_all(db, &leases).await?;
    let change = |lease: &Lease| Change::Lease { network: lease.network.clone(), holder: lease.holder.clone() };
    Ok(leases.iter().map(|given| shared.then(|| change(given.lease)).into_iter().collect()).collect())
}

async fn step_all(db: &mut Conn, deeds: &[&Deed]) -> Result<Vec<Vec<Change>>, Error> {
    let (steps, keys): (Vec<_>, Vec<_>) = deeds.iter().filter_map(|deed| deed.step()).unzip();
    machines::step_all(db, &steps).await?;
    keys::mint_all(db, &keys.into_iter().flatten().collect::<Vec<_>>()).await?;
    Ok(steps.iter().map(|step| vec![Change::Machine(step.machine)]).collect())
}
