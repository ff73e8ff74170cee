//! A hardware address: how it is read in any of the trade's spellings, and how it is written in one.

use super::{Malformed, serde_as_text};
use std::{fmt, str::FromStr};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

const RASPBERRY_PI: &[[u8; 3]] = &[
    [0xb8, 0x27, 0xeb],
    [0xdc, 0xa6, 0x32],
    [0xe4, 0x5f, 0x01],
    [0xd8, 0x3a, 0xdd],
    [0x28, 0xcd, 0xc1],
    [0x2c, 0xcf, 0x67],
    [0x88, 0xa2, 0x9e],
];

impl Mac {
    /// Neither zero, broadcast nor multicast: an address that one card can have.
    pub fn is_usable(self) -> bool {
        self.0 != [0; 6] && self.0[0] & 1 == 0
    }

    /// A Raspberry Pi, by its makers' prefixes.
    pub fn is_raspberry_pi(self) -> bool {
        self.0.first_chunk().is_some_and(|prefix| RASPBERRY_PI.contains(prefix))
    }

    /// `52-54-00-12-34-56`: the spelling for URLs and file names.
    pub fn dashed(self) -> String {
        self.to_string().replace(':', "-")
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Written for every lease and every event.
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b':'; 17];
        for (place, byte) in self.0.iter().enumerate() {
            text[3 * place] = DIGITS[usize::from(byte >> 4)];
            text[3 * place + 1] = DIGITS[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = Malformed;

    /// Reads `52:54:00:12:34:56`, dashes, Cisco's dots and no separator at all, in either case.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::new(text, "a MAC address (write it like 52:54:00:12:34:56)");
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
        let separators = text.chars().count() - digits.chars().count();
        if !matches!(separators, 0 | 2 | 5) {
            return Err(malformed());
        }
        let bytes = hex::decode(&digits).map_err(|_| malformed())?;
        let mac = Mac(bytes.try_into().map_err(|_| malformed())?);
        if mac.is_usable() { Ok(mac) } else { Err(Malformed::new(text, "the MAC address of one network card")) }
    }
}

serde_as_text!(Mac);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_common_spelling_is_the_same_address() {
        for text in ["52:54:00:AB:cd:01", "52-54-00-ab-cd-01", "5254.00ab.cd01", "525400abcd01"] {
            assert_eq!(text.parse::<Mac>().unwrap().to_string(), "52:54:00:ab:cd:01", "{text}");
        }
    }

    #[test]
    fn nonsense_and_group_addresses_are_refused() {
        for text in [
            "",
            "52:54:00:ab:cd",
            "52:54:00:ab:cd:0g",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "01:00:5e:00:00:01",
            "5:2:5:4:0:0ab:cd:01",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
