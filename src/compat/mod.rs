//! What clients of other servers expect: their words and shapes for our records. Pure: no I/O, no clock, no store.
//!
//! [`xmlrpc`] reads calls that anybody may send, and writes answers; [`cobbler`] says our records in Cobbler's shapes.

pub mod cobbler;
pub mod xmlrpc;
