//! Torture: real server processes, killed, cut off, flooded and asked by other people's clients, beside a witness
//! that remembers every promise.
//!
//! What is here takes minutes, and some of it root: `make test` runs it for as long as CI can wait, `make torture`
//! for as long as it is told to.

#[path = "../postgres/mod.rs"]
mod postgres;

mod crowd;
mod disk;
mod estate;
mod flood;
mod kill;
mod line;
mod nodes;
mod oracle;
mod packet;
mod server;
