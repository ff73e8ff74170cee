//! TFTP: what firmware reads its first program with. Read only; a few threads, each with one socket for many transfers.
//!
//! In reading order: [`packet`] (bytes and packets), [`request`] (what a datagram asks, and who is never answered),
//! [`options`] (block size, window, timeout, size), [`transfer`] (one transfer as a state machine), [`server`] (the
//! listening sockets), [`turns`] (which lane is next), [`lane`] (a thread with many transfers, which lie on its
//! [`desk`]), [`outgoing`] (how blocks leave) and [`mtu`] (how large they may be). Which bytes a name stands for is answered by a [`Library`]; [`cache`] and [`content`] hold them.
//!
//! Deliberately absent: writing; multicast (RFC 2090); paths, for a name is a key of a catalogue.
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

pub mod cache;
pub mod content;
pub mod desk;
pub mod lane;
mod library;
mod mtu;
pub mod options;
mod outgoing;
pub mod packet;
pub mod request;
pub mod server;
pub mod transfer;
mod turns;

#[cfg(test)]
mod tests;

pub use content::Content;
pub use library::Loaders;
pub use server::Server;

use packet::{Packet, code};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Which bytes a name stands for, for this client. For every `open` there is one `ended`, unless it panicked.
pub trait Library: Send + Sync + 'static {
    /// The whole file, which stays as it is until the transfer ends. Dropped when it takes longer than
    /// [`Limits::max_idle`].
    fn open(&self, request: Request) -> impl Future<Output = Result<Content, Refusal>> + Send;

    /// Whether the client is on a network that we serve: nobody else is answered, not even with an error, since the
    /// address may be forged. Must not block.
    fn is_ours(&self, client: SocketAddr) -> bool;

    /// What this client must not be agreed to, though others may: asked after `open`.
    fn caps(&self, _request: &Request) -> Caps {
        Caps::default()
    }

    /// A transfer ended: for the timeline. Must not block.
    fn ended(&self, outcome: Outcome);
}

/// For clients whose firmware asks for more than it bears.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    pub max_blksize: Option<u16>,
    pub max_windowsize: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Normalised: `boot/x`, never `/boot//x`, `\boot\x` or `boot/../x`.
    pub name: String,
    pub client: SocketAddr,
    /// Which of our addresses was asked; the answer comes from there.
    pub local: IpAddr,
}

/// The texts go to the client, whose firmware may show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotFound(String),
    Denied(String),
    /// Not a byte goes out: for a client that we do not know, whose address may be forged.
    Silence(String),
}

impl Refusal {
    /// What the client is told: the one place where our reasons become TFTP's codes.
    fn packet(&self) -> Option<Packet> {
        match self {
            Refusal::NotFound(text) => Some(Packet::error(code::NOT_FOUND, text)),
            Refusal::Denied(text) => Some(Packet::error(code::DENIED, text)),
            Refusal::Silence(_) => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub request: Request,
    /// What the client acknowledged.
    pub bytes: u64,
    pub duration: Duration,
    pub ending: Ending,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Complete,
    /// With 0 bytes it is most often no failure: UEFI asks for the size, aborts, and then asks for the file.
    AbortedByClient {
        code: u16,
        message: String,
    },
    /// Also when only the last acknowledgement was lost: the client may have it all.
    TimedOut,
    Refused(Refusal),
    /// By us: the server stops, or the client asked for something else from the same port.
    Stopped,
}

/// What no client can make us exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest block that we agree to; less where the way to the client has a small MTU, so that no packet is cut
    /// into fragments.
    pub max_blksize: u16,
    /// The largest window that we agree to, and never more than [`options::MAX_WINDOWSIZE`].
    pub max_windowsize: u16,
    /// For how long a window that was lost, or whose acknowledgement was doubled, is not sent again before its time.
    pub window_pause: Duration,
    /// Before a packet is sent again, if the client did not say; doubles each time. Where the way has been measured,
    /// four times as long as it takes, but never below `min_wait`.
    pub wait: Duration,
    pub min_wait: Duration,
    /// How often one packet is sent.
    pub max_tries: u32,
    /// The same before the first acknowledgement, when the address may still be forged.
    pub max_tries_unproven: u32,
    /// Without a word from the client.
    pub max_idle: Duration,
    pub max_duration: Duration,
    pub max_transfers: usize,
    pub max_transfers_per_client: usize,
    /// Where transfers are sent from, the first and the last; any free one without.
    pub ports: Option<(u16, u16)>,
    /// For how long new transfers are sent from the same ports, where none are named.
    pub ports_for: Duration,
    /// How many blocks are handed to the kernel at once (UDP GSO); 1 where that must not be.
    pub max_segments: u16,
}

impl Limits {
    /// As they are for one client, `mtu_blksize` being what fits through the way to it.
    fn within(self, caps: Caps, mtu_blksize: u16) -> Limits {
        let max_blksize = self.max_blksize.min(mtu_blksize).min(caps.max_blksize.unwrap_or(u16::MAX));
        let max_windowsize = self.max_windowsize.min(caps.max_windowsize.unwrap_or(u16::MAX));
        Limits { max_blksize, max_windowsize, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_blksize: 1468,
            max_windowsize: 64,
            window_pause: Duration::from_millis(5),
            wait: Duration::from_secs(1),
            min_wait: Duration::from_millis(300),
            max_tries: 7,
            max_tries_unproven: 4,
            max_idle: Duration::from_secs(30),
            max_duration: Duration::from_secs(900),
            max_transfers: 16_384,
            max_transfers_per_client: 8,
            ports: None,
            ports_for: Duration::from_secs(120),
            max_segments: 64,
        }
    }
}
