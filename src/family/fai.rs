//! The fai family: FAI fetches the operator's configuration space, and a class script of that our answer file.

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Fai,
    template: "fai/classes.sh",
    name: "",
    more: &[],
    needs: &["live", "config_space"],
    files: &["live", "config_space"],
    fetches_agent: true,
    pins: false,
    arguments,
    start: Start::Linux,
    check: check::shell,
};

/// FAI makes a variable of each word whose name is one: the class script finds its answer file in `KICKSTAND_ANSWER`.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec!["rd.neednet=1".into(), format!("root=live:{}", trip.url("live"))];
    all.extend(
        ["rd.live.overlay.overlayfs", "FAI_FLAGS=verbose,createvt,reboot", "FAI_ACTION=install"].map(String::from),
    );
    all.push(format!("FAI_CONFIG_SRC={}", trip.url("config_space")));
    all.push(format!("KICKSTAND_ANSWER={}", trip.answer_url));
    // Before any class script runs: it is a class itself, and what DHCP says may be another.
    all.push(format!("hostname={}", trip.name));
    all.extend(words::dracut(trip));
    all
}
