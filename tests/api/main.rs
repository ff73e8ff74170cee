//! The operators' API, asked as its clients ask it: the router, a real store on SQLite, no socket.

mod auth;
mod classes;
mod events;
mod machines;
mod networks;
mod options;
mod records;
mod reservations;
mod revisions;
mod rig;
mod seeing;
