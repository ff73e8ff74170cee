//! Distros taken in from images, folders and servers: what a tree is, whether it is whole, and its way into the folder of files.
//!
//! [`source`] finds out what lies behind a path or an address and makes a [`tree`] of it: a [`folder`], an image ([`iso`], an
//! archive) or a server's folder. [`marks`] recognises the family; [`plan`] is what will be done; [`checks`] gathers what the tree
//! says of its own bytes; [`take`] copies, hashes and compares in one pass; [`stage`] is the place beside, from where all of it moves at once.
//! Everything that is read here was made by somebody else: sizes, names and links are believed only as far as they are bounded.

pub mod blocks;
pub mod checks;
pub mod error;
pub mod fetch;
pub mod folder;
pub mod hashes;
pub mod iso;
pub mod journal;
pub mod marks;
pub mod openpgp;
pub mod owners;
pub mod plan;
pub mod record;
pub mod remote;
pub mod repository;
pub mod seals;
pub mod source;
pub mod stage;
pub mod take;
pub mod tar;
pub mod tree;
pub mod udf;
pub mod verdict;

#[cfg(test)]
mod tests;

pub use error::Error;
