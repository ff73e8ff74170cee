//! Revisions: their rows. Each is written in the transaction of the change that it tells of.
//!
//! `turns` finds out what a change was of, `written` is how records lie in a row, `plan` what a rollback comes to, and
//! `restore` writes that.

mod plan;
mod restore;
mod turns;
mod written;

pub use plan::{Plan, plan};
pub use restore::{planned, restore, restored};
pub use turns::{before, turns};

use super::Error;
use super::sql::{Conn, Row, json, sql};
use super::writer::Outcome;
use crate::model::*;
use written::Written;

/// How many revisions are kept, the newest.
pub const KEPT: usize = 10_000;
/// And how many bytes of them: a batch of ten thousand machines has some two millions.
pub const KEPT_BYTES: i64 = 256 << 20;

/// The newest number; 0 before the first.
pub async fn newest(db: &mut Conn) -> Result<i64, Error> {
    let row = sql("SELECT MAX(number) AS number FROM revisions").row(db).await?;
    Ok(row.map_or(Ok(None), |row| row.int_or_null("number"))?.unwrap_or_default())
}

/// Writes what an edit turned, if it turned anything; tells its number.
pub async fn add(db: &mut Conn, outcome: &Outcome, by: &str, at: Time) -> Result<Option<i64>, Error> {
    let turns: Vec<&Turn> = outcome.turns.iter().filter(|turn| turn.is_change()).collect();
    if turns.is_empty() {
        return Ok(None);
    }
    let number = newest(db).await? + 1;
    let records: Vec<RecordKey> = turns.iter().filter_map(|turn| turn.key()).collect();
    let written: Vec<Written> = turns.iter().map(|turn| Written::of(turn)).collect();
    let (what, written) = (outcome.headline(by), json(&written));
    let insert = "INSERT INTO revisions (number, at, by_whom, what, records, turns, bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let bytes = i64::try_from(written.len() + what.len()).unwrap_or(i64::MAX);
    let insert = sql(insert).int(number).int(at.0).text(by).text(what).json(&records).text(written);
    insert.int(bytes).run(db).await?;
    Ok(Some(number))
}

/// The newest, the newest first.
pub async fn list(db: &mut Conn, limit: usize) -> Result<Vec<RevisionLine>, Error> {
    let select = "SELECT number, at, by_whom, what, records FROM revisions ORDER BY number DESC LIMIT $1";
    let rows = sql(select).int(i64::try_from(limit).unwrap_or(i64::MAX)).rows(db).await?;
    rows.iter().map(line).collect()
}

/// Which revision last changed each record.
pub async fn last_changes(db: &mut Conn, mut take: impl FnMut(RecordKey, i64)) -> Result<(), Error> {
    let take_row = |row: &Row| {
        let number = row.int("number")?;
        row.json::<Vec<RecordKey>>("records")?.into_iter().for_each(|key| take(key, number));
        Ok(())
    };
    sql("SELECT number, records FROM revisions ORDER BY number").each(db, take_row).await
}

/// What one of them was of.
pub async fn records(db: &mut Conn, number: i64) -> Result<Vec<RecordKey>, Error> {
    let row = sql("SELECT records FROM revisions WHERE number = $1").int(number).row(db).await?;
    row.map_or(Ok(Vec::new()), |row| row.json("records"))
}

pub async fn one(db: &mut Conn, number: i64) -> Result<Option<Revision>, Error> {
    let row = sql("SELECT * FROM revisions WHERE number = $1").int(number).row(db).await?;
    row.as_ref().map(read).transpose()
}

/// All that came after one, the newest first. Refused where it is not all kept.
pub async fn since(db: &mut Conn, number: i64) -> Result<Vec<Revision>, Error> {
    let row = sql("SELECT MIN(number) AS first, MAX(number) AS last FROM revisions").row(db).await?;
    let read_one = |column| row.as_ref().map_or(Ok(None), |row| row.int_or_null(column));
    let (first, last) = (read_one("first")?.unwrap_or(1), read_one("last")?.unwrap_or_default());
    if number < 0 || number > last {
        return Err(Error::missing("revision", number));
    }
    if number < first - 1 {
        return Err(Error::contradiction(format!(
            "what revisions before {first} were is forgotten: the way back ends at revision {}",
            first - 1
        )));
    }
    let mut all = Vec::new();
    let take = |row: &Row| {
        all.push(read(row)?);
        Ok(())
    };
    sql("SELECT * FROM revisions WHERE number > $1 ORDER BY number DESC").int(number).each(db, take).await?;
    Ok(all)
}

