//! The image family: our own live system unpacks a root filesystem onto the disk.

use super::{Row, Trip};
use crate::model::Family;

pub const ROW: Row = Row { family: Family::Image, template: "image/install.sh", needs: &["live", "image"], arguments };

/// live-boot fetches its root by HTTP; the agent in it looks for `kickstand.answer`.
fn arguments(trip: &Trip<'_>) -> Vec<String> {
    vec![
        "boot=live".into(),
        "components".into(),
        "ip=dhcp".into(),
        format!("BOOTIF=01-{}", trip.mac.dashed()),
        format!("fetch={}", trip.url("live")),
        format!("kickstand.answer={}", trip.answer_url),
    ]
}
