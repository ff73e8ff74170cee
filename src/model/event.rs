//! What happened: one line of a machine's history, of the timeline and of the audit trail.

use super::{Mac, MachineId, Time, words};
use std::net::Ipv4Addr;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// A version 7 UUID: sorts by time, the same in memory and in the database.
    pub id: Uuid,
    pub at: Time,
    pub kind: Kind,
    pub machine: Option<MachineId>,
    pub mac: Option<Mac>,
    pub ip: Option<Ipv4Addr>,
    /// One sentence for people.
    pub text: String,
    /// How far an install is, on `progress`.
    pub percent: Option<u8>,
    /// The configuration's when it was decided; none in history that is older than revisions.
    pub revision: Option<i64>,
}

words! {
    Kind, "a kind of event" {
        /// A DHCP offer, and the reason for it.
        Offer = "offer",
        /// A DHCP acknowledgement.
        Lease = "lease",
        /// A DHCP refusal.
        Nak = "nak",
        /// A packet that was left unanswered, and why.
        Silence = "silence",
        /// A boot loader was sent.
        Loader = "loader",
        /// A boot script was sent.
        Script = "script",
        /// A kernel was sent.
        Kernel = "kernel",
        /// Another boot file was sent: an initrd, an image.
        File = "file",
        /// An answer file was sent.
        Answer = "answer",
        /// An answer file that carries secrets was given away: which, to whom.
        Secret = "secret",
        /// An installer reported how far it is.
        Progress = "progress",
        /// A network boot was sent to the machine's own disk.
        Local = "local",
        /// A machine's state changed.
        State = "state",
        /// A system registered.
        Registered = "registered",
        /// Something was asked for and refused.
        Refused = "refused",
        /// Someone must look: a second claimant, a key used twice, a retired MAC.
        Alarm = "alarm",
        /// An operator changed a record.
        Record = "record",
        /// The appliance itself: started, a file missing, a database lost.
        Appliance = "appliance",
    }
}

impl Kind {
    /// Kept in the database; the rest lives in bounded memory.
    pub fn is_durable(self) -> bool {
        !matches!(
            self,
            Kind::Offer
                | Kind::Lease
                | Kind::Nak
                | Kind::Silence
                | Kind::Loader
                | Kind::Kernel
                | Kind::File
                | Kind::Progress
        )
    }
}
