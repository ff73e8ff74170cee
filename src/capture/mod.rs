//! The last DHCP packets of each machine, in and out, in memory of a fixed size: what `kickstand capture` shows.
//!
//! [`pcap`] writes them as a file that tcpdump and Wireshark open, and reads that file again.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod pcap;

use crate::model::{Mac, Time};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes for packets of MACs with a record, and for those of strangers: a flood of these takes nothing of the others.
const KNOWN_BYTES: usize = 8 << 20;
const STRANGERS_BYTES: usize = 4 << 20;
/// How many packets of one MAC are kept.
const EACH: usize = 64;
/// What a frame carries without its headers.
const PACKET_BYTES: usize = 1472;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    In,
    /// To it.
    Out,
}

/// One packet, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub at: Time,
    pub direction: Direction,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    /// What UDP carried.
    pub payload: Arc<[u8]>,
    /// How long that was before it was cut.
    pub length: usize,
}

pub struct Captures(Mutex<[Room; 2]>);

impl Default for Captures {
    fn default() -> Self {
        Captures::limited(KNOWN_BYTES, STRANGERS_BYTES)
    }
}

impl Captures {
    fn limited(known: usize, strangers: usize) -> Captures {
        Captures(Mutex::new([known, strangers].map(|limit| Room { limit, ..Room::default() })))
    }

    /// Keeps a packet of this MAC; `known` says that a record holds it.
    pub fn note(&self, mac: Mac, note: Note, known: bool) {
        let [records, strangers] = &mut *self.rooms();
        if known { records } else { strangers }.take(mac, note);
    }

    /// What is remembered of a MAC, oldest first: also of the time before it had a record.
    pub fn of(&self, mac: Mac) -> Vec<Note> {
        let mut notes: Vec<Note> = self.rooms().iter().flat_map(|room| room.of(mac)).cloned().collect();
        notes.sort_by_key(|note| note.at);
        notes
    }

    /// The same as a file; none when nothing is remembered.
    pub fn pcap(&self, mac: Mac) -> Option<Vec<u8>> {
        let notes = self.of(mac);
        (!notes.is_empty()).then(|| pcap::write(mac, &notes))
    }

    /// How many bytes are in use: by MACs with a record, and by strangers.
    pub fn bytes(&self) -> [usize; 2] {
        self.rooms().each_ref().map(|room| room.bytes)
    }

    fn rooms(&self) -> MutexGuard<'_, [Room; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Packets of many MACs. When it is full, the MAC that was not heard for the longest is forgotten: the shelves
/// are a linked list by their places, so that no search grows with their number.
#[derive(Default)]
struct Room {
    limit: usize,
    bytes: usize,
    places: HashMap<Mac, usize>,
    shelves: Vec<Shelf>,
    /// Places whose shelf is empty and in no list.
    vacant: Vec<usize>,
    oldest: Option<usize>,
    newest: Option<usize>,
}

/// The packets of one MAC, and its neighbours in the list.
struct Shelf {
    mac: Mac,
    notes: VecDeque<Note>,
    bytes: usize,
    older: Option<usize>,
    newer: Option<usize>,
}

/// What a MAC takes besides its packets: two entries' room in the map, and a queue that begins with four places.
const SHELF_BYTES: usize = 2 * size_of::<(Mac, usize, Shelf)>() + 4 * size_of::<Note>();

impl Note {
    /// What is longer than a frame carries is cut.
    pub fn new(at: Time, direction: Direction, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Note {
        let kept = payload.get(..PACKET_BYTES).unwrap_or(payload);
        Note { at, direction, from, to, payload: kept.into(), length: payload.len() }
    }

    /// Queues have up to twice as many places as they need, and each payload has two counts.
    fn bytes(&self) -> usize {
        const BESIDES: usize = 2 * size_of::<Note>() + 2 * size_of::<usize>();
        self.payload.len().saturating_add(BESIDES)
    }
}

impl Room {
    fn of(&self, mac: Mac) -> impl Iterator<Item = &Note> {
        let place = self.places.get(&mac).copied();
        place.and_then(|place| self.shelves.get(place)).into_iter().flat_map(|shelf| &shelf.notes)
    }

    fn take(&mut self, mac: Mac, note: Note) {
        let place = match self.places.get(&mac) {
            Some(place) => *place,
            None => self.open(mac),
        };
        self.make_newest(place);
        let Some(shelf) = self.shelves.get_mut(place) else { return };
        let before = shelf.bytes;
        shelf.take(note);
        self.bytes = self.bytes.saturating_add(shelf.bytes).saturating_sub(before);
        while self.bytes > self.limit
            && let Some(oldest) = self.oldest
        {
            self.close(oldest);
        }
    }

    /// A place for a MAC that has none, in no list yet.
    fn open(&mut self, mac: Mac) -> usize {
        self.bytes = self.bytes.saturating_add(SHELF_BYTES);
        let place = self.vacant.pop().unwrap_or(self.shelves.len());
        match self.shelves.get_mut(place) {
            Some(vacant) => (vacant.mac, vacant.bytes) = (mac, SHELF_BYTES),
            None => {
                self.shelves.push(Shelf { mac, notes: VecDeque::new(), bytes: SHELF_BYTES, older: None, newer: None })
            }
        }
        self.places.insert(mac, place);
        place
    }

    fn close(&mut self, place: usize) {
        self.unlink(place);
        let Some(shelf) = self.shelves.get_mut(place) else { return };
        self.bytes = self.bytes.saturating_sub(shelf.bytes);
        self.places.remove(&shelf.mac);
        shelf.notes = VecDeque::new();
        self.vacant.push(place);
    }

    fn make_newest(&mut self, place: usize) {
        if self.newest == Some(place) {
            return;
        }
        self.unlink(place);
        match self.newest.and_then(|newest| self.shelves.get_mut(newest)) {
            Some(newest) => newest.newer = Some(place),
            None => self.oldest = Some(place),
        }
        if let Some(shelf) = self.shelves.get_mut(place) {
            shelf.older = self.newest;
        }
        self.newest = Some(place);
    }

    /// Takes a shelf out of the list, if it is in it.
    fn unlink(&mut self, place: usize) {
        let Some(shelf) = self.shelves.get_mut(place) else { return };
        let (older, newer) = (shelf.older.take(), shelf.newer.take());
        match older.and_then(|older| self.shelves.get_mut(older)) {
            Some(older) => older.newer = newer,
            None if self.oldest == Some(place) => self.oldest = newer,
            None => {}
        }
        match newer.and_then(|newer| self.shelves.get_mut(newer)) {
            Some(newer) => newer.older = older,
            None if self.newest == Some(place) => self.newest = older,
            None => {}
        }
    }
}

impl Shelf {
    fn take(&mut self, note: Note) {
        if self.notes.len() >= EACH
            && let Some(first) = self.notes.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(first.bytes());
        }
        self.bytes = self.bytes.saturating_add(note.bytes());
        self.notes.push_back(note);
    }
}

#[cfg(test)]
mod tests;
