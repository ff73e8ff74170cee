//! VMware ESXi: a loader, its boot.cfg, and the modules that it names.

use super::Recognised;
use crate::import::Error;
use crate::import::tree::{Tree, has, text};

const LOADER: &str = "efi/boot/bootx64.efi";
const CONFIG: &str = "boot.cfg";

/// mboot is the loader for UEFI; it reads boot.cfg and fetches what that names.
pub fn esxi(tree: &dyn Tree) -> Result<Option<Recognised>, Error> {
    let Some(config) = text(tree, CONFIG)?.filter(|config| config.contains("modules=")) else { return Ok(None) };
    if !has(tree, LOADER)? {
        return Ok(None);
    }
    let said = |name: &str| {
        config.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
    };
    let version = said("build").split('-').next().unwrap_or_default();
    let found = Recognised::new("esxi", "esxi", LOADER, CONFIG);
    Ok(Some(Recognised { version: version.to_owned(), arch: "x86_64".into(), ..found }))
}
