//! Trees that the tests make themselves, shaped like the real ones.

mod archives;
mod checks;
mod disc;
mod discs;
mod hostile;
mod isos;
mod limits;
mod marks;
mod remotes;
mod repositories;
mod seals;
mod stages;

use super::tree::{Tree, bytes};
use std::collections::BTreeMap;

/// Every file with its bytes.
fn everything(tree: &dyn Tree) -> BTreeMap<String, Vec<u8>> {
    let listing = tree.listing().unwrap();
    listing.files.keys().map(|path| (path.clone(), bytes(tree, path).unwrap().unwrap())).collect()
}
