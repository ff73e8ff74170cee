//! Who holds a lease: a network card, or a client that has no usable hardware address.

use super::{Mac, Malformed, serde_as_text};
use std::{fmt, str::FromStr};

/// The key of a lease. Option 61 changes from ROM to iPXE to installer to system, the MAC does not: it is the
/// client's name only where there is no usable MAC, as with IP over InfiniBand (RFC 4390).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    Card(Mac),
    /// Option 61, as on the wire.
    Id(Box<[u8]>),
}

impl Holder {
    pub fn mac(&self) -> Option<Mac> {
        match self {
            Holder::Card(mac) => Some(*mac),
            Holder::Id(_) => None,
        }
    }
}

impl From<Mac> for Holder {
    fn from(mac: Mac) -> Self {
        Holder::Card(mac)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Card(mac) => fmt::Display::fmt(mac, f),
            Holder::Id(bytes) => f.pad(&format!("id:{}", hex::encode(bytes))),
        }
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Holder {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let Some(id) = text.strip_prefix("id:") else { return text.parse().map(Holder::Card) };
        let malformed = || Malformed::new(text, "a client identifier (write it in hex, like id:0020f1)");
        let bytes = hex::decode(id).map_err(|_| malformed())?;
        if bytes.is_empty() { Err(malformed()) } else { Ok(Holder::Id(bytes.into())) }
    }
}

serde_as_text!(Holder);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_reads_as_it_is_written() {
        for text in ["52:54:00:ab:cd:01", "id:ff0020f1"] {
            assert_eq!(text.parse::<Holder>().unwrap().to_string(), text);
        }
        assert!("id:".parse::<Holder>().is_err() && "id:0".parse::<Holder>().is_err());
    }
}
