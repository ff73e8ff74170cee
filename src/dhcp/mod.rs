//! DHCP: packets in, packets out.
//!
//! Bytes become a [`packet::Packet`], which holds its options as bytes ([`tlv`]); [`ask`] reads the question out
//! of it, `boot/offer.rs` decides, and [`reply`] makes bytes again. `model/option.rs` is the table of every option by name.
//!
//! What anybody on the wire can send is read here, so nothing here may panic: the lints of each file see to it.
//! Deliberately absent: dhcproto's decoder. It ends at the first malformed option without a word, keeps the last
//! of several split ones, reads no overloaded field and sorts what option 82 holds; its codes and types are used.

pub mod advert;
pub mod ask;
pub mod desk;
pub mod filter;
pub mod frame;
pub mod lane;
pub mod leases;
pub mod link;
pub mod packet;
pub mod paper;
pub mod place;
pub mod probe;
pub mod relay;
pub mod reply;
pub mod rogue;
pub mod seen;
pub mod server;
mod stock;
pub mod tlv;

pub use crate::model::option;

#[cfg(test)]
mod tests;
