//! Kickstand: a bare-metal provisioning appliance.

pub mod tftp;
