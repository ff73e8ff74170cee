//! Activation keys and the single-use keys of installs: their rows, and spending them.

use super::error::touched;
use super::sql::{Conn, Row, Rows, either, sql};
use super::{Error, check};
use crate::model::*;

pub async fn all(db: &mut Conn) -> Result<Vec<ActivationKey>, Error> {
    sql("SELECT * FROM activation_keys ORDER BY name").rows(db).await?.iter().map(read).collect()
}

pub async fn one(db: &mut Conn, name: &Name) -> Result<Option<ActivationKey>, Error> {
    let row = sql("SELECT * FROM activation_keys WHERE name = $1").text(name).row(db).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<ActivationKey, Error> {
    Ok(ActivationKey {
        name: row.get("name")?,
        description: row.text("description")?,
        groups: row.json("member_of")?,
        usage_limit: row.number_or_null("usage_limit")?,
        used: row.number("used")?,
        expires_at: row.int_or_null("expires_at")?.map(Time),
        enabled: row.int("enabled")? != 0,
    })
}

pub async fn add(db: &mut Conn, key: &ActivationKey) -> Result<(), Error> {
    let insert = "INSERT INTO activation_keys (name, description, member_of, usage_limit, expires_at, enabled, used)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let statement = sql(insert).text(&key.name).text(&key.description).json(&key.groups);
    let statement = statement.int_or_null(key.usage_limit).int_or_null(key.expires_at.map(|t| t.0));
    let rows = statement.int(key.enabled).int(key.used).run(db).await?;
    touched(rows, || Error::duplicate("name", &key.name, format!("key {}", key.name)))
}

/// Changes everything but how often it was used, which only registrations count.
pub async fn set(db: &mut Conn, key: &ActivationKey) -> Result<(), Error> {
    let update = "UPDATE activation_keys SET description = $2, member_of = $3, usage_limit = $4, expires_at = $5,
        enabled = $6 WHERE name = $1";
    let statement = sql(update).text(&key.name).text(&key.description).json(&key.groups);
    let statement = statement.int_or_null(key.usage_limit).int_or_null(key.expires_at.map(|t| t.0));
    touched(statement.int(key.enabled).run(db).await?, || Error::missing("key", &key.name))
}

/// Uses are never taken back.
pub async fn raise_used(db: &mut Conn, name: &Name, used: u32) -> Result<(), Error> {
    sql("UPDATE activation_keys SET used = $2 WHERE name = $1 AND used < $2")
        .text(name)
        .int(used)
        .run(db)
        .await
        .map(drop)
}

/// The keys of installs that were derived from it open nothing any more.
pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let users = sql("SELECT 'profile ' || name AS holder FROM profiles WHERE activation_key = $1
        UNION ALL SELECT 'machine ' || name FROM machines WHERE activation_key = $1 LIMIT 1");
    check::unused(db, "key", name, users).await?;
    let rows = sql("DELETE FROM activation_keys WHERE name = $1").text(name).run(db).await?;
    touched(rows, || Error::missing("key", name))
}

/// Keeps the key that an answer file carries. The same one again is harmless: an answer file can be asked for twice.
pub async fn mint(db: &mut Conn, key: &InstallKey) -> Result<(), Error> {
    // An earlier boot of the same install had one as well: only the newest opens anything.
    // The machine is there for its index.
    let void = "DELETE FROM install_keys WHERE machine = $1 AND install = $2 AND hash <> $3 AND spent_at IS NULL";
    sql(void).text(key.machine).text(key.install).text(key.hash).run(db).await?;
    let insert = "INSERT INTO install_keys (hash, activation_key, machine, install, expires_at, spent_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO NOTHING";
    let statement = sql(insert).text(key.hash).text(&key.key).text(key.machine).text(key.install);
    statement.int(key.expires_at.0).int_or_null(key.spent_at.map(|t| t.0)).run(db).await.map(drop)
}

/// The same for many, in two statements: no install may come twice.
pub async fn mint_all(db: &mut Conn, keys: &[&InstallKey]) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let void = either(
        "DELETE FROM install_keys WHERE machine IN (SELECT value->>0 FROM json_each($1)) AND spent_at IS NULL
            AND install IN (SELECT value->>1 FROM json_each($1)) AND hash NOT IN (SELECT value->>2 FROM json_each($1))",
        "DELETE FROM install_keys WHERE machine = ANY($1::text[]) AND spent_at IS NULL
            AND install = ANY($2::text[]) AND hash <> ALL($3::text[])",
    );
    let hashes = || keys.iter().map(|key| key.hash);
    let rows = Rows::default().texts(keys.iter().map(|key| key.machine));
    let rows = rows.texts(keys.iter().map(|key| key.install)).texts(hashes());
    void.rows_of(rows).run(db).await?;
    let insert = either(
        "INSERT INTO install_keys (hash, activation_key, machine, install, expires_at, spent_at)
            SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each($1) WHERE true
            ON CONFLICT (hash) DO NOTHING",
        "INSERT INTO install_keys (hash, activation_key, machine, install, expires_at, spent_at)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
            ON CONFLICT (hash) DO NOTHING",
    );
    let rows = Rows::default().texts(hashes()).texts(keys.iter().map(|key| &key.key));
    let rows = rows.texts(keys.iter().map(|key| key.machine)).texts(keys.iter().map(|key| key.install));
    let rows = rows.ints(keys.iter().map(|key| key.expires_at.0));
    let rows = rows.ints_or_null(keys.iter().map(|key| key.spent_at.map(|at| at.0)));
    insert.rows_of(rows).run(db).await.map(drop)
}

pub async fn install_key(db: &mut Conn, hash: Hash) -> Result<Option<InstallKey>, Error> {
    let Some(row) = sql("SELECT * FROM install_keys WHERE hash = $1").text(hash).row(db).await? else {
        return Ok(None);
    };
    Ok(Some(InstallKey {
        hash: row.get("hash")?,
        key: row.get("activation_key")?,
        machine: row.get("machine")?,
        install: row.get("install")?,
        expires_at: Time(row.int("expires_at")?),
        spent_at: row.int_or_null("spent_at")?.map(Time),
    }))
}

/// Spends an install's key and counts it on the operator's: the database alone decides who came first.
pub async fn spend(db: &mut Conn, hash: Hash, key: &Name, machine: MachineId, at: Time) -> Result<(), Error> {
    let spend = "UPDATE install_keys SET spent_at = $4
        WHERE hash = $1 AND activation_key = $2 AND machine = $3 AND spent_at IS NULL AND expires_at > $4";
    let rows = sql(spend).text(hash).text(key).text(machine).int(at.0).run(db).await?;
    touched(rows, || Error::Conflict)?;
    let count = "UPDATE activation_keys SET used = used + 1 WHERE name = $1 AND enabled = 1
        AND (usage_limit IS NULL OR used < usage_limit) AND (expires_at IS NULL OR expires_at > $2)";
    touched(sql(count).text(key).int(at.0).run(db).await?, || Error::Conflict)
}
