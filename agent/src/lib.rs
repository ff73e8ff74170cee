//! The agent: installs from the live system, registers the installed one.

pub mod wire;
