//! The debian family: debian-installer reads a preseed file.

use super::{Row, Trip};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Debian,
    template: "debian/preseed.cfg",
    needs: &["mirror_host"],
    files: &[],
    fetches_agent: true,
    arguments,
};

/// What must be known before the preseed file can be fetched. BOOTIF with `interface=auto` names the card.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    vec![
        "auto=true".into(),
        "priority=critical".into(),
        "DEBIAN_FRONTEND=text".into(),
        format!("url={}", trip.answer_url),
        "interface=auto".into(),
        format!("BOOTIF=01-{}", trip.mac.dashed()),
    ]
}
