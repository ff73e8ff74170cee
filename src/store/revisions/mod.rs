//! Revisions: their rows. Each is written in the transaction of the change that it tells of.
//!
//! `turns` finds out what a change was of, `written` is how records lie in a row, `plan` what a rollback comes to, and
//! `restore` writes that, machines by way of `fleet`.

mod fleet;
mod plan;
mod restore;
mod turns;
mod written;

pub use plan::{Fold, Plan, plan};
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

/// The number of the oldest that is kept; 0 before the first.
pub async fn oldest(db: &mut Conn) -> Result<i64, Error> {
    let row = sql("SELECT MIN(number) AS number FROM revisions").row(db).await?;
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

/// All that came after one, up to the newest, whose number is told, too. Refused where it is not all kept.
pub async fn since(db: &mut Conn, number: i64) -> Result<(i64, Fold), Error> {
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
    let (mut fold, mut count) = (Fold::default(), 0);
    let take = |row: &Row| {
        fold.take(turns_of(row)?);
        count += 1;
        Ok(())
    };
    // What comes meanwhile is not of this; what is forgotten meanwhile would be missing in it.
    let select = sql("SELECT turns FROM revisions WHERE number > $1 AND number <= $2 ORDER BY number DESC");
    select.int(number).int(last).each(db, take).await?;
    if count == last - number { Ok((last, fold)) } else { Err(Error::Conflict) }
}

fn line(row: &Row) -> Result<RevisionLine, Error> {
    let (number, at, by) = (row.int("number")?, Time(row.int("at")?), row.text("by_whom")?);
    Ok(RevisionLine { number, at, by, what: row.text("what")?, records: row.json("records")? })
}

fn read(row: &Row) -> Result<Revision, Error> {
    let RevisionLine { number, at, by, what, .. } = line(row)?;
    Ok(Revision { number, at, by, what, turns: turns_of(row)? })
}

fn turns_of(row: &Row) -> Result<Vec<Turn>, Error> {
    let written: Vec<Written> = row.json("turns")?;
    let turns = written.into_iter().map(Written::read).collect::<Option<_>>();
    turns.ok_or_else(|| row.spoiled("turns", "a broken secret"))
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
    use super::super::{World, keys, load, sql::Database};
    use super::*;

    /// Ten revisions of one record, each of what the last one left.
    async fn with_ten() -> (Conn, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let (database, _lock) = Database::at(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let mut db = database.connect().await.unwrap();
        load::migrate(&mut db).await.unwrap();
        for n in 1..=10 {
            let set = |n: u32| {
                let mut set = OptionSet::default();
                set.put("ntp-servers", &format!("10.0.0.{n}")).unwrap();
                Some(Record::Options(set))
            };
            let turn = Turn::new(set(n - 1), set(n));
            let outcome = Outcome { turns: vec![turn], ..Outcome::default() };
            assert_eq!(add(&mut db, &outcome, "root", Time::from_secs(n.into())).await.unwrap(), Some(n.into()));
        }
        (db, folder)
    }

    #[tokio::test]
    async fn the_oldest_are_forgotten_and_the_way_back_ends_where_they_do() {
        let (mut db, _folder) = with_ten().await;
        prune(&mut db, 20, 1 << 20).await.unwrap();
        assert_eq!(since(&mut db, 0).await.unwrap().0, 10);
        prune(&mut db, 4, 1 << 20).await.unwrap();
        assert_eq!(list(&mut db, 9).await.unwrap().iter().map(|line| line.number).collect::<Vec<_>>(), [10, 9, 8, 7]);
        let (last, fold) = since(&mut db, 6).await.unwrap();
        let plan = plan(fold, |_| false, |_, _, _| true);
        let said = |record: &Option<Record>| match record {
            Some(Record::Options(set)) => serde_json::to_value(set).unwrap()["ntp-servers"].clone(),
            other => panic!("{other:?}"),
        };
        let turns: Vec<_> = plan.turns.iter().map(|turn| (said(&turn.before), said(&turn.after))).collect();
        assert_eq!((last, turns), (10, vec![("10.0.0.10".into(), "10.0.0.6".into())]));
        let error = since(&mut db, 5).await.err().unwrap().to_string();
        assert!(error.contains("before 7 were is forgotten: the way back ends at revision 6"), "{error}");
    }

    #[tokio::test]
    async fn when_a_record_was_changed_is_known_as_far_back_as_revisions_are_kept() {
        let (mut db, _folder) = with_ten().await;
        let of = |world: &World, noun, name: &str| world.last_changed(noun, name);
        // A record of before there were revisions, and a revision of one that is gone.
        let old = ActivationKey::new("old".parse().unwrap());
        keys::add(&mut db, &old).await.unwrap();
        let gone = ActivationKey { name: "gone".parse().unwrap(), ..old };
        let outcome = Outcome { turns: vec![Turn::new(Some(Record::Key(gone)), None)], ..Outcome::default() };
        add(&mut db, &outcome, "root", Time::from_secs(11)).await.unwrap();
        let mut world = load::world(&mut db).await.unwrap();
        assert_eq!(of(&world, Noun::Options, "everybody"), Some(Since::Revision(10)));
        assert_eq!(of(&world, Noun::Key, "old"), Some(Since::Before(1)));
        assert_eq!((of(&world, Noun::Key, "gone"), world.count_changed()), (None, 1));
        prune(&mut db, 1, 1 << 20).await.unwrap();
        world.put_oldest_revision(oldest(&mut db).await.unwrap());
        for world in [world, load::world(&mut db).await.unwrap()] {
            assert_eq!(of(&world, Noun::Options, "everybody"), Some(Since::Before(11)));
            assert_eq!((of(&world, Noun::Key, "old"), world.count_changed()), (Some(Since::Before(11)), 0));
        }
        assert_eq!(Since::Before(11).to_string(), "before revision 11");
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
