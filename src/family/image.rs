//! The image family: our own live system unpacks a root filesystem onto the disk.

use super::{Row, Start, Trip, check, words};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Image,
    template: "image/install.sh",
    name: "",
    more: &[],
    needs: &["live", "image"],
    files: &["live", "image"],
    fetches_agent: false,
    pins: true,
    arguments,
    start: Start::Linux,
    check: check::shell,
};

/// The initramfs fetches the live system by HTTP; the agent in that looks for `kickstand.answer`, and for the CA by
/// whose fingerprint it knows us from then on.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    let mut all = vec!["boot=kickstand".into()];
    all.extend(words::klibc(trip));
    all.push(format!("kickstand.live={}", trip.url("live")));
    all.push(format!("kickstand.answer={}", trip.answer_url));
    all.extend(
        trip.here.pinned.map(|pinned| format!("kickstand.ca=sha256:{},{}", hex::encode(pinned.sha256), trip.here.ca())),
    );
    all
}
