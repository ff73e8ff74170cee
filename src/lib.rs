//! Kickstand: a bare-metal provisioning appliance.

pub mod model;
pub mod tftp;
