//! Reading the World: all of it as of one moment, or only what another node says has changed.

use super::sql::{Conn, sql};
use super::{
    Change, Error, World, check_ins, classes, distros, holds, keys, leases, machines, networks, options, profiles,
    ranges,
};
use super::{migrations, reservations, revisions, servers, sightings, templates, tokens, tombstones};
use crate::model::*;
use std::collections::BTreeMap;

/// Makes the tables that are missing.
pub async fn migrate(db: &mut Conn) -> Result<(), Error> {
    db.migrate(&migrations()).await
}

/// Whether its tables are those of this program: who only looks makes no others.
pub async fn same_schema(db: &mut Conn) -> Result<(), Error> {
    let newest = sql("SELECT MAX(version) AS version FROM _sqlx_migrations").row(db).await?;
    let version = newest.map_or(Ok(None), |row| row.int_or_null("version"))?.unwrap_or(0);
    let own = super::MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or(0);
    if version == own { Ok(()) } else { Err(db.other_schema(version, own)) }
}

/// What is read as a whole, however little of it changed.
const LISTS: &[Change] = &[
    Change::Networks,
    Change::Ranges,
    Change::Distros,
    Change::Profiles,
    Change::Keys,
    Change::Tokens,
    Change::Classes,
    Change::Reservations,
    Change::Options,
    Change::Servers,
    Change::Templates,
    Change::CheckIns,
];

pub async fn world(db: &mut Conn) -> Result<World, Error> {
    db.begin_snapshot().await?;
    let mut world = World::default();
    for change in LISTS {
        read_one(db, change).await?(&mut world);
    }
    machines::each(db, |machine| world.put_machine(machine)).await?;
    leases::each(db, |lease| world.put_lease(lease)).await?;
    holds::all(db).await?.into_iter().for_each(|hold| world.put_hold(hold));
    tombstones::all(db).await?.into_iter().for_each(|tombstone| world.put_tombstone(tombstone));
    sightings::all(db).await?.into_iter().for_each(|seen| world.put_sighting(seen.clone(), Some(seen.last_at)));
    // By now it is known which records are there.
    world.put_revision(revisions::newest(db).await?, []);
    world.put_oldest_revision(revisions::oldest(db).await?);
    revisions::last_changes(db, |key, number| world.put_revision(number, [key])).await?;
    db.commit().await?;
    Ok(world)
}

/// What brings the World up to date with one change: read first, applied later, when the lock is held.
pub type Update = Box<dyn FnOnce(&mut World) + Send>;

/// What others changed; leases come in hundreds, and are read so.
pub async fn read_again(db: &mut Conn, changes: &[Change]) -> Result<Vec<Update>, Error> {
    let (mut updates, mut leases): (Vec<Update>, BTreeMap<&Name, Vec<Holder>>) = Default::default();
    for change in changes {
        match change {
            Change::Lease { network, holder } => leases.entry(network).or_default().push(holder.clone()),
            change => updates.push(read_one(db, change).await?),
        }
    }
    for (network, holders) in leases {
        let found = leases::some(db, network, &holders).await?;
        let network = network.clone();
        updates.push(Box::new(move |world| {
            holders.iter().for_each(|holder| world.drop_lease(&network, holder));
            found.into_iter().for_each(|lease| world.put_lease(lease));
        }));
    }
    Ok(updates)
}

