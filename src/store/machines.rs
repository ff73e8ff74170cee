//! Machines and their interfaces: their rows, and the compare-and-set of their lives.

use super::error::touched;
use super::sql::{Conn, Row, Rows, either, json, sql};
use super::{Error, check, check_dhcp, seals, sightings, tombstones};
use crate::boot::{Registration, Step};
use crate::model::*;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Each as it comes, so that no second list of them is in memory.
pub async fn each(db: &mut Conn, mut take: impl FnMut(Machine)) -> Result<(), Error> {
    let mut interfaces: HashMap<MachineId, Vec<Interface>> = HashMap::new();
    let select = sql("SELECT machine, mac, ip FROM interfaces ORDER BY machine, place");
    let sorted = |row: &Row| {
        interfaces.entry(row.get("machine")?).or_default().push(interface(row)?);
        Ok(())
    };
    select.each(db, sorted).await?;
    let select = sql("SELECT * FROM machines");
    let taken = |row: &Row| {
        take(machine(row, interfaces.remove(&row.get("id")?).unwrap_or_default())?);
        Ok(())
    };
    select.each(db, taken).await
}

pub async fn one(db: &mut Conn, id: MachineId) -> Result<Option<Machine>, Error> {
    let Some(row) = sql("SELECT * FROM machines WHERE id = $1").text(id).row(db).await? else { return Ok(None) };
    let rows = sql("SELECT * FROM interfaces WHERE machine = $1 ORDER BY place").text(id).rows(db).await?;
    let interfaces: Result<_, Error> = rows.iter().map(interface).collect();
    machine(&row, interfaces?).map(Some)
}

pub async fn named(db: &mut Conn, name: &Name) -> Result<Option<Machine>, Error> {
    let id = sql("SELECT id FROM machines WHERE name = $1").text(name).row(db).await?;
    match id {
        Some(row) => one(db, row.get("id")?).await,
        None => Ok(None),
    }
}

fn interface(row: &Row) -> Result<Interface, Error> {
    Ok(Interface { mac: row.get("mac")?, ip: row.get_or_null("ip")? })
}

fn machine(row: &Row, interfaces: Vec<Interface>) -> Result<Machine, Error> {
    Ok(Machine {
        id: row.get("id")?,
        name: row.get("name")?,
        interfaces,
        profile: row.get_or_null("profile")?,
        keys: row.get("activation_keys")?,
        groups: row.get("member_of")?,
        joined: row.get("joined")?,
        arguments: row.text("arguments")?,
        variables: row.json_or_default("variables")?,
        secrets: seals::read(row)?,
        options: row.json_or_default("options")?,
        loader: row.get_or_null("loader")?,
        disk_boot: row.get_or_null("disk_boot")?,
        state: row.get("state")?,
        state_at: Time(row.int("state_at")?),
        install: row.json_or_null("install")?,
        inventory: row.json_or_null("inventory")?,
        credential: row.get_or_null("credential")?,
        created_at: Time(row.int("created_at")?),
        revision: row.int("revision")?,
    })
}

/// Adds a machine that announced itself: where anything of it is taken, somebody else was faster.
pub async fn enlist(db: &mut Conn, machine: &Machine) -> Result<(), Error> {
    for interface in &machine.interfaces {
        if tombstones::one(db, interface.mac).await?.is_some() {
            return Err(Error::Conflict);
        }
    }
    insert(db, machine).await.map_err(|error| match error {
        Error::Duplicate { .. } => Error::Conflict,
        other => other,
    })
}

/// Adds the machines that an operator listed; tells whose tombstones that lifted. A long list is written in a few
/// statements: leases wait for it.
pub async fn add(db: &mut Conn, machines: &[Machine]) -> Result<Vec<Mac>, Error> {
    let around = check::Around::read(db).await?;
    if machines.len() > 1 && machines.iter().all(|machine| around.check(machine).is_ok()) {
        db.set_savepoint().await?;
        match insert_all(db, machines).await {
            Ok(()) => return db.release_savepoint().await.map(|()| Vec::new()),
            // One by one it is found out which of them, and why.
            Err(refusal) if refusal.is_a_refusal() => db.undo_to_savepoint().await?,
            Err(error) => return Err(error),
        }
    }
    let mut lifted = Vec::new();
    for (index, machine) in machines.iter().enumerate() {
        let one = async {
            around.check(machine)?;
            insert(db, machine).await?;
            lift(db, machine).await
        };
        let source = |error: Error| Error::At { index, source: Box::new(error) };
        lifted.extend(one.await.map_err(source)?);
    }
    Ok(lifted)
}

