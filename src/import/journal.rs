//! What is written down before folders move, so that an import that ends in the middle can be settled by the next one.

use crate::model::{Name, Variables};
use serde::{Deserialize, Serialize};

/// Taken away when the server knows of it: what lies between can be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub name: Name,
    /// The id of the tree that moves in, and of the one that makes room.
    pub new: String,
    pub old: Option<String>,
    #[serde(flatten)]
    pub words: Words,
}

/// What the server is to be told of the tree, which says whether it was. Secrets are not written down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub kernel: String,
    pub initrd: String,
    pub family: String,
    /// Null: it is to be removed.
    pub variables: Variables,
}
