//! The ignition family: a live system that Ignition sets up writes the image (Fedora CoreOS, Flatcar).

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Ignition,
    template: "ignition/live.ign",
    name: "",
    more: &[],
    needs: &[],
    files: &["rootfs", "image"],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::ignition,
};

/// Fedora CoreOS fetches the rest of its live system from `rootfs`; Flatcar is whole in its initrd.
///
/// `coreos.inst.install_dev` would install without a word to anybody: a unit of the live system does it, and reports.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all = match trip.has("rootfs") {
        true => vec![
            format!("coreos.live.rootfs_url={}", trip.url("rootfs")),
            "ignition.firstboot".into(),
            "ignition.platform.id=metal".into(),
        ],
        false => vec!["flatcar.first_boot=1".into()],
    };
    all.push(format!("ignition.config.url={}", trip.answer_url));
    all.push("rd.neednet=1".into());
    all.extend(words::dracut(trip));
    all
}
