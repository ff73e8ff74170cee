//! Kickstand: a bare-metal provisioning appliance.

pub mod boot;
pub mod model;
pub mod store;
pub mod tftp;
