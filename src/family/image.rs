//! The image family: our own live system unpacks a root filesystem onto the disk.

use super::{Row, Trip};
use crate::model::Family;

pub const ROW: Row = Row {
    family: Family::Image,
    template: "image/install.sh",
    needs: &["live", "image"],
    files: &["live", "image"],
    fetches_agent: false,
    arguments,
};

/// The initramfs fetches the live system by HTTP; the agent in that looks for `kickstand.answer`.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    vec![
        "boot=kickstand".into(),
        "ip=dhcp".into(),
        format!("BOOTIF=01-{}", trip.mac.dashed()),
        format!("kickstand.live={}", trip.url("live")),
        format!("kickstand.answer={}", trip.answer_url),
    ]
}