/// Refused where anything of them is taken, or was replaced.
pub async fn insert_all(db: &mut Conn, machines: &[Machine]) -> Result<(), Error> {
    let all = || machines.iter();
    let rows = Rows::default().texts(all().map(|m| m.id)).texts(all().map(|m| &m.name));
    let rows = rows.texts_or_null(all().map(|m| m.profile.as_ref())).texts(all().map(|m| &m.keys));
    let rows = rows.texts(all().map(|m| &m.arguments)).texts(all().map(|m| json(&m.variables)));
    let rows = rows.texts(all().map(|m| m.state)).ints(all().map(|m| m.state_at.0));
    let rows = rows.texts_or_null(all().map(|m| m.install.as_ref().map(json)));
    let rows = rows.texts_or_null(all().map(|m| m.inventory.as_ref().map(json)));
    let rows = rows.texts_or_null(all().map(|m| m.credential)).ints(all().map(|m| m.created_at.0));
    let rows = rows.ints(all().map(|m| m.revision)).texts(all().map(|m| json(&m.options)));
    let rows = rows.texts_or_null(all().map(|m| m.loader.as_ref())).texts_or_null(all().map(|m| m.disk_boot));
    let rows = rows.texts(all().map(|m| seals::text(&m.secrets)));
    let rows = rows.texts(all().map(|m| &m.groups)).texts(all().map(|m| &m.joined));
    let insert = either(
        "INSERT INTO machines (id, name, profile, activation_keys, arguments, variables, state, state_at,
        install, inventory, credential, created_at, revision, options, loader, disk_boot, secrets,
        member_of, joined)
        SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
        value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15,
        value->>16, value->>17, value->>18 FROM json_each($1)",
        "INSERT INTO machines (id, name, profile, activation_keys, arguments, variables, state, state_at,
        install, inventory, credential, created_at, revision, options, loader, disk_boot, secrets,
        member_of, joined)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[],
        $16::text[], $17::text[], $18::text[], $19::text[])",
    );
    insert.rows_of(rows).run(db).await?;
    insert_all_interfaces(db, machines).await
}

pub async fn insert_all_interfaces(db: &mut Conn, machines: &[Machine]) -> Result<(), Error> {
    let all = || machines.iter().flat_map(|m| m.interfaces.iter().enumerate().map(move |(place, i)| (m.id, place, i)));
    let macs = || Rows::default().texts(all().map(|(_, _, interface)| interface.mac));
    let rows = macs().texts(all().map(|(id, _, _)| id)).ints(all().map(|(_, place, _)| place as i64));
    let rows = rows.texts_or_null(all().map(|(_, _, interface)| interface.ip));
    let insert = either(
        "INSERT INTO interfaces (mac, machine, place, ip)
        SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each($1)",
        "INSERT INTO interfaces (mac, machine, place, ip)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])",
    );
    insert.rows_of(rows).run(db).await?;
    let retired = either(
        "SELECT mac FROM tombstones WHERE mac IN (SELECT value->>0 FROM json_each($1))",
        "SELECT mac FROM tombstones WHERE mac = ANY($1)",
    );
    if retired.rows_of(macs()).row(db).await?.is_some() {
        return Err(Error::Conflict);
    }
    let seen = either(
        "DELETE FROM sightings WHERE mac IN (SELECT value->>0 FROM json_each($1))",
        "DELETE FROM sightings WHERE mac = ANY($1)",
    );
    seen.rows_of(macs()).run(db).await.map(drop)
}

