//! An IPv4 address as text, in one piece: std's writes seven, each with its own width and fill.

use std::fmt;
use std::net::Ipv4Addr;

/// Written for every lease and every event.
#[derive(Debug, Clone, Copy)]
pub struct Dotted(pub Ipv4Addr);

impl fmt::Display for Dotted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut text, mut len) = ([0; 15], 0);
        let mut put = |byte: u8| {
            text[len] = byte;
            len += 1;
        };
        for (place, part) in self.0.octets().into_iter().enumerate() {
            if place > 0 {
                put(b'.');
            }
            for (least, unit) in [(100, 100), (10, 10), (0, 1)] {
                if part >= least {
                    put(b'0' + part / unit % 10);
                }
            }
        }
        f.pad(std::str::from_utf8(&text[..len]).expect("digits and dots"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_std_writes() {
        for n in (0..=u32::MAX).step_by(7_654_321).chain(0..70_000).chain([u32::MAX]) {
            let ip = Ipv4Addr::from(n);
            assert_eq!(Dotted(ip).to_string(), ip.to_string());
        }
        assert_eq!(format!("{:>16}|", Dotted(Ipv4Addr::LOCALHOST)), "       127.0.0.1|");
    }
}
