//! Root filesystems for our own live system.

use super::{Extent, Recognised, Value};
use crate::import::Error;
use crate::import::tree::Tree;

/// What the live system unpacks. It does so after the disk was wiped, so nothing else may get that far.
const ENDINGS: &[&str] = &[".tar.zst"];
const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd.img";
const LIVE: &str = "live.squashfs";

pub fn image(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let names = tree.names("")?;
    let has = |name: &str| names.iter().any(|given| given == name);
    let is_image = |name: &&String| name.as_str() != INITRD && ENDINGS.iter().any(|ending| name.ends_with(ending));
    let images: Vec<&String> = names.iter().filter(is_image).collect();
    let [image] = images.as_slice() else { return Ok(None) };
    let with_live = has(KERNEL) && has(INITRD) && has(LIVE);
    if !with_live && names.len() != 1 {
        return Ok(None);
    }
    let stem = ENDINGS.iter().find_map(|ending| image.strip_suffix(ending)).unwrap_or(image);
    let mut found = Recognised::new("image", stem, "", "");
    found.variables = vec![("image", Value::File((*image).clone()))];
    found.extent = Extent::Boot;
    if with_live {
        (found.kernel, found.initrd) = (KERNEL.into(), INITRD.into());
        found.variables.push(("live", Value::File(LIVE.into())));
    }
    Ok(Some(found))
}
