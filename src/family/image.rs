//! The image family: our own live system unpacks a root filesystem onto the disk, or writes a whole disk.

use super::{Row, Start, Trip, check, words};
use crate::boot::recipe::Recipe;
use crate::model::{Family, ImageFile};

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
    check: check::image,
};

/// What is no image is known before a disk is wiped for it.
pub fn unfit(recipe: &Recipe) -> Option<String> {
    let image = recipe.variables.get("image").and_then(|value| value.as_str()).unwrap_or_default();
    let name = &recipe.distro.name;
    ImageFile::of(image).is_none().then(|| {
        let wanted = format!("variable image: {image:?} is neither a root filesystem nor a raw disk by its ending");
        format!("{wanted} ({}): `kickstand distro set {name} --var image=…`", ImageFile::ENDINGS)
    })
}

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
