//! What changed, as a word: for those who listen here, and in the notifications between nodes.

use crate::model::*;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// What to read again from the World. It comes after the commit, and after the World knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    Networks,
    Ranges,
    Distros,
    Profiles,
    Keys,
    Tokens,
    Classes,
    Reservations,
    /// Those for everybody.
    Options,
    Servers,
    Templates,
    CheckIns,
    /// The configuration has this number now.
    Revision(i64),
    Machine(MachineId),
    Tombstone(Mac),
    Lease {
        network: Name,
        holder: Holder,
    },
    Hold {
        network: Name,
        ip: Ipv4Addr,
    },
    /// More than can be told one by one, or nobody knows what: after a lost connection.
    Everything,
}

impl Change {
    /// What to read again to know this record.
    pub fn of(record: &Record) -> Change {
        match record {
            Record::Network(_) => Change::Networks,
            Record::Range(_) => Change::Ranges,
            Record::Class(_) => Change::Classes,
            Record::Reservation(_) => Change::Reservations,
            Record::Options(_) => Change::Options,
            Record::Distro(_) => Change::Distros,
            Record::Profile(_) => Change::Profiles,
            Record::Key(_) => Change::Keys,
            Record::Machine(machine) => Change::Machine(machine.id),
            Record::Template(_) => Change::Templates,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Networks => f.write_str("networks"),
            Change::Ranges => f.write_str("ranges"),
            Change::Distros => f.write_str("distros"),
            Change::Profiles => f.write_str("profiles"),
            Change::Keys => f.write_str("keys"),
            Change::Tokens => f.write_str("tokens"),
            Change::Classes => f.write_str("classes"),
            Change::Reservations => f.write_str("reservations"),
            Change::Options => f.write_str("options"),
            Change::Servers => f.write_str("servers"),
            Change::Templates => f.write_str("templates"),
            Change::CheckIns => f.write_str("check-ins"),
            Change::Revision(number) => write!(f, "revision={number}"),
            Change::Machine(id) => write!(f, "machine={id}"),
            Change::Tombstone(mac) => write!(f, "tombstone={mac}"),
            Change::Lease { network, holder } => write!(f, "lease={network}/{holder}"),
            Change::Hold { network, ip } => write!(f, "hold={network}/{ip}"),
            Change::Everything => f.write_str("everything"),
        }
    }
}

impl FromStr for Change {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, of) = text.split_once('=').unwrap_or((text, ""));
        Ok(match word {
            "networks" => Change::Networks,
            "ranges" => Change::Ranges,
            "distros" => Change::Distros,
            "profiles" => Change::Profiles,
            "keys" => Change::Keys,
            "tokens" => Change::Tokens,
            "classes" => Change::Classes,
            "reservations" => Change::Reservations,
            "options" => Change::Options,
            "servers" => Change::Servers,
            "templates" => Change::Templates,
            "check-ins" => Change::CheckIns,
            "revision" => Change::Revision(of.parse().map_err(drop)?),
            "machine" => Change::Machine(of.parse().map_err(drop)?),
            "tombstone" => Change::Tombstone(of.parse().map_err(drop)?),
            "lease" => {
                let (network, holder) = of.split_once('/').ok_or(())?;
                Change::Lease { network: network.parse().map_err(drop)?, holder: holder.parse().map_err(drop)? }
            }
            "hold" => {
                let (network, ip) = of.split_once('/').ok_or(())?;
                Change::Hold { network: network.parse().map_err(drop)?, ip: ip.parse().map_err(drop)? }
            }
            "everything" => Change::Everything,
            _ => return Err(()),
        })
    }
}

/// PostgreSQL takes payloads of less than 8000 bytes.
const PAYLOAD_BYTES: usize = 7900;
/// Beyond so many, reading everything again is cheaper.
const MANY: usize = 5000;

/// One notification or more: who speaks, and what changed.
pub fn payloads(node: &str, changes: &[&Change]) -> Vec<String> {
    if changes.len() > MANY {
        return vec![format!("{node} {}", Change::Everything)];
    }
    let mut payloads: Vec<String> = Vec::new();
    for word in changes.iter().map(|change| change.to_string()) {
        match payloads.last_mut().filter(|payload| payload.len() + 1 + word.len() < PAYLOAD_BYTES) {
            Some(payload) => {
                payload.push(' ');
                payload.push_str(&word);
            }
            None => payloads.push(format!("{node} {word}")),
        }
    }
    payloads
}

/// What another node says; nothing where it is this one. A word from a later version means everything.
pub fn heard(node: &str, payload: &str) -> Vec<Change> {
    let mut words = payload.split(' ');
    if words.next() == Some(node) {
        return Vec::new();
    }
    words.map(|word| word.parse().unwrap_or(Change::Everything)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_reads_as_it_is_written_and_long_lists_are_split() {
        let mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
        let network: Name = "x".repeat(63).parse().unwrap();
        let mut changes = vec![
            Change::Networks,
            Change::Ranges,
            Change::Distros,
            Change::Profiles,
            Change::Keys,
            Change::Tokens,
            Change::Classes,
            Change::Reservations,
            Change::Options,
            Change::Servers,
            Change::Templates,
            Change::CheckIns,
            Change::Revision(7),
            Change::Machine(MachineId(uuid::Uuid::nil())),
            Change::Tombstone(mac),
            Change::Hold { network: network.clone(), ip: Ipv4Addr::LOCALHOST },
            Change::Everything,
        ];
        changes.extend((0..900).map(|_| Change::Lease { network: network.clone(), holder: mac.into() }));
        let payloads = payloads("a", &changes.iter().collect::<Vec<_>>());
        assert!(payloads.iter().all(|p| p.len() < 8000) && payloads.len() > 1);
        assert_eq!(payloads.iter().flat_map(|p| heard("b", p)).collect::<Vec<_>>(), changes);
        assert_eq!(heard("a", &payloads[0]), vec![]);
        assert_eq!(heard("b", "a nonsense"), vec![Change::Everything]);
    }
}