async fn read_one(db: &mut Conn, change: &Change) -> Result<Update, Error> {
    Ok(match change.clone() {
        Change::Networks => {
            let networks = networks::all(db).await?;
            Box::new(move |world| world.put_networks(networks))
        }
        Change::Ranges => {
            let ranges = ranges::all(db).await?;
            Box::new(move |world| world.ranges = ranges)
        }
        Change::Distros => {
            let distros = by_name(distros::all(db).await?, |distro| &distro.name);
            Box::new(move |world| world.distros = distros)
        }
        Change::Profiles => {
            let profiles = by_name(profiles::all(db).await?, |profile| &profile.name);
            Box::new(move |world| world.profiles = profiles)
        }
        Change::Keys => {
            let keys = by_name(keys::all(db).await?, |key| &key.name);
            Box::new(move |world| world.keys = keys)
        }
        Change::Tokens => {
            let tokens = tokens::all(db).await?;
            Box::new(move |world| world.tokens = tokens.into_iter().collect())
        }
        Change::Classes => {
            let classes = by_name(classes::all(db).await?, |class| &class.name);
            Box::new(move |world| world.classes = classes)
        }
        Change::Reservations => {
            let reservations = reservations::all(db).await?;
            Box::new(move |world| world.put_reservations(reservations))
        }
        Change::Servers => {
            let servers = servers::read(db).await?;
            Box::new(move |world| world.servers = servers)
        }
        Change::Templates => {
            let templates = templates::all(db).await?;
            Box::new(move |world| world.put_templates(templates))
        }
        Change::CheckIns => {
            let all = check_ins::all(db).await?;
            Box::new(move |world| all.into_iter().for_each(|check_in| world.put_check_in(check_in, true)))
        }
        Change::Options => {
            let options = options::read(db).await?;
            Box::new(move |world| world.options = options)
        }
        Change::Revision(number) => {
            let records = revisions::records(db, number).await?;
            Box::new(move |world| world.put_revision(number, records))
        }
        Change::Machine(id) => {
            let machine = machines::one(db, id).await?;
            Box::new(move |world| match machine {
                Some(machine) => world.put_machine(machine),
                None => drop(world.drop_machine(id)),
            })
        }
        Change::Tombstone(mac) => {
            let tombstone = tombstones::one(db, mac).await?;
            Box::new(move |world| match tombstone {
                Some(tombstone) => world.put_tombstone(tombstone),
                None => world.lift_tombstone(mac),
            })
        }
        Change::Hold { network, ip } => {
            let hold = holds::one(db, &network, ip).await?;
            Box::new(move |world| match hold {
                Some(hold) => world.put_hold(hold),
                None => world.lift_hold(ip),
            })
        }
        Change::Everything => {
            let all = Box::pin(world(db)).await?;
            Box::new(move |world| world.renew(all))
        }
        Change::Lease { .. } => unreachable!("read_again reads leases together"),
    })
}

fn by_name<T>(all: Vec<T>, name: impl Fn(&T) -> &Name) -> BTreeMap<Name, T> {
    all.into_iter().map(|noun| (name(&noun).clone(), noun)).collect()
}

/// More than most transactions write: where it has room for this, it has room for them.
const PROBE_BYTES: usize = 64 << 10;

/// Whether it takes what is written, down to the disk.
pub async fn probe(db: &mut Conn) -> Result<(), Error> {
    let upsert = "INSERT INTO settings (name, value) VALUES ('probe', $1)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let mut noise = vec![0; PROBE_BYTES / 2];
    getrandom::fill(&mut noise).expect("the kernel has randomness once it runs services");
    db.make_room().await?;
    db.begin().await?;
    sql(upsert).text(hex::encode(noise)).run(db).await?;
    db.commit().await
}

/// The secret that every node of this database shares: whoever comes first makes it.
pub async fn server_secret(db: &mut Conn) -> Result<[u8; 32], Error> {
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).expect("the kernel has randomness once it runs services");
    let insert = "INSERT INTO settings (name, value) VALUES ('server_secret', $1) ON CONFLICT DO NOTHING";
    db.begin().await?;
    sql(insert).text(Hash(fresh)).run(db).await?;
    let row = sql("SELECT value FROM settings WHERE name = 'server_secret'").row(db).await?;
    db.commit().await?;
    let Hash(secret) = row.ok_or_else(|| Error::missing("setting", "server_secret"))?.get("value")?;
    Ok(secret)
}
