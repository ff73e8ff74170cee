//! One transfer as a state machine: packets and moments in, actions out; no socket, no clock.

use super::options::Agreement;
use super::packet::{Packet, Read, code};
use super::{Ending, Limits};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To the client of this transfer: the OACK, or an error.
    Send(Packet),
    /// To the client, all at once: blocks that follow each other, each with the [`Span`] of the file that it holds.
    Blocks { first: u64, count: u16 },
    /// The last action; nothing must be asked of the transfer after it.
    End(Ending),
}

/// Where a block's bytes are in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

/// A window of blocks (most often of one), or the OACK, is in flight at any time; only the acknowledgement of its last
/// brings the next one.
///
/// An acknowledgement within the window says that something behind that block was lost: the rest is sent again at once,
/// and a whole window with it (RFC 7440 §4). The acknowledgement of the block before the window may say the same, of its
/// first block, or be a copy of one that was answered: it counts only when the window had the time to reach the client and
/// be answered, for one window in two (the answers to a window that was sent twice are such copies), and not at all where
/// the window is one block. Else each packet that the network doubled would be doubled until the end of the
/// file: the Sorcerer's Apprentice (RFC 1123 §4.2.3.1).
#[derive(Debug)]
pub struct Transfer {
    size_bytes: u64,
    agreement: Agreement,
    limits: Limits,
    /// The first that is not acknowledged; 0 is the OACK. On the wire it rolls over from 65535 to 0.
    base: u64,
    /// The first that was not sent since `base` moved.
    next: u64,
    /// The client acknowledged something: the address is not forged.
    is_proven: bool,
    /// How often the window in flight was sent since the client was last heard.
    tries: u32,
    sent_at: Instant,
    /// What is in flight was sent once only, so its acknowledgement tells how long the way is.
    is_sent_once: bool,
    /// How long acknowledgements take, smoothed (RFC 6298).
    way: Option<Duration>,
    /// When a window was last sent before its time.
    hastened_at: Option<Instant>,
    /// What is in flight was sent again for an acknowledgement that may have been a copy.
    is_repeated: bool,
    /// The same of the window before: what looks like copies now are the answers to its second copy.
    was_repeated: bool,
    resend_at: Instant,
    heard_at: Instant,
    started_at: Instant,
}

impl Transfer {
    pub fn start(read: &Read, size_bytes: u64, limits: Limits, now: Instant) -> (Transfer, Vec<Action>) {
        let agreement = Agreement::reach(&read.options, size_bytes, &limits);
        let mut transfer = Transfer {
            base: 0,
            next: 0,
            size_bytes,
            agreement,
            limits,
            is_proven: false,
            tries: 0,
            sent_at: now,
            is_sent_once: false,
            way: None,
            hastened_at: None,
            is_repeated: false,
            was_repeated: false,
            resend_at: now,
            heard_at: now,
            started_at: now,
        };
        let actions = transfer.restart(now);
        (transfer, actions)
    }

    /// A packet from this transfer's client. What does not belong here is passed over: a stray packet ends nothing.
    pub fn on_packet(&mut self, packet: &Packet, now: Instant) -> Vec<Action> {
        if now >= self.over_at() {
            return took_too_long();
        }
        match packet {
            Packet::Ack(block) => self.on_ack(*block, now),
            Packet::Error { code, message } => {
                vec![Action::End(Ending::AbortedByClient { code: *code, message: message.clone() })]
            }
            _ => Vec::new(),
        }
    }

    /// The same request again, from the same port. Before the first acknowledgement our answer was lost; after a long
    /// silence the machine was reset and begins anew (boot ROMs use the same ports on each start). Otherwise it is a
    /// late copy, and answering would confuse a client that is far ahead.
    pub fn on_repeat(&mut self, now: Instant) -> Vec<Action> {
        let is_silent = self.tries > 2;
        if self.is_proven && !is_silent {
            return Vec::new();
        }
        let actions = self.restart(now);
        // Which of the two answers is acknowledged nobody knows (Karn).
        self.is_sent_once = false;
        actions
    }

    /// When `on_timeout` wants to be called, at the latest.
    pub fn deadline(&self) -> Instant {
        self.resend_at.min(self.idle_at()).min(self.over_at())
    }

    pub fn on_timeout(&mut self, now: Instant) -> Vec<Action> {
        if now >= self.over_at() {
            return took_too_long();
        }
        if now >= self.idle_at() || (now >= self.resend_at && self.tries >= self.max_tries()) {
            return vec![Action::End(Ending::TimedOut)];
        }
        if now >= self.resend_at { self.send(now) } else { Vec::new() }
    }

    /// What the client has acknowledged.
    pub fn bytes_acknowledged(&self) -> u64 {
        self.offset(self.base).min(self.size_bytes)
    }

    /// What the block with this number holds: less than the others, or nothing, at the end.
    pub fn span(&self, block: u64) -> Span {
        let from = self.offset(block).min(self.size_bytes);
        Span { from, to: from.saturating_add(self.agreement.blksize.into()).min(self.size_bytes) }
    }

    pub fn blksize(&self) -> u16 {
        self.agreement.blksize
    }

