//! Events: the durable ones in a table, all of the last ones in a bounded ring, read as one history.

use super::Error;
use super::sql::{Conn, Row, Rows, either, sql};
use crate::model::*;
use std::collections::VecDeque;
use std::sync::Arc;
use uuid::Uuid;

/// How many events are kept in memory.
pub const RING: usize = 10_000;
/// And of those that no machine of ours has to do with.
const STRANGERS: usize = 2_000;

/// How many events the database keeps: some fifteen for each install.
pub const KEPT: usize = 200_000;

/// Which events to read. Each field that is set narrows it further.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilter {
    pub machine: Option<MachineId>,
    pub mac: Option<Mac>,
    /// Empty means all kinds.
    pub kinds: Vec<Kind>,
    /// Only what came after this event.
    pub after: Option<Uuid>,
    pub since: Option<Time>,
    /// At most so many, the newest.
    pub limit: usize,
}

impl Default for EventFilter {
    fn default() -> Self {
        EventFilter { machine: None, mac: None, kinds: Vec::new(), after: None, since: None, limit: 1000 }
    }
}

impl EventFilter {
    pub fn takes(&self, event: &Event) -> bool {
        self.machine.is_none_or(|id| event.machine == Some(id))
            && self.mac.is_none_or(|mac| event.mac == Some(mac))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && self.after.is_none_or(|after| event.id > after)
            && self.since.is_none_or(|since| event.at >= since)
    }

    /// `,alarm,state,`: what a row's kind is looked up in.
    fn kinds_text(&self) -> Option<String> {
        let words: Vec<&str> = self.kinds.iter().map(|kind| kind.word()).collect();
        (!words.is_empty()).then(|| format!(",{},", words.join(",")))
    }
}

/// The last events of this node, durable or not. What packets of strangers leave behind has a place of its
/// own: however many knock, they do not push out what machines lived through.
#[derive(Debug, Default)]
pub struct Ring {
    machines: VecDeque<Kept>,
    strangers: VecDeque<Kept>,
    /// How many were published.
    count: u64,
}

/// An event, and the place in the order of publication.
type Kept = (u64, Arc<Event>);

impl Ring {
    pub fn push(&mut self, event: Arc<Event>) {
        let (ring, most) = if event.machine.is_none() && !event.kind.is_durable() {
            (&mut self.strangers, STRANGERS)
        } else {
            (&mut self.machines, RING)
        };
        if ring.len() == most {
            ring.pop_front();
        }
        self.count += 1;
        ring.push_back((self.count, event));
    }

    /// What this node published after an event, in that order: an event's id is older than its
    /// publication, so that ids alone would pass over those that waited for a commit. None if the event
    /// is not remembered.
    pub fn since(&self, after: Uuid, filter: &EventFilter) -> Option<Vec<Event>> {
        let place = |ring: &VecDeque<Kept>| ring.iter().rev().find(|(_, event)| event.id == after).map(|kept| kept.0);
        let place = place(&self.machines).or_else(|| place(&self.strangers))?;
        let anywhere = EventFilter { after: None, ..filter.clone() };
        let later = |ring: &VecDeque<Kept>| ring.partition_point(|kept| kept.0 <= place);
        let (machines, strangers) = (later(&self.machines), later(&self.strangers));
        let mut all: Vec<&Kept> = self.machines.range(machines..).chain(self.strangers.range(strangers..)).collect();
        all.retain(|(_, event)| anywhere.takes(event));
        all.sort_unstable_by_key(|kept| kept.0);
        Some(all.into_iter().take(filter.limit).map(|(_, event)| Event::clone(event)).collect())
    }

    /// The last that fit, in no order.
    pub fn newest(&self, filter: &EventFilter) -> Vec<Event> {
        let last = |ring: &'_ VecDeque<Kept>| {
            let fit = ring.iter().rev().filter(|(_, event)| filter.takes(event)).take(filter.limit);
            fit.map(|(_, event)| Event::clone(event)).collect::<Vec<_>>()
        };
        [last(&self.machines), last(&self.strangers)].concat()
    }
}

pub async fn add(db: &mut Conn, events: &[&Event]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let insert = either(
        "INSERT INTO events (id, at, kind, machine, mac, ip, text, percent, revision) SELECT value->>0, value->>1,
        value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8 FROM json_each($1)",
        "INSERT INTO events (id, at, kind, machine, mac, ip, text, percent, revision) SELECT * FROM unnest($1::text[],
        $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[])",
    );
    let all = || events.iter();
    let rows = Rows::default().texts(all().map(|e| e.id)).ints(all().map(|e| e.at.0)).texts(all().map(|e| e.kind));
    let rows = rows.texts_or_null(all().map(|e| e.machine)).texts_or_null(all().map(|e| e.mac));
    let rows = rows.texts_or_null(all().map(|e| e.ip)).texts(all().map(|e| &e.text));
    let rows = rows.ints_or_null(all().map(|e| e.percent.map(i64::from)));
    let rows = rows.ints_or_null(all().map(|e| e.revision));
    insert.rows_of(rows).run(db).await.map(drop)
}