async fn insert(db: &mut Conn, machine: &Machine) -> Result<(), Error> {
    let insert = "INSERT INTO machines (id, name, profile, activation_keys, arguments, variables, state, state_at,
        install, inventory, credential, created_at, revision, options, loader, disk_boot, secrets,
        member_of, joined)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING";
    let statement = sql(insert).text(machine.id).text(&machine.name).text_or_null(machine.profile.as_ref());
    let statement = statement.text(&machine.keys).text(&machine.arguments).json(&machine.variables);
    let statement = statement.text(machine.state).int(machine.state_at.0).json_or_null(machine.install.as_ref());
    let statement = statement.json_or_null(machine.inventory.as_ref()).text_or_null(machine.credential);
    let statement = statement.int(machine.created_at.0).int(machine.revision).json(&machine.options);
    let statement = statement.text_or_null(machine.loader.as_ref()).text_or_null(machine.disk_boot);
    let statement = statement.text(seals::text(&machine.secrets)).text(&machine.groups).text(&machine.joined);
    let rows = statement.run(db).await?;
    touched(rows, || Error::duplicate("name", &machine.name, format!("machine {}", machine.name)))?;
    insert_interfaces(db, machine).await
}

async fn insert_interfaces(db: &mut Conn, machine: &Machine) -> Result<(), Error> {
    for (place, interface) in machine.interfaces.iter().enumerate() {
        let insert = "INSERT INTO interfaces (mac, machine, place, ip) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let statement = sql(insert).text(interface.mac).text(machine.id).int(place as i64);
        if statement.text_or_null(interface.ip).run(db).await? == 0 {
            return Err(holder(db, interface).await?);
        }
        sightings::forget(db, interface.mac).await?;
    }
    Ok(())
}

/// Who has the MAC or the address that an interface was refused for.
pub async fn holder(db: &mut Conn, interface: &Interface) -> Result<Error, Error> {
    let select =
        "SELECT machines.name, interfaces.mac FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE interfaces.mac = $1 OR interfaces.ip = $2 ORDER BY CASE WHEN interfaces.mac = $1 THEN 0 ELSE 1 END";
    let found = sql(select).text(interface.mac).text_or_null(interface.ip).row(db).await?;
    let Some(row) = found else { return Ok(Error::Conflict) };
    let holder = format!("machine {}", row.text("name")?);
    let same_mac = row.get::<Mac>("mac")? == interface.mac;
    Ok(match interface.ip {
        Some(ip) if !same_mac => Error::duplicate("address", ip, holder),
        _ => Error::duplicate("MAC", interface.mac, holder),
    })
}

/// The cards with such a MAC or such an address, and the names of their machines.
pub async fn with_cards(db: &mut Conn, macs: &[Mac], ips: &[Ipv4Addr]) -> Result<Vec<(String, Interface)>, Error> {
    let with_mac = either(
        "SELECT name, mac, ip FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE mac IN (SELECT value->>0 FROM json_each($1)) ORDER BY name",
        "SELECT name, mac, ip FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE mac IN (SELECT unnest($1::text[])) ORDER BY name",
    );
    let with_ip = either(
        "SELECT name, mac, ip FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE ip IN (SELECT value->>0 FROM json_each($1)) ORDER BY name",
        "SELECT name, mac, ip FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE ip IN (SELECT unnest($1::text[])) ORDER BY name",
    );
    let mut rows = with_mac.rows_of(Rows::default().texts(macs.iter())).rows(db).await?;
    rows.extend(with_ip.rows_of(Rows::default().texts(ips.iter())).rows(db).await?);
    rows.iter().map(|row| Ok((row.text("name")?, interface(row)?))).collect()
}

/// The name of the machine that has this card.
pub async fn named_by(db: &mut Conn, mac: Mac) -> Result<Option<String>, Error> {
    let select = "SELECT machines.name FROM interfaces JOIN machines ON machines.id = interfaces.machine
        WHERE interfaces.mac = $1";
    sql(select).text(mac).row(db).await?.map(|row| row.text("name")).transpose()
}

/// A replaced card gets no role again, unless it comes back to the machine that it was replaced in.
async fn lift(db: &mut Conn, machine: &Machine) -> Result<Vec<Mac>, Error> {
    let mut lifted = Vec::new();
    for interface in &machine.interfaces {
        lifted.extend(lift_card(db, interface.mac, machine.id).await?);
    }
    Ok(lifted)
}

pub async fn lift_card(db: &mut Conn, mac: Mac, machine: MachineId) -> Result<Option<Mac>, Error> {
    let Some(retired) = tombstones::one(db, mac).await? else { return Ok(None) };
    if retired.machine != machine {
        return Err(tombstones::refusal(&retired));
    }
    tombstones::lift(db, mac).await?;
    Ok(Some(mac))
}

