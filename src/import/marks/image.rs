//! Root filesystems and raw disks for our own live system.

use super::{Extent, Recognised, Value};
use crate::import::Error;
use crate::import::tree::Tree;
use crate::model::ImageFile;

const KERNEL: &str = "vmlinuz";
const INITRD: &str = "initrd.img";
const LIVE: &str = "live.squashfs";

pub fn image(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let names = tree.names("")?;
    let has = |name: &str| names.iter().any(|given| given == name);
    // What the live system can not put on a disk must not get as far as there: the disk would be wiped by then.
    let is_image = |name: &&String| name.as_str() != INITRD && ImageFile::of(name).is_some();
    let images: Vec<&String> = names.iter().filter(is_image).collect();
    let [image] = images.as_slice() else { return Ok(None) };
    let with_live = has(KERNEL) && has(INITRD) && has(LIVE);
    if !with_live && names.len() != 1 {
        return Ok(None);
    }
    let stem = ImageFile::of(image).map_or(image.as_str(), |found| found.stem);
    let mut found = Recognised::new("image", stem, "", "");
    found.variables = vec![("image", Value::File((*image).clone()))];
    found.extent = Extent::Boot;
    if with_live {
        (found.kernel, found.initrd) = (KERNEL.into(), INITRD.into());
        found.variables.push(("live", Value::File(LIVE.into())));
    }
    Ok(Some(found))
}
