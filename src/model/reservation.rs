//! Addresses that are kept: reservations for clients that need no record, and holds on addresses that nobody gets.

use super::{Holder, Mac, Malformed, Name, Time, serde_as_text, words};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};

/// An address for a client that is no machine of ours, or for whatever is plugged into a switch port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// One reservation for each address.
    pub ip: Ipv4Addr,
    pub network: Name,
    pub by: Mark,
    /// For people: what it is.
    pub description: String,
}

/// How a client is known: `mac:52:54:00:12:34:56`, `id:01525400123456` (option 61 in hex) or
/// `circuit:65746830` (the relay's circuit-id in hex).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    Mac(Mac),
    Id(Box<[u8]>),
    Circuit(Box<[u8]>),
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Mac(mac) => f.pad(&format!("mac:{mac}")),
            Mark::Id(bytes) => f.pad(&format!("id:{}", hex::encode(bytes))),
            Mark::Circuit(bytes) => f.pad(&format!("circuit:{}", hex::encode(bytes))),
        }
    }
}

impl FromStr for Mark {
    type Err = Malformed;

    /// Text in double quotes stands for its bytes: `circuit:"eth0/1/7"`.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wanted =
            "how a client is known (write it like mac:52:54:00:12:34:56, id:0152… in hex, or circuit:\"eth0/1\")";
        let malformed = || Malformed::new(text, wanted);
        let (kind, value) = text.split_once(':').ok_or_else(malformed)?;
        let bytes = || match value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(text) => Some(text.as_bytes().to_vec()),
            None => hex::decode(value).ok(),
        };
        let bytes = || bytes().filter(|bytes| (1..=255).contains(&bytes.len())).map(Vec::into_boxed_slice);
        match kind {
            "mac" => value.parse().map(Mark::Mac),
            "id" => bytes().map(Mark::Id).ok_or_else(malformed),
            "circuit" => bytes().map(Mark::Circuit).ok_or_else(malformed),
            _ => Err(malformed()),
        }
    }
}

serde_as_text!(Mark);

/// An address that is given to nobody else until a moment, whatever happens to this server meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    pub network: Name,
    pub ip: Ipv4Addr,
    pub until: Time,
    pub why: HoldWhy,
    /// Who may still use it, where somebody may.
    pub holder: Option<Holder>,
    /// How often in a row: each time it is kept for longer.
    pub times: u32,
}

words! {
    HoldWhy, "why an address is held (one of declined, in-use, moved)" {
        /// A client that was given it found it in use.
        Declined = "declined",
        /// A probe found it in use.
        InUse = "in-use",
        /// It was reserved for a client whose reservation changed: its last lease may still run.
        Moved = "moved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_is_written() {
        for text in ["mac:52:54:00:ab:cd:01", "id:01ff", "circuit:65746830"] {
            assert_eq!(text.parse::<Mark>().unwrap().to_string(), text);
        }
        assert_eq!("circuit:\"eth0\"".parse::<Mark>().unwrap().to_string(), "circuit:65746830");
        for text in ["", "mac:", "id:", "id:0", "circuit:\"\"", "port:1", "52:54:00:ab:cd:01"] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
        }
    }
}