/// Writes what an operator says of a machine, and nothing that it lived through.
pub async fn set(db: &mut Conn, machine: &Machine) -> Result<Vec<Mac>, Error> {
    check::Around::read(db).await?.check(machine)?;
    check::name_is_free(db, machine).await?;
    if write(db, machine).await? == 0 {
        return Err(gone_or_changed(db, machine.id, &machine.name).await?);
    }
    sql("DELETE FROM interfaces WHERE machine = $1").text(machine.id).run(db).await?;
    insert_interfaces(db, machine).await?;
    lift(db, machine).await
}

/// The row alone, at its revision: how many it was.
async fn write(db: &mut Conn, machine: &Machine) -> Result<u64, Error> {
    let update = "UPDATE machines SET name = $3, profile = $4, activation_keys = $5, arguments = $6, variables = $7,
        options = $8, loader = $9, disk_boot = $10, secrets = $11, member_of = $12, revision = revision + 1
        WHERE id = $1 AND revision = $2";
    let statement = sql(update).text(machine.id).int(machine.revision).text(&machine.name);
    let statement = statement.text_or_null(machine.profile.as_ref()).text(&machine.keys);
    let statement = statement.text(&machine.arguments).json(&machine.variables).json(&machine.options);
    let statement = statement.text_or_null(machine.loader.as_ref()).text_or_null(machine.disk_boot);
    statement.text(seals::text(&machine.secrets)).text(&machine.groups).run(db).await
}

/// The same for many, whatever their revisions are.
pub async fn write_all(db: &mut Conn, machines: &[Machine]) -> Result<u64, Error> {
    let update = either(
        "UPDATE machines SET name = new.name, profile = new.profile, activation_keys = new.activation_keys,
        arguments = new.arguments, variables = new.variables, options = new.options, loader = new.loader,
        disk_boot = new.disk_boot, secrets = new.secrets, member_of = new.member_of, revision = revision + 1
        FROM (SELECT value->>0 AS id, value->>1 AS name, value->>2 AS profile, value->>3 AS activation_keys,
        value->>4 AS arguments, value->>5 AS variables, value->>6 AS options, value->>7 AS loader,
        value->>8 AS disk_boot, value->>9 AS secrets, value->>10 AS member_of FROM json_each($1)) AS new WHERE machines.id = new.id",
        "UPDATE machines SET name = new.name, profile = new.profile, activation_keys = new.activation_keys,
        arguments = new.arguments, variables = new.variables, options = new.options, loader = new.loader,
        disk_boot = new.disk_boot, secrets = new.secrets, member_of = new.member_of, revision = revision + 1
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::text[], $11::text[]) AS new (id, name, profile, activation_keys, arguments, variables, options,
        loader, disk_boot, secrets, member_of) WHERE machines.id = new.id",
    );
    let all = || machines.iter();
    let rows = Rows::default().texts(all().map(|m| m.id)).texts(all().map(|m| &m.name));
    let rows = rows.texts_or_null(all().map(|m| m.profile.as_ref())).texts(all().map(|m| &m.keys));
    let rows = rows.texts(all().map(|m| &m.arguments)).texts(all().map(|m| json(&m.variables)));
    let rows = rows.texts(all().map(|m| json(&m.options))).texts_or_null(all().map(|m| m.loader.as_ref()));
    let rows = rows.texts_or_null(all().map(|m| m.disk_boot)).texts(all().map(|m| seals::text(&m.secrets)));
    let rows = rows.texts(all().map(|m| &m.groups));
    update.rows_of(rows).run(db).await
}

async fn gone_or_changed(db: &mut Conn, id: MachineId, name: impl ToString) -> Result<Error, Error> {
    Ok(if one(db, id).await?.is_some() { Error::Conflict } else { Error::missing("machine", name) })
}

/// Its interfaces and install keys go with it; its leases end by themselves, its tombstones stay. Tells which keys it used.
pub async fn remove(db: &mut Conn, name: &Name) -> Result<(MachineId, Names), Error> {
    let removed = sql("DELETE FROM machines WHERE name = $1 RETURNING id, joined").text(name).row(db).await?;
    let removed = removed.ok_or_else(|| Error::missing("machine", name))?;
    Ok((removed.get("id")?, removed.get("joined")?))
}

