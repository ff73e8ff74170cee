//! The heart: what to tell a machine from power-on to registered. No I/O, no clock, no randomness.
//!
//! A machine asks, in this order: [`offer`] (which address, which first program), [`mod@file`] (which bytes
//! a name stands for), [`script`] (which installer, or its own disk), [`autoinstall`] (which answer
//! file; [`named`] where only its machine's name was known), and then tells: [`report`] (how the install goes), [`register`] (I run from my disk).
//! [`join`] asks who was installed otherwise, [`keys`] says what with; a running system, [`reinstall`] (may I install myself anew) and
//! [`leave`]. [`announce`] is the question of Cobbler's clients. Each question has its own small facts and gives back a reply, the effects to apply, and why.
//! [`paper`] plays them all on paper, [`lacking`] without one of the words that counted. Only [`lifecycle`] moves a machine's state.

mod address;
pub mod announce;
pub mod autoinstall;
mod decision;
pub mod disk;
pub mod file;
pub mod giveback;
pub mod join;
pub mod keys;
pub mod lacking;
pub mod leave;
pub mod lifecycle;
pub mod loader;
pub mod named;
pub mod names;
mod newcomer;
pub mod offer;
pub mod paper;
pub mod pool;
mod proxy;
pub mod recipe;
mod records;
pub mod register;
pub mod reinstall;
pub mod report;
pub mod role;
pub mod said;
pub mod script;
mod told;

pub use decision::{Ask, Decision, Effect, Mention, Reason, Registration, Spent, Step, Tale, Words};
pub use names::{Here, Pinned};
pub use records::Records;
pub use role::{Role, Standing};