    pub fn windowsize(&self) -> u16 {
        self.agreement.windowsize
    }

    fn on_ack(&mut self, block: u16, now: Instant) -> Vec<Action> {
        let in_flight = (self.base..self.next).find(|number| on_the_wire(*number) == block);
        let Some(number) = in_flight else {
            self.on_other_ack(now);
            let lost_its_first = self.base.checked_sub(1).is_some_and(|before| on_the_wire(before) == block);
            return if lost_its_first && !self.may_be_copy(now) {
                self.is_repeated = true;
                self.hasten(now)
            } else {
                Vec::new()
            };
        };
        if self.is_sent_once && number.saturating_add(1) == self.next {
            self.measure(now);
        }
        self.is_proven = true;
        self.heard_at = now;
        self.tries = 0;
        self.base = number.saturating_add(1);
        self.was_repeated = std::mem::take(&mut self.is_repeated);
        match number {
            number if number == self.last() => vec![Action::End(Ending::Complete)],
            number if number.saturating_add(1) == self.next => self.send(now),
            _ => self.hasten(now),
        }
    }

    /// The acknowledgement before the window came once more, but sooner than the client can have missed anything, or
    /// because it had the last window twice.
    fn may_be_copy(&self, now: Instant) -> bool {
        let most_of_way = self.way.and_then(|way| way.saturating_mul(3).checked_div(4)).unwrap_or_default();
        self.was_repeated || now < later(self.sent_at, self.limits.window_pause.max(most_of_way))
    }

    fn measure(&mut self, now: Instant) {
        let taken = now.saturating_duration_since(self.sent_at);
        let smoothed = |way: Duration| (way.saturating_mul(7).saturating_add(taken)).checked_div(8).unwrap_or(way);
        self.way = Some(self.way.map_or(taken, smoothed));
    }

    /// Until what is in flight is sent for the second time. A client that said how long it waits is taken at its word.
    fn wait(&self) -> Duration {
        match self.way {
            Some(way) if !self.agreement.is_wait_asked => {
                way.saturating_mul(4).max(self.limits.min_wait).min(self.agreement.wait)
            }
            _ => self.agreement.wait,
        }
    }

    /// Sends what the client misses before its time: at once, but not again before the pause is over.
    fn hasten(&mut self, now: Instant) -> Vec<Action> {
        let allowed_at = self.hastened_at.map_or(now, |at| later(at, self.limits.window_pause));
        match self.agreement.windowsize {
            0 | 1 => Vec::new(),
            _ if now >= allowed_at => {
                self.hastened_at = Some(now);
                self.send(now)
            }
            _ => {
                self.resend_at = self.resend_at.min(allowed_at);
                Vec::new()
            }
        }
    }

    /// The client is alive and waits for what is in flight, which is sent again when its time comes.
    fn on_other_ack(&mut self, now: Instant) {
        if self.is_proven {
            self.heard_at = now;
            self.tries = self.tries.min(1);
        }
    }

    fn restart(&mut self, now: Instant) -> Vec<Action> {
        self.base = if self.agreement.accepted.is_empty() { 1 } else { 0 };
        self.next = self.base;
        self.is_proven = false;
        self.heard_at = now;
        self.tries = 0;
        self.way = None;
        (self.is_repeated, self.was_repeated) = (false, false);
        self.send(now)
    }

    fn send(&mut self, now: Instant) -> Vec<Action> {
        let wait = self.wait().saturating_mul(2_u32.saturating_pow(self.tries));
        self.tries = self.tries.saturating_add(1);
        self.sent_at = now;
        self.resend_at = later(now, wait);
        self.is_sent_once = self.base >= self.next;
        if self.base == 0 {
            self.next = 1;
            return vec![Action::Send(Packet::OptionAck(self.agreement.accepted.clone()))];
        }
        let window = self.base.saturating_add(self.agreement.windowsize.into());
        self.next = window.min(self.last().saturating_add(1));
        let count = u16::try_from(self.next.saturating_sub(self.base)).unwrap_or(1);
        vec![Action::Blocks { first: self.base, count }]
    }

    /// Shorter than the others, or empty.
    fn last(&self) -> u64 {
        let whole = self.size_bytes.checked_div(self.agreement.blksize.into()).unwrap_or(0);
        whole.saturating_add(1)
    }

    /// Where a block begins.
    fn offset(&self, block: u64) -> u64 {
        block.saturating_sub(1).saturating_mul(self.agreement.blksize.into())
    }

    fn max_tries(&self) -> u32 {
        if self.is_proven { self.limits.max_tries } else { self.limits.max_tries_unproven }
    }

    fn idle_at(&self) -> Instant {
        later(self.heard_at, self.limits.max_idle)
    }

    fn over_at(&self) -> Instant {
        later(self.started_at, self.limits.max_duration)
    }
}

fn took_too_long() -> Vec<Action> {
    vec![Action::Send(Packet::error(code::OTHER, "the transfer took too long")), Action::End(Ending::TimedOut)]
}

/// The number that a block has in its header: it rolls over from 65535 to 0.
pub fn on_the_wire(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// A wait that no clock can hold is no wait: the limits are ours, not the client's.
fn later(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait).unwrap_or(from)
}
