//! The esxi family: VMware's mboot reads boot.cfg, and the installer that it loads a kickstart.

use super::{Answer, Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Esxi,
    template: "esxi/ks.cfg",
    name: "ks.cfg",
    more: &[Answer { name: "boot.cfg", template: "esxi/boot.cfg" }],
    needs: &["tree", "modules", "root_password_hash"],
    files: &["tree"],
    fetches_agent: false,
    pins: false,
    arguments,
    start: Start::Mboot,
    check: check::esxi,
};

/// mboot's own; the rest is said in boot.cfg.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    vec!["-c".into(), format!("{}/boot.cfg", trip.answer_url)]
}

/// Behind `kernelopt=`.
pub(super) fn options(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec!["runweasel".into(), format!("ks={}/ks.cfg", trip.answer_url)];
    all.extend(words::esxi(trip));
    if trip.wiring.serial.is_some() {
        // The kernel talks to the first port; what it is called on Linux says no more than that there is one.
        all.extend(["text", "nofb", "gdbPort=none", "logPort=none", "tty2Port=com1"].map(String::from));
    }
    all.extend(trip.recipe.operators_arguments().map(str::to_owned));
    all
}
