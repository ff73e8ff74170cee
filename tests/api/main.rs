//! The operators' API, asked as its clients ask it: the router, a real store on SQLite, no socket.

mod auth;
mod events;
mod machines;
mod records;
mod rig;
