//! The agama family: Agama's live system reads a profile in JSON (SLE 16, openSUSE Leap 16, Tumbleweed).

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Agama,
    template: "agama/profile.json",
    name: "",
    more: &[],
    needs: &["live", "product"],
    files: &["live", "tree"],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::agama,
};

/// Without a tree of ours Agama asks its product's own repositories.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec![format!("root=live:{}", trip.url("live")), "rd.neednet=1".into()];
    all.push(format!("inst.auto={}", trip.answer_url));
    all.extend(trip.has("tree").then(|| format!("inst.install_url={}", trip.url("tree"))));
    all.extend(words::dracut(trip));
    all
}