/// Forgets all but the newest.
pub async fn prune(db: &mut Conn, kept: usize) -> Result<(), Error> {
    let delete = "DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1 OFFSET $1)";
    sql(delete).int(i64::try_from(kept).unwrap_or(i64::MAX)).run(db).await.map(drop)
}

/// The rest of the three questions below: each has its own text so that each can use its own index.
macro_rules! newest {
    ($which:literal) => {
        concat!(
            "SELECT * FROM events WHERE ",
            $which,
            " AND ($2 IS NULL OR $2 LIKE '%,' || kind || ',%') AND id > $3 AND at >= $4
            AND ($5 IS NULL OR mac = $5) ORDER BY id DESC LIMIT $6"
        )
    };
}

/// The newest durable events.
pub async fn newest(db: &mut Conn, filter: &EventFilter) -> Result<Vec<Event>, Error> {
    let (text, of) = match (filter.machine, filter.mac) {
        (Some(machine), _) => (newest!("machine = $1"), Some(machine.to_string())),
        (None, Some(mac)) => (newest!("mac = $1"), Some(mac.to_string())),
        (None, None) => (newest!("$1 IS NULL"), None),
    };
    let statement = sql(text).text_or_null(of).text_or_null(filter.kinds_text());
    let statement = statement.text(filter.after.unwrap_or(Uuid::nil())).int(filter.since.map_or(i64::MIN, |t| t.0));
    let statement = statement.text_or_null(filter.mac).int(i64::try_from(filter.limit).unwrap_or(i64::MAX));
    statement.rows(db).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Event, Error> {
    Ok(Event {
        id: row.get("id")?,
        at: Time(row.int("at")?),
        kind: row.get("kind")?,
        machine: row.get_or_null("machine")?,
        mac: row.get_or_null("mac")?,
        ip: row.get_or_null("ip")?,
        text: row.text("text")?,
        percent: row.number_or_null("percent")?,
        revision: row.int_or_null("revision")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{load, sql::Database};
    use super::*;

    #[test]
    fn two_rings_are_read_as_one_and_machines_lines_stay() {
        let mut ring = Ring::default();
        let event = |n: u128, machine: bool, kind: Kind| {
            let machine = machine.then(|| MachineId(Uuid::nil()));
            let (id, at, text) = (Uuid::from_u128(n), Time::from_secs(1), String::new());
            Arc::new(Event { id, at, kind, machine, mac: None, ip: None, text, percent: None, revision: None })
        };
        ring.push(event(1, true, Kind::Offer));
        // An id is older than its publication: this one waited for a commit.
        ring.push(event(5, false, Kind::Silence));
        ring.push(event(2, true, Kind::Lease));
        ring.push(event(3, false, Kind::Alarm));
        let any = EventFilter { limit: 100_000, ..EventFilter::default() };
        let ids = |events: Vec<Event>| events.iter().map(|event| event.id.as_u128()).collect::<Vec<_>>();
        assert_eq!(ids(ring.since(Uuid::from_u128(1), &any).unwrap()), [5, 2, 3]);
        assert_eq!(ids(ring.since(Uuid::from_u128(5), &any).unwrap()), [2, 3]);
        assert_eq!(ring.since(Uuid::from_u128(9), &any), None);
        (10..50_000).for_each(|n| ring.push(event(n, false, Kind::Silence)));
        let mut kept = ids(ring.newest(&any));
        kept.sort();
        assert_eq!((&kept[..4], kept.len()), (&[1, 2, 3, 48_000][..], 3 + STRANGERS));
        (50_000..70_000).for_each(|n| ring.push(event(n, true, Kind::Offer)));
        assert_eq!(ring.newest(&any).len(), RING + STRANGERS);
    }

    #[tokio::test]
    async fn only_the_newest_history_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (database, _lock) = Database::at(&format!("sqlite://{}/k.db", folder.path().display())).await.unwrap();
        let mut db = database.connect().await.unwrap();
        load::migrate(&mut db).await.unwrap();
        for i in 0..10u128 {
            let (kind, text) = (Kind::State, format!("event {i}"));
            let (at, id) = (Time::from_secs(1), Uuid::from_u128(i + 1));
            let event =
                Event { id, at, kind, machine: None, mac: None, ip: None, text, percent: None, revision: Some(3) };
            add(&mut db, &[&event]).await.unwrap();
        }
        prune(&mut db, 20).await.unwrap();
        let all = newest(&mut db, &EventFilter::default()).await.unwrap();
        assert_eq!((all.len(), all[0].revision), (10, Some(3)));
        prune(&mut db, 3).await.unwrap();
        let kept = newest(&mut db, &EventFilter::default()).await.unwrap();
        assert_eq!(kept.iter().map(|e| e.text.as_str()).collect::<Vec<_>>(), ["event 9", "event 8", "event 7"]);
    }
}
