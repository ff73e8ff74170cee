//! One transfer as a state machine: packets and moments in, actions out; no socket, no clock.

use super::options::Agreement;
use super::packet::{Packet, Read, code};
use super::{Ending, Limits};
use bytes::Bytes;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// To the client of this transfer.
    Send(Packet),
    /// The last action; nothing must be asked of the transfer after it.
    End(Ending),
}

/// One block (or the OACK) is in flight at any time; only its acknowledgement brings the next one.
///
/// An acknowledgement of any other block is never answered, else each packet that the network doubled would be doubled
/// until the end of the file: the Sorcerer's Apprentice (RFC 1123 §4.2.3.1).
#[derive(Debug)]
pub struct Transfer {
    content: Bytes,
    agreement: Agreement,
    limits: Limits,
    /// In flight; 0 is the OACK. On the wire it rolls over from 65535 to 0.
    block: u64,
    /// The client acknowledged something: the address is not forged.
    is_proven: bool,
    /// How often the packet in flight was sent since the client was last heard.
    tries: u32,
    resend_at: Instant,
    heard_at: Instant,
    started_at: Instant,
}

impl Transfer {
    pub fn start(read: &Read, content: Bytes, limits: Limits, now: Instant) -> (Transfer, Vec<Action>) {
        let agreement = Agreement::reach(&read.options, length(&content), &limits);
        let mut transfer = Transfer {
            block: 0,
            content,
            agreement,
            limits,
            is_proven: false,
            tries: 0,
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
        if self.is_proven && !is_silent { Vec::new() } else { self.restart(now) }
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
        self.offset().min(length(&self.content))
    }

    fn on_ack(&mut self, block: u16, now: Instant) -> Vec<Action> {
        if block != on_the_wire(self.block) {
            self.on_other_ack(now);
            return Vec::new();
        }
        let is_last = self.block != 0 && self.payload().len() < usize::from(self.agreement.blksize);
        self.is_proven = true;
        self.heard_at = now;
        self.tries = 0;
        self.block = self.block.saturating_add(1);
        if is_last { vec![Action::End(Ending::Complete)] } else { self.send(now) }
    }

    /// The client is alive and waits for the packet in flight, which is sent again when its time comes, not now.
    fn on_other_ack(&mut self, now: Instant) {
        if self.is_proven {
            self.heard_at = now;
            self.tries = self.tries.min(1);
        }
    }

    fn restart(&mut self, now: Instant) -> Vec<Action> {
        self.block = if self.agreement.accepted.is_empty() { 1 } else { 0 };
        self.is_proven = false;
        self.heard_at = now;
        self.tries = 0;
        self.send(now)
    }

    fn send(&mut self, now: Instant) -> Vec<Action> {
        let wait = self.agreement.wait.saturating_mul(2_u32.saturating_pow(self.tries));
        self.tries = self.tries.saturating_add(1);
        self.resend_at = later(now, wait);
        vec![Action::Send(self.in_flight())]
    }

    fn in_flight(&self) -> Packet {
        match self.block {
            0 => Packet::OptionAck(self.agreement.accepted.clone()),
            block => Packet::Data { block: on_the_wire(block), payload: self.payload() },
        }
    }

    /// Of the block in flight. The last one is shorter than the others, or empty.
    fn payload(&self) -> Bytes {
        let size = self.content.len();
        let start = usize::try_from(self.offset()).unwrap_or(size).min(size);
        let end = start.saturating_add(self.agreement.blksize.into()).min(size);
        self.content.slice(start..end)
    }

    /// Where the block in flight begins.
    fn offset(&self) -> u64 {
        self.block.saturating_sub(1).saturating_mul(self.agreement.blksize.into())
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

fn length(content: &Bytes) -> u64 {
    u64::try_from(content.len()).unwrap_or(u64::MAX)
}

fn on_the_wire(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// A wait that no clock can hold is no wait: the limits are ours, not the client's.
fn later(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait).unwrap_or(from)
}
