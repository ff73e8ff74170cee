//! The redhat family: Anaconda reads a kickstart (RHEL, Alma, Rocky, Oracle, CentOS, Fedora).

use super::{Row, Trip};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Redhat,
    template: "redhat/kickstart.ks",
    needs: &["tree"],
    files: &["tree"],
    fetches_agent: true,
    arguments,
};

/// `inst.` names hold from RHEL 7 on. BOOTIF makes dracut use the card that booted.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    vec![
        format!("inst.repo={}", trip.url("tree")),
        format!("inst.ks={}", trip.answer_url),
        "inst.text".into(),
        "ip=dhcp".into(),
        format!("BOOTIF=01-{}", trip.mac.dashed()),
    ]
}
