//! The elements of lists: what clients look for in them, and little more, since they come by the thousand.

use super::{Breed, Record, said};
use crate::compat::xmlrpc::Value;
use crate::model::{Distro, Machine, Profile, Variables};

/// A machine. Auto-detection compares its cards and addresses.
pub fn system(machine: &Machine) -> Value {
    let mut record = Record::default();
    record.put("name", machine.name.as_str());
    record.put("uid", machine.id.to_string());
    record.put("profile", machine.profile.as_ref().map_or("", |name| name.as_str()));
    record.put("hostname", machine.name.as_str());
    record.put("netboot_enabled", machine.netboots());
    record.put("status", machine.state.to_string());
    record.put("interfaces", interfaces(machine));
    record.done()
}

/// Cards have no names before a system names them: `eth0` and so on, in the order of the record.
pub(super) fn interfaces(machine: &Machine) -> Value {
    let card = |(at, card): (usize, &crate::model::Interface)| {
        let mut held = Record::default();
        held.put("mac_address", card.mac.to_string());
        held.put("ip_address", said(card.ip));
        (format!("eth{at}"), held.done())
    };
    Value::Struct(machine.interfaces.iter().enumerate().map(card).collect())
}

pub fn profile(profile: &Profile) -> Value {
    let mut record = Record::default();
    record.put("name", profile.name.as_str());
    record.put("parent", profile.parent.as_ref().map_or("", |name| name.as_str()));
    record.put("distro", profile.distro.as_ref().map_or("", |name| name.as_str()));
    record.put("kernel_options", format!("{} ", profile.arguments.trim()));
    record.done()
}

/// Its files by the names that clients fetch them under.
pub fn distro(distro: &Distro) -> Value {
    let Breed { breed, os_version, arch } = Breed::of(distro, &Variables::new());
    let mut record = Record::default();
    record.put("name", distro.name.as_str());
    record.put("breed", breed);
    record.put("os_version", os_version);
    record.put("arch", arch);
    record.put("kernel", format!("/{}", distro.kernel));
    record.put("initrd", format!("/{}", distro.initrd));
    record.put("kernel_options", format!("{} ", distro.arguments.trim()));
    record.done()
}
