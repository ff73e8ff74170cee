//! Activation keys and the single-use keys of installs: their rows, and spending them.

use super::error::touched;
use super::sql::{Conn, Row, Rows, Statement, either, sql};
use super::{Error, check, seals};
use crate::boot::Spent;
use crate::model::*;

/// Whether a column of names with commas holds the first parameter.
macro_rules! holds {
    ($column:literal) => {
        concat!("replace(',' || ", $column, " || ',', ',' || $1 || ',', '') <> ',' || ", $column, " || ','")
    };
}

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
        packages: row.json("packages")?,
        variables: row.json_or_default("variables")?,
        secrets: seals::read(row)?,
        addresses: row.json("addresses")?,
        is_default: row.int("is_default")? != 0,
        profile: row.get_or_null("profile")?,
        reinstalls: row.int("reinstalls")? != 0,
        join: row.get_or_null("join_hash")?,
    })
}

fn bind(statement: Statement, key: &ActivationKey) -> Statement {
    let statement = statement.text(&key.name).text(&key.description).json(&key.groups);
    let statement = statement.int_or_null(key.usage_limit).int_or_null(key.expires_at.map(|t| t.0));
    let statement = statement.int(key.enabled).json(&key.packages).json(&key.variables);
    let statement = statement.text(seals::text(&key.secrets)).json(&key.addresses).int(key.is_default);
    statement.text_or_null(key.profile.as_ref()).int(key.reinstalls)
}

pub async fn add(db: &mut Conn, key: &ActivationKey) -> Result<(), Error> {
    check::keys(db, &[key]).await?;
    insert(db, key).await
}

/// The row alone. Machines that used a key of this name before use it again.
pub async fn insert(db: &mut Conn, key: &ActivationKey) -> Result<(), Error> {
    let insert =
        "INSERT INTO activation_keys (name, description, member_of, usage_limit, expires_at, enabled, packages,
        variables, secrets, addresses, is_default, profile, reinstalls, used)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING";
    let rows = bind(sql(insert), key).int(key.used).run(db).await?;
    touched(rows, || Error::duplicate("name", &key.name, format!("key {}", key.name)))?;
    let users = sql(concat!("SELECT COUNT(*) AS users FROM machines WHERE ", holds!("joined")));
    let users = users.text(&key.name).row(db).await?.map_or(Ok(0), |row| row.int("users"))?;
    let raise = "UPDATE activation_keys SET used = $2 WHERE name = $1 AND used < $2";
    sql(raise).text(&key.name).int(users).run(db).await.map(drop)
}

/// Changes everything but how often it was used, which only registrations count, and its secret for joining.
pub async fn set(db: &mut Conn, key: &ActivationKey) -> Result<(), Error> {
    check::keys(db, &[key]).await?;
    update(db, key).await
}

pub async fn update(db: &mut Conn, key: &ActivationKey) -> Result<(), Error> {
    let update = "UPDATE activation_keys SET description = $2, member_of = $3, usage_limit = $4, expires_at = $5,
        enabled = $6, packages = $7, variables = $8, secrets = $9, addresses = $10, is_default = $11, profile = $12,
        reinstalls = $13 WHERE name = $1";
    touched(bind(sql(update), key).run(db).await?, || Error::missing("key", &key.name))
}

/// Counts a use of each: the database alone decides who came first.
pub async fn count(db: &mut Conn, keys: &Names, at: Time) -> Result<(), Error> {
    for key in keys {
        let count = "UPDATE activation_keys SET used = used + 1 WHERE name = $1 AND enabled = 1
            AND (usage_limit IS NULL OR used < usage_limit) AND (expires_at IS NULL OR expires_at > $2)";
        touched(sql(count).text(key).int(at.0).run(db).await?, || Error::Conflict)?;
    }
    Ok(())
}

/// A system that used them is no more, or uses others.
pub async fn free(db: &mut Conn, keys: &Names) -> Result<(), Error> {
    for key in keys {
        let free = "UPDATE activation_keys SET used = used - 1 WHERE name = $1 AND used > 0";
        sql(free).text(key).run(db).await?;
    }
    Ok(())
}

/// The keys of installs that were derived from it open nothing any more.
pub async fn remove(db: &mut Conn, name: &Name) -> Result<(), Error> {
    let users = sql(concat!(
        "SELECT 'profile ' || name AS holder FROM profiles WHERE ",
        holds!("activation_keys"),
        " UNION ALL SELECT 'machine ' || name FROM machines WHERE ",
        holds!("activation_keys"),
        " LIMIT 1"
    ));
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
    let statement = sql(insert).text(key.hash).text(&key.keys).text(key.machine).text(key.install);
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
    let rows = Rows::default().texts(hashes()).texts(keys.iter().map(|key| &key.keys));
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
        keys: row.get("activation_key")?,
        machine: row.get("machine")?,
        install: row.get("install")?,
        expires_at: Time(row.int("expires_at")?),
        spent_at: row.int_or_null("spent_at")?.map(Time),
    }))
}

/// Spends a single-use key: the database alone decides who came first.
pub async fn spend(db: &mut Conn, spent: Spent, machine: MachineId, at: Time) -> Result<(), Error> {
    let (spend, hash) = match spent {
        Spent::Install(hash) => (
            "UPDATE install_keys SET spent_at = $3
            WHERE hash = $1 AND machine = $2 AND spent_at IS NULL AND expires_at > $3",
            hash,
        ),
        Spent::Reactivation(hash) => (
            "UPDATE reactivations SET spent_at = $3
            WHERE hash = $1 AND machine = $2 AND spent_at IS NULL AND expires_at > $3",
            hash,
        ),
    };
    touched(sql(spend).text(hash).text(machine).int(at.0).run(db).await?, || Error::Conflict)
}

/// Keeps the key that leads a system back: one for each record.
pub async fn lead(db: &mut Conn, key: &Reactivation) -> Result<(), Error> {
    sql("DELETE FROM reactivations WHERE machine = $1 AND spent_at IS NULL").text(key.machine).run(db).await?;
    let insert = "INSERT INTO reactivations (hash, machine, expires_at, spent_at) VALUES ($1, $2, $3, $4)";
    let statement = sql(insert).text(key.hash).text(key.machine).int(key.expires_at.0);
    statement.int_or_null(key.spent_at.map(|at| at.0)).run(db).await.map(drop)
}

pub async fn reactivation(db: &mut Conn, hash: Hash) -> Result<Option<Reactivation>, Error> {
    let Some(row) = sql("SELECT * FROM reactivations WHERE hash = $1").text(hash).row(db).await? else {
        return Ok(None);
    };
    Ok(Some(Reactivation {
        hash: row.get("hash")?,
        machine: row.get("machine")?,
        expires_at: Time(row.int("expires_at")?),
        spent_at: row.int_or_null("spent_at")?.map(Time),
    }))
}

/// By what it lets systems join from outside.
pub async fn join_by(db: &mut Conn, name: &Name, secret: Option<Hash>) -> Result<(), Error> {
    let update = sql("UPDATE activation_keys SET join_hash = $2 WHERE name = $1").text(name).text_or_null(secret);
    touched(update.run(db).await?, || Error::missing("key", name))
}
