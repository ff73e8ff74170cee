//! The suse family: YaST reads an AutoYaST file (SLE 12 and 15, openSUSE Leap 15).

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Suse,
    template: "suse/autoyast.xml",
    name: "",
    more: &[],
    needs: &["tree"],
    files: &["tree"],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::autoyast,
};

fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all =
        vec![format!("install={}", trip.url("tree")), format!("autoyast={}", trip.answer_url), "textmode=1".into()];
    all.extend(words::linuxrc(trip));
    all
}
