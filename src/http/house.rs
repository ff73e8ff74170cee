//! Who is in: how many connections there are, how long each has not got on, and who must go when the house is full.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What the house allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once, in all and from one address.
    pub connections: usize,
    pub connections_each: usize,
    /// How long a client may take no byte of an answer.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connections: 8192, connections_each: 256, stalled: Duration::from_secs(60) }
    }
}

/// For scripts, answer files and reports: what is in the middle of an install gets in while files crowd the house.
const KEPT: usize = 64;
/// Who has not got on for so long may be sent away for another.
const PATIENCE_MS: u64 = 1000;
/// Less than this much is no progress: a byte now and then keeps nobody's place.
const PROGRESS_BYTES: u64 = 64 * 1024;
/// How long a connection may lie idle between two requests, and when the house is nearly full.
const IDLE: Duration = Duration::from_secs(60);
const IDLE_CROWDED: Duration = Duration::from_secs(10);
/// At work for it: not the client's fault, so it never counts as stalled.
const BUSY: u64 = u64::MAX;

/// All connections of all doors.
#[derive(Clone)]
pub struct House(Arc<Inner>);

struct Inner {
    limits: Limits,
    opened: Instant,
    rooms: Mutex<Rooms>,
}

#[derive(Default)]
struct Rooms {
    next: u64,
    seats: HashMap<u64, (IpAddr, Arc<Seat>)>,
    each: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when it is dropped.
pub struct Place {
    house: House,
    id: u64,
    pub seat: Arc<Seat>,
}

/// How a connection gets on.
pub struct Seat {
    opened: Instant,
    /// When it last got on, in milliseconds of the house's life; or BUSY.
    since_ms: AtomicU64,
    /// Bytes since then.
    moved: AtomicU64,
    /// One of the KEPT.
    is_kept: AtomicBool,
    /// Not all of an answer is the kernel's yet.
    is_answering: AtomicBool,
    cut: Notify,
}

impl House {
    pub fn new(limits: Limits) -> House {
        House(Arc::new(Inner { limits, opened: Instant::now(), rooms: Mutex::default() }))
    }

    /// A place for a connection from there. In a full house somebody else goes who has not got on for long.
    pub fn enter(&self, from: IpAddr) -> Option<Place> {
        let mut rooms = self.rooms();
        let now_ms = self.now_ms();
        let own = rooms.each.get(&from).copied().unwrap_or_default();
        if own >= self.0.limits.connections_each && !rooms.cut_one(now_ms, |ip| ip == from) {
            return None;
        }
        let is_full = rooms.seats.len() >= self.0.limits.connections && !rooms.cut_one(now_ms, |_| true);
        if is_full && rooms.seats.len() >= self.0.limits.connections.saturating_add(KEPT) {
            return None;
        }
        let seat = Arc::new(Seat {
            opened: self.0.opened,
            since_ms: AtomicU64::new(now_ms),
            moved: AtomicU64::new(0),
            is_kept: AtomicBool::new(is_full),
            is_answering: AtomicBool::new(false),
            cut: Notify::new(),
        });
        rooms.next = rooms.next.wrapping_add(1);
        let id = rooms.next;
        rooms.seats.insert(id, (from, seat.clone()));
        let own = rooms.each.entry(from).or_default();
        *own = own.saturating_add(1);
        Some(Place { house: self.clone(), id, seat })
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        since(self.0.opened)
    }

    fn has_room(&self) -> bool {
        self.rooms().seats.len() <= self.0.limits.connections
    }
}

impl Rooms {
    /// Sends away who has not got on for longest, if that is long enough.
    fn cut_one(&mut self, now_ms: u64, may_go: impl Fn(IpAddr) -> bool) -> bool {
        let all = self.seats.iter().filter(|(_, (from, _))| may_go(*from));
        let longest = all.map(|(id, (_, seat))| (seat.since_ms.load(Relaxed), *id)).min();
        let Some((_, id)) = longest.filter(|(since_ms, _)| since_ms.saturating_add(PATIENCE_MS) <= now_ms) else {
            return false;
        };
        if let Some(seat) = self.leave(id) {
            seat.cut.notify_one();
        }
        true
    }

    fn leave(&mut self, id: u64) -> Option<Arc<Seat>> {
        let (from, seat) = self.seats.remove(&id)?;
        if let Some(own) = self.each.get_mut(&from) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.each.remove(&from);
            }
        }
        Some(seat)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.house.rooms().leave(self.id);
    }
}

impl Place {
    /// Ends when it must go for another.
    pub async fn is_cut(&self) {
        self.seat.cut.notified().await;
    }

    pub fn stalled_limit(&self) -> Duration {
        self.house.0.limits.stalled
    }

    pub fn idle_limit(&self) -> Duration {
        let (all, most) = (self.house.rooms().seats.len(), self.house.0.limits.connections);
        if all > most / 5 * 4 { IDLE_CROWDED } else { IDLE }
    }

