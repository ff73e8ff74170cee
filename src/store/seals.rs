//! Secret variables in the database: sealed on their way in, the vault's key checked at the start, and what an earlier
//! version kept in clear is sealed then.

use super::sql::{Conn, Row, json, sql};
use super::{Edit, Error};
use crate::model::*;
use crate::vault::{self, Found, Key, Place, Vault};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::path::Path;

/// Seals what an edit brings: nothing goes to the database before.
pub fn seal(edit: &mut Edit, vault: &Vault) -> Result<(), Error> {
    match edit {
        Edit::AddNetwork(network) | Edit::SetNetwork(network) => seal_one(network, vault),
        Edit::AddRange(range) | Edit::SetRange(range) => seal_one(range, vault),
        Edit::AddDistro(distro) | Edit::SetDistro(distro) => seal_one(distro, vault),
        Edit::AddProfile(profile) | Edit::SetProfile(profile) => seal_one(profile, vault),
        Edit::AddKey(key) | Edit::SetKey(key) => seal_one(key, vault),
        Edit::SetMachine(machine) => seal_one(machine, vault),
        Edit::AddMachines(machines) => machines.iter_mut().try_for_each(|machine| seal_one(machine, vault)),
        Edit::Many(all) => all.iter_mut().try_for_each(|edit| seal(edit, vault)),
        _ => Ok(()),
    }
}

fn seal_one(record: &mut impl Varied, vault: &Vault) -> Result<(), Error> {
    record.hide();
    let owner = record.owner();
    record.varied().1.seal(|name, secret| vault.seal(&owner, name, secret)).map_err(Error::Vault)
}

/// What a column of secrets holds.
pub fn text(secrets: &Secrets) -> String {
    let encoded = secrets.sealed().iter().map(|(name, sealed)| (name, STANDARD.encode(&sealed.0)));
    json(&encoded.collect::<BTreeMap<_, _>>())
}

pub fn read(row: &Row) -> Result<Secrets, Error> {
    let encoded: BTreeMap<String, String> = row.json_or_default("secrets")?;
    let decoded = |(name, text): (String, String)| match STANDARD.decode(text) {
        Ok(bytes) => Ok((name, Sealed(bytes))),
        Err(_) => Err(row.spoiled("secrets", &name)),
    };
    encoded.into_iter().map(decoded).collect::<Result<_, _>>().map(Secrets::of_sealed)
}

/// The setting that tells a wrong key.
const FINGERPRINT: &str = "secret_key";

/// Finds the key that belongs to this database, or makes the first one. Without the right key the vault is locked, and
/// everything else goes on.
pub async fn settle(db: &mut Conn, place: &Place, shared: bool) -> Result<Vault, Error> {
    db.begin().await?;
    db.lock_edits().await?;
    let known = sql("SELECT value FROM settings WHERE name = $1").text(FINGERPRINT).row(db).await?;
    let known = known.map(|row| row.text("value")).transpose()?;
    // Another server that shares the database has its key already, whether or not it has sealed anything.
    let bound = any_sealed(db).await? || shared && known.is_some();
    let (vault, fingerprint) = choose(place.look(), known, bound, shared);
    if let Some(fingerprint) = fingerprint {
        let upsert = "INSERT INTO settings (name, value) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        sql(upsert).text(FINGERPRINT).text(fingerprint).run(db).await?;
    }
    db.commit().await?;
    Ok(vault)
}

/// The vault, and the fingerprint to keep. A database that is bound to a key takes no other, and none is made for it.
fn choose(found: Found, known: Option<String>, bound: bool, shared: bool) -> (Vault, Option<String>) {
    match found {
        Found::Key { key, path } if bound && known.is_some_and(|known| known != key.fingerprint()) => {
            (Vault::locked(wrong(&path, shared)), None)
        }
        Found::Key { key, .. } => taken(key),
        Found::Missing(path) if bound => (Vault::locked(lost(&path, shared)), None),
        Found::Missing(path) => match vault::make(&path) {
            Ok(key) => taken(key),
            Err(error) => (Vault::locked(format!("their key {} can not be made: {error}", path.display())), None),
        },
        Found::Unusable(why) => (Vault::locked(why), None),
    }
}

fn taken(key: Key) -> (Vault, Option<String>) {
    let fingerprint = key.fingerprint();
    (Vault::with(key), Some(fingerprint))
}

fn wrong(path: &Path, shared: bool) -> String {
    format!(
        "their key {} is not the one that this database was used with: put the right file there and restart; {}",
        path.display(),
        anew(shared)
    )
}