fn line(row: &Row) -> Result<RevisionLine, Error> {
    let (number, at, by) = (row.int("number")?, Time(row.int("at")?), row.text("by_whom")?);
    Ok(RevisionLine { number, at, by, what: row.text("what")?, records: row.json("records")? })
}

fn read(row: &Row) -> Result<Revision, Error> {
    let RevisionLine { number, at, by, what, .. } = line(row)?;
    let written: Vec<Written> = row.json("turns")?;
    let turns = written.into_iter().map(Written::read).collect::<Option<_>>();
    Ok(Revision { number, at, by, what, turns: turns.ok_or_else(|| row.spoiled("turns", "a broken secret"))? })
}

/// Forgets the oldest: all beyond a number, and all beyond a size. The newest stays, whatever its size.
pub async fn prune(db: &mut Conn, kept: usize, bytes: i64) -> Result<(), Error> {
    let delete = "DELETE FROM revisions WHERE number <= (SELECT number FROM revisions ORDER BY number DESC
        LIMIT 1 OFFSET $1)";
    sql(delete).int(i64::try_from(kept).unwrap_or(i64::MAX)).run(db).await?;
    let delete = "DELETE FROM revisions WHERE number < (SELECT MAX(number) FROM revisions) AND number <=
        (SELECT MAX(number) FROM (SELECT number, SUM(bytes) OVER (ORDER BY number DESC) AS total FROM revisions) AS sums
        WHERE total > $1)";
    sql(delete).int(bytes).run(db).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::{load, sql::Database};
    use super::*;

    async fn with_ten() -> (Conn, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let (database, _lock) = Database::at(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let mut db = database.connect().await.unwrap();
        load::migrate(&mut db).await.unwrap();
        for n in 1..=10 {
            let (before, after) = (OptionSet::default(), [("ntp-servers", format!("10.0.0.{n}"))]);
            let mut set = OptionSet::default();
            after.iter().for_each(|(option, value)| set.put(option, value).unwrap());
            let turn = Turn::new(Some(Record::Options(before)), Some(Record::Options(set)));
            let outcome = Outcome { turns: vec![turn], ..Outcome::default() };
            assert_eq!(add(&mut db, &outcome, "root", Time::from_secs(n)).await.unwrap(), Some(n));
        }
        (db, folder)
    }

    #[tokio::test]
    async fn the_oldest_are_forgotten_and_the_way_back_ends_where_they_do() {
        let (mut db, _folder) = with_ten().await;
        prune(&mut db, 20, 1 << 20).await.unwrap();
        assert_eq!(since(&mut db, 0).await.unwrap().len(), 10);
        prune(&mut db, 4, 1 << 20).await.unwrap();
        assert_eq!(list(&mut db, 9).await.unwrap().iter().map(|line| line.number).collect::<Vec<_>>(), [10, 9, 8, 7]);
        assert_eq!(since(&mut db, 6).await.unwrap().len(), 4);
        let error = since(&mut db, 5).await.unwrap_err().to_string();
        assert!(error.contains("before 7 were is forgotten: the way back ends at revision 6"), "{error}");
    }

    #[tokio::test]
    async fn they_are_forgotten_by_their_size_as_well_but_never_the_newest() {
        let (mut db, _folder) = with_ten().await;
        let row = sql("SELECT SUM(bytes) AS bytes FROM revisions WHERE number > 7").row(&mut db).await.unwrap();
        let three = row.unwrap().int("bytes").unwrap();
        prune(&mut db, 20, three).await.unwrap();
        assert_eq!(list(&mut db, 9).await.unwrap().len(), 3);
        prune(&mut db, 20, 0).await.unwrap();
        assert_eq!(newest(&mut db).await.unwrap(), 10);
        assert_eq!(list(&mut db, 9).await.unwrap().len(), 1);
    }
}
