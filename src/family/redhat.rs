//! The redhat family: Anaconda reads a kickstart (RHEL, Alma, Rocky, Oracle, CentOS, Fedora).

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Redhat,
    template: "redhat/kickstart.ks",
    name: "",
    more: &[],
    needs: &["tree"],
    files: &["tree"],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::kickstart,
};

/// `inst.` names hold from RHEL 7 on. BOOTIF makes dracut use the card that booted.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all =
        vec![format!("inst.repo={}", trip.url("tree")), format!("inst.ks={}", trip.answer_url), "inst.text".into()];
    all.extend(words::dracut(trip));
    all
}
