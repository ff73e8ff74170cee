//! Kickstand: a bare-metal provisioning appliance.

pub mod assets;
pub mod boot;
pub mod config;
pub mod dhcp;
pub mod engine;
pub mod family;
pub mod model;
pub mod render;
pub mod store;
pub mod tftp;
