//! The debian family: debian-installer reads a preseed file (Debian, and Ubuntu up to 20.04's netboot images).

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Debian,
    template: "debian/preseed.cfg",
    name: "",
    more: &[],
    needs: &["mirror_host"],
    files: &[],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::preseed,
};

/// What must be known before the preseed file can be fetched. BOOTIF with `interface=auto` names the card.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec![
        "auto=true".into(),
        "priority=critical".into(),
        "DEBIAN_FRONTEND=text".into(),
        format!("url={}", trip.answer_url),
    ];
    all.extend(words::netcfg(trip));
    all
}
