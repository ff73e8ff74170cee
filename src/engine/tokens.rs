//! Fresh secrets, and those derived from a boot's token.

use super::{Engine, Error};
use crate::boot::lifecycle::Ticket;
use crate::model::Secret;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use std::net::Ipv4Addr;

/// 256 random bits, in hexadecimal.
pub fn fresh_secret() -> Result<Secret, Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| Error::Internal(format!("the system gives no random bytes: {e}")))?;
    Ok(Secret::new(hex::encode(bytes)))
}

impl Engine {
    /// The secret for a purpose that belongs to a token: the same each time the answer file is fetched,
    /// and not to be had from the token alone, which stands on a kernel command line.
    pub(super) fn derived(&self, purpose: &str, token: &Secret) -> Secret {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(token.expose().as_bytes());
        Secret::new(hex::encode(mac.finalize().into_bytes()))
    }

    pub(super) fn ticket(&self, token: &Secret, ip: Ipv4Addr) -> Ticket {
        let (report, lives_secs) = (self.derived("report", token).hash(), self.lifetimes.unused_secs);
        Ticket { token: token.hash(), report, ip, lives_secs }
    }
}