    /// A place that is kept for installs is for nothing else, unless there is room again.
    pub fn may_ask(&self, path: &str) -> bool {
        let is_kept = self.seat.is_kept.load(Relaxed);
        if is_kept && self.house.has_room() {
            self.seat.is_kept.store(false, Relaxed);
            return true;
        }
        !is_kept
            || ["/boot/", "/ca.pem", "/answer/", "/report/", "/agent/", "/cblr/svc/"]
                .iter()
                .any(|start| path.starts_with(start))
    }
}

impl Seat {
    /// The client did what is its to do: it asked, or took the last byte.
    pub fn got_on(&self) {
        self.moved.store(0, Relaxed);
        self.since_ms.store(since(self.opened), Relaxed);
    }

    /// The server is at work for it.
    pub fn busy(&self) {
        self.since_ms.store(BUSY, Relaxed);
    }

    /// An answer began, or all of it is the kernel's.
    pub fn answers(&self, is_answering: bool) {
        self.is_answering.store(is_answering, Relaxed);
    }

    pub fn is_answering(&self) -> bool {
        self.is_answering.load(Relaxed)
    }

    /// So many bytes went to or fro.
    pub fn moved(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.moved.fetch_add(bytes, Relaxed).saturating_add(bytes) >= PROGRESS_BYTES {
            self.got_on();
        }
    }
}

fn since(opened: Instant) -> u64 {
    u64::try_from(opened.elapsed().as_millis()).unwrap_or(BUSY.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn house(connections: usize, connections_each: usize) -> House {
        House::new(Limits { connections, connections_each, ..Limits::default() })
    }

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    /// As if it had not got on since then.
    fn stalled_since(house: &House, since_ms: u64) -> Vec<Arc<Seat>> {
        let rooms = house.rooms();
        rooms
            .seats
            .values()
            .map(|(_, seat)| seat.clone())
            .inspect(|seat| seat.since_ms.store(since_ms, Relaxed))
            .collect()
    }

    fn is_cut(seat: &Seat) -> bool {
        let mut cut = std::pin::pin!(seat.cut.notified());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::future::Future::poll(cut.as_mut(), &mut context).is_ready()
    }

    /// A house that has been open for an hour.
    fn old(house: House) -> House {
        let opened = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
        House(Arc::new(Inner { limits: house.0.limits, opened, rooms: Mutex::default() }))
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let house = house(10, 2);
        let first = house.enter(ip(1)).unwrap();
        let _second = house.enter(ip(1)).unwrap();
        assert!(house.enter(ip(1)).is_none());
        assert!(house.enter(ip(2)).is_some());
        drop(first);
        assert!(house.enter(ip(1)).is_some());
    }

    #[test]
    fn in_a_full_house_the_longest_stalled_goes() {
        let house = old(house(3, 10));
        let slow = house.enter(ip(1)).unwrap();
        let slower = house.enter(ip(2)).unwrap();
        let at_work = house.enter(ip(3)).unwrap();
        slow.seat.since_ms.store(2000, Relaxed);
        slower.seat.since_ms.store(1000, Relaxed);
        at_work.seat.busy();
        let _new = house.enter(ip(4)).unwrap();
        assert_eq!([&slow, &slower, &at_work].map(|place| is_cut(&place.seat)), [false, true, false]);
        drop(slower);
        assert_eq!(house.rooms().seats.len(), 3, "who was cut is counted once");
        assert!(!house.rooms().each.contains_key(&ip(2)));
    }

    #[test]
    fn the_last_places_are_for_installs() {
        let house = house(2, 100);
        let (_a, b) = (house.enter(ip(1)).unwrap(), house.enter(ip(2)).unwrap());
        let kept = house.enter(ip(3)).unwrap();
        assert!(!kept.may_ask("/files/d/vmlinuz"));
        assert!(kept.may_ask("/boot/52-54-00-00-00-01/script.ipxe") && kept.may_ask("/answer/x"));
        let more: Vec<_> = (1..KEPT).map(|_| house.enter(ip(4)).unwrap()).collect();
        assert!(house.enter(ip(5)).is_none());
        drop((more, b));
        assert!(kept.may_ask("/files/d/vmlinuz"), "there is room again");
    }

    #[test]
    fn a_byte_now_and_then_is_no_progress() {
        let house = old(house(1, 10));
        let trickling = house.enter(ip(1)).unwrap();
        stalled_since(&house, 5);
        (0..100).for_each(|_| trickling.seat.moved(100));
        assert_eq!(trickling.seat.since_ms.load(Relaxed), 5);
        trickling.seat.moved(64 * 1024);
        assert!(trickling.seat.since_ms.load(Relaxed) > 3_000_000);
    }

    #[test]
    fn an_address_that_has_all_its_places_loses_its_own_first() {
        let house = old(house(10, 2));
        let (_other, mine) = (house.enter(ip(1)).unwrap(), house.enter(ip(2)).unwrap());
        let _mine_too = house.enter(ip(2)).unwrap();
        stalled_since(&house, 7);
        mine.seat.since_ms.store(8, Relaxed);
        let seats = stalled_since(&house, 7);
        mine.seat.since_ms.store(3, Relaxed);
        let _new = house.enter(ip(2)).unwrap();
        assert!(is_cut(&mine.seat));
        assert_eq!(seats.iter().filter(|seat| is_cut(seat)).count(), 0, "nobody else");
    }
}