pub async fn step(db: &mut Conn, step: &Step) -> Result<(), Error> {
    let update = "UPDATE machines SET state = $3, state_at = $4, install = $5, revision = revision + 1
        WHERE id = $1 AND revision = $2";
    let statement = sql(update).text(step.machine).int(step.from).text(step.state).int(step.state_at.0);
    touched(statement.json_or_null(step.install.as_ref()).run(db).await?, || Error::Conflict)
}

/// The same for many, in one statement: no machine may come twice. Refused as a whole where one would be.
pub async fn step_all(db: &mut Conn, steps: &[&Step]) -> Result<(), Error> {
    let update = either(
        "UPDATE machines SET state = new.state, state_at = new.at, install = new.install, revision = revision + 1
            FROM (SELECT value->>0 AS id, value->>1 AS old, value->>2 AS state, value->>3 AS at, value->>4 AS install
            FROM json_each($1)) AS new WHERE machines.id = new.id AND machines.revision = new.old",
        "UPDATE machines SET state = new.state, state_at = new.at, install = new.install, revision = revision + 1
            FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[]) AS new (id, old, state, at, install)
            WHERE machines.id = new.id AND machines.revision = new.old",
    );
    let rows = Rows::default().texts(steps.iter().map(|s| s.machine)).ints(steps.iter().map(|s| s.from));
    let rows = rows.texts(steps.iter().map(|s| s.state)).ints(steps.iter().map(|s| s.state_at.0));
    let rows = rows.texts_or_null(steps.iter().map(|s| s.install.as_ref().map(json)));
    let touched = update.rows_of(rows).run(db).await?;
    if touched == steps.len() as u64 { Ok(()) } else { Err(Error::Conflict) }
}

/// Locks the row as well, where others write to the database.
pub async fn still(db: &mut Conn, id: MachineId, revision: i64) -> Result<(), Error> {
    let update = "UPDATE machines SET revision = revision WHERE id = $1 AND revision = $2";
    touched(sql(update).text(id).int(revision).run(db).await?, || Error::Conflict)
}

pub async fn set_inventory(db: &mut Conn, id: MachineId, inventory: &serde_json::Value) -> Result<(), Error> {
    let update = "UPDATE machines SET inventory = $2 WHERE id = $1";
    touched(sql(update).text(id).json(inventory).run(db).await?, || Error::Conflict)
}

/// Of a system that comes in. Its step settles whether anybody else changed it.
pub async fn register(db: &mut Conn, new: &Registration) -> Result<(), Error> {
    let update = "UPDATE machines SET credential = $2, joined = $3, member_of = $4, profile = COALESCE($5, profile) WHERE id = $1";
    let statement = sql(update).text(new.machine).text(new.credential).text(&new.joined).text(&new.groups);
    touched(statement.text_or_null(new.profile.as_ref()).run(db).await?, || Error::Conflict)
}

/// Of a system that leaves: only the one that has this credential does.
pub async fn leave(db: &mut Conn, id: MachineId, credential: Hash) -> Result<(), Error> {
    let update = "UPDATE machines SET credential = NULL, joined = '' WHERE id = $1 AND credential = $2";
    touched(sql(update).text(id).text(credential).run(db).await?, || Error::Conflict)
}

pub async fn set_credential(db: &mut Conn, id: MachineId, credential: Option<Hash>) -> Result<(), Error> {
    let update = "UPDATE machines SET credential = $2 WHERE id = $1";
    touched(sql(update).text(id).text_or_null(credential).run(db).await?, || Error::Conflict)
}

/// Gives a machine's place on the network, its address included, to another card.
pub async fn exchange(db: &mut Conn, id: MachineId, old: Mac, new: Mac) -> Result<(), Error> {
    if let Some(machine) = named_by(db, new).await? {
        return Err(Error::duplicate("MAC", new, format!("machine {machine}")));
    }
    check_dhcp::no_reservation(db, new).await?;
    let update = "UPDATE interfaces SET mac = $3 WHERE machine = $1 AND mac = $2";
    let rows = sql(update).text(id).text(old).text(new).run(db).await?;
    let text = || format!("machine {id} has no card {old} that {new} could replace: see `kickstand machine show`");
    touched(rows, || Error::contradiction(text()))
}
