//! TFTP: what firmware reads its first program with. Read only, in memory, one task for each transfer.
//!
//! In reading order: [`packet`] (bytes and packets), [`request`] (what a datagram asks, and who is never answered),
//! [`options`] (block size, timeout, size), [`transfer`] (one transfer as a state machine) and [`server`], the only one
//! that has sockets and a clock. Which bytes a name stands for is answered by a [`Library`].
//!
//! Deliberately absent: writing; netascii (sent as octet); multicast (RFC 2090); paths, for a name is a key of a catalogue; and the clamp to the interface's MTU, which is [`Limits::max_blksize`].
#![deny(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

mod library;
pub mod options;
pub mod packet;
pub mod request;
pub mod server;
pub mod transfer;

#[cfg(test)]
mod tests;

pub use library::Loaders;
pub use server::Server;

use bytes::Bytes;
use packet::{Packet, code};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Which bytes a name stands for, for this client. For every `open` there is one `ended`, unless it panicked.
pub trait Library: Send + Sync + 'static {
    /// The whole file: it is shared, not copied, and stays in memory until the transfer ends. Dropped when it takes
    /// longer than [`Limits::max_idle`].
    fn open(&self, request: Request) -> impl Future<Output = Result<Bytes, Refusal>> + Send;

    /// A transfer ended: for the timeline. Must not block.
    fn ended(&self, outcome: Outcome);
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
    /// The largest block that we agree to: the link's MTU less 32, so that no packet is cut into fragments.
    pub max_blksize: u16,
    /// The largest window that we agree to. Far below half of the 65536 numbers, so that no number means two blocks.
    pub max_windowsize: u16,
    /// For how long a window that was lost, or whose acknowledgement was doubled, is not sent again before its time.
    pub window_pause: Duration,
    /// Before a packet is sent again, if the client did not say; doubles each time.
    pub wait: Duration,
    /// How often one packet is sent.
    pub max_tries: u32,
    /// The same before the first acknowledgement, when the address may still be forged.
    pub max_tries_unproven: u32,
    /// Without a word from the client.
    pub max_idle: Duration,
    pub max_duration: Duration,
    pub max_transfers: usize,
    pub max_transfers_per_client: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_blksize: 1468,
            max_windowsize: 64,
            window_pause: Duration::from_millis(5),
            wait: Duration::from_secs(1),
            max_tries: 5,
            max_tries_unproven: 4,
            max_idle: Duration::from_secs(30),
            max_duration: Duration::from_secs(900),
            max_transfers: 4096,
            max_transfers_per_client: 8,
        }
    }
}
