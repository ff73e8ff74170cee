//! The ubuntu family: Ubuntu's server installer (Subiquity, from 20.04 on) reads an autoinstall file through cloud-init.

use super::{Answer, Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Ubuntu,
    template: "ubuntu/user-data.yaml",
    name: "user-data",
    more: &[
        Answer { name: "meta-data", template: "ubuntu/meta-data.yaml" },
        Answer { name: "vendor-data", template: "ubuntu/vendor-data.yaml" },
    ],
    needs: &["iso"],
    files: &["iso"],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::autoinstall,
};

/// cloud-init appends `user-data` and the other names to what stands behind `s=`. It takes `url=`, which names the image
/// to casper, for a configuration of its own, unless another is named.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all = words::klibc(trip);
    all.push(format!("url={}", trip.url("iso")));
    all.push("cloud-config-url=/dev/null".into());
    all.push("autoinstall".into());
    all.push(format!("ds=nocloud-net;s={}/", trip.answer_url));
    all
}
