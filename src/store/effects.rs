//! The effects of one decision: written all or none, in a transaction that is open already.

use super::sql::Conn;
use super::{Change, Error, holds, keys, leases, machines};
use crate::boot::Effect;

/// Whether an effect must reach the database; the others are memory's alone. What is told of them is an event,
/// and what is seen is written down by and by.
pub fn must_last(effect: &Effect) -> bool {
    use Effect::*;
    !matches!(effect, Keep { .. } | LetGo { .. } | Know(_) | Tell(_) | See(_) | Hear(_))
}

pub async fn write(db: &mut Conn, effects: &[Effect]) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for effect in effects {
        changes.extend(write_one(db, effect).await?);
    }
    Ok(changes)
}

async fn write_one(db: &mut Conn, effect: &Effect) -> Result<Vec<Change>, Error> {
    Ok(match effect {
        Effect::Bind { lease, was } => {
            leases::bind(db, lease, *was).await?;
            vec![Change::Lease { network: lease.network.clone(), holder: lease.holder.clone() }]
        }
        Effect::Unbind { network, holder, at } => {
            leases::unbind(db, network, holder, *at).await?;
            vec![Change::Lease { network: network.clone(), holder: holder.clone() }]
        }
        Effect::Avoid(hold) => {
            holds::put(db, hold).await?;
            vec![Change::Hold { network: hold.network.clone(), ip: hold.ip }]
        }
        Effect::Enlist(machine) => {
            machines::enlist(db, machine).await?;
            vec![Change::Machine(machine.id)]
        }
        Effect::Step(step) => {
            machines::step(db, step).await?;
            vec![Change::Machine(step.machine)]
        }
        Effect::Still { machine, revision } => {
            machines::still(db, *machine, *revision).await?;
            Vec::new()
        }
        Effect::Mint(key) => {
            keys::mint(db, key).await?;
            Vec::new()
        }
        Effect::Inventory { machine, inventory } => {
            machines::set_inventory(db, *machine, inventory).await?;
            vec![Change::Machine(*machine)]
        }
        Effect::Register(new) => {
            if let Some(spent) = new.spends {
                keys::spend(db, spent, new.machine, new.at).await?;
            }
            keys::count(db, &new.counted, new.at).await?;
            keys::free(db, &new.freed).await?;
            machines::register(db, new).await?;
            vec![Change::Machine(new.machine), Change::Keys]
        }
        Effect::Lead(key) => {
            keys::lead(db, key).await?;
            Vec::new()
        }
        Effect::Leave { machine, credential, joined } => {
            machines::leave(db, *machine, *credential).await?;
            keys::free(db, joined).await?;
            vec![Change::Machine(*machine), Change::Keys]
        }
        Effect::Keep { .. } | Effect::LetGo { .. } | Effect::Know(_) => Vec::new(),
        Effect::See(_) | Effect::Hear(_) | Effect::Tell(_) => Vec::new(),
    })
}
