//! Kickstand: a bare-metal provisioning appliance.

pub mod assets;
pub mod boot;
pub mod config;
pub mod dhcp;
pub mod family;
pub mod model;
pub mod render;
pub mod tftp;
