//! Kickstand: a bare-metal provisioning appliance.

pub mod assets;
pub mod boot;
pub mod ca;
pub mod capture;
pub mod cheetah;
pub mod cli;
pub mod cobbler;
pub mod compat;
pub mod config;
pub mod daemon;
pub mod dhcp;
pub mod engine;
pub mod family;
pub mod http;
pub mod import;
pub mod loader;
pub mod metrics;
pub mod model;
pub mod rehearsal;
pub mod render;
pub mod store;
pub mod tftp;
pub mod vault;