fn lost(path: &Path, shared: bool) -> String {
    let from = if shared {
        "copy it from another server of this database, or from a backup"
    } else {
        "restore it from a backup"
    };
    format!("their key {} is not there: {from}, and restart; {}", path.display(), anew(shared))
}

/// What is left to do where no copy of the key is left.
fn anew(shared: bool) -> &'static str {
    match shared {
        true => {
            "if it is lost, remove the secrets, `DELETE FROM settings WHERE name = 'secret_key'`, restart all servers with one new key, and set them anew"
        }
        false => "if it is lost, remove the secrets, restart, and set them anew",
    }
}

async fn any_sealed(db: &mut Conn) -> Result<bool, Error> {
    let select = "SELECT name FROM distros WHERE secrets <> '{}' UNION ALL
        SELECT name FROM profiles WHERE secrets <> '{}' UNION ALL
        SELECT name FROM activation_keys WHERE secrets <> '{}' UNION ALL SELECT name FROM networks WHERE secrets <> '{}' UNION ALL
        SELECT name FROM ranges WHERE secrets <> '{}' UNION ALL SELECT name FROM machines WHERE secrets <> '{}' LIMIT 1";
    Ok(sql(select).row(db).await?.is_some())
}

/// Where variables are: how to read them, and how to write them back.
struct Table {
    owner: fn(&Row) -> Result<Owner, Error>,
    select: &'static str,
    update: &'static str,
}

macro_rules! table {
    ($table:literal, $key:literal, $owner:ident) => {
        Table {
            owner: |row| row.get("owner").map(Owner::$owner),
            select: concat!("SELECT ", $key, " AS owner, variables, secrets FROM ", $table, " WHERE variables <> '{}'"),
            update: concat!("UPDATE ", $table, " SET variables = $2, secrets = $3 WHERE ", $key, " = $1"),
        }
    };
}

const TABLES: &[Table] = &[
    table!("distros", "name", Distro),
    table!("profiles", "name", Profile),
    table!("activation_keys", "name", Key),
    table!("networks", "name", Network),
    table!("ranges", "name", Range),
    table!("machines", "id", Machine),
];

/// A row's own, for `hide`.
struct Loose {
    owner: Owner,
    variables: Variables,
    secrets: Secrets,
}

impl Varied for Loose {
    fn owner(&self) -> Owner {
        self.owner.clone()
    }

    fn varied(&mut self) -> (&mut Variables, &mut Secrets) {
        (&mut self.variables, &mut self.secrets)
    }
}

/// Set where something was sealed and the files of the database may still hold it in clear.
const REWRITE: &str = "rewrite_due";

/// Seals what lies in clear and is a secret by its name, in one transaction, and wipes what is left of it.
pub async fn hide_old(db: &mut Conn, vault: &Vault) -> Result<(), Error> {
    if vault.why_locked().is_some() {
        return Ok(());
    }
    db.begin().await?;
    db.lock_edits().await?;
    let mut hidden = 0;
    for table in TABLES {
        for mut loose in loose(db, table).await? {
            seal_one(&mut loose, vault)?;
            let owner = match &loose.owner {
                Owner::Machine(id) => id.to_string(),
                Owner::Distro(name)
                | Owner::Profile(name)
                | Owner::Key(name)
                | Owner::Network(name)
                | Owner::Range(name) => name.to_string(),
            };
            let update = sql(table.update).text(owner).json(&loose.variables).text(text(&loose.secrets));
            hidden += update.run(db).await?;
        }
    }
    if hidden > 0 {
        let insert = "INSERT INTO settings (name, value) VALUES ($1, '') ON CONFLICT DO NOTHING";
        sql(insert).text(REWRITE).run(db).await?;
        tracing::info!(records = hidden, "secrets that an earlier version kept in clear are sealed now");
    }
    db.commit().await?;
    rewrite(db).await
}

/// Not lost where it is cut off: the setting goes last.
async fn rewrite(db: &mut Conn) -> Result<(), Error> {
    if sql("SELECT name FROM settings WHERE name = $1").text(REWRITE).row(db).await?.is_none() {
        return Ok(());
    }
    db.rewrite().await?;
    sql("DELETE FROM settings WHERE name = $1").text(REWRITE).run(db).await.map(drop)
}

/// The rows that hold a secret in clear.
async fn loose(db: &mut Conn, table: &Table) -> Result<Vec<Loose>, Error> {
    let mut found = Vec::new();
    let take = |row: &Row| {
        let variables: Variables = row.json("variables")?;
        if variables.keys().any(|name| is_secret(name)) {
            found.push(Loose { owner: (table.owner)(row)?, variables, secrets: read(row)? });
        }
        Ok(())
    };
    sql(table.select).each(db, take).await?;
    Ok(found)
}
