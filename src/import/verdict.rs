//! How far a tree was verified, in so many words.

use super::checks::Claims;
use super::take::Taken;
use std::fmt;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub compared: usize,
    pub files: usize,
    /// Everything that boots was compared.
    pub boot: bool,
    /// `md5sum.txt (md5)`.
    pub by: Vec<String>,
    /// What is to be said of signatures, a sentence each.
    pub signatures: Vec<String>,
}

impl Verdict {
    pub fn new(taken: &Taken, boot: &[String], claims: &Claims) -> Verdict {
        Verdict {
            compared: taken.compared.len(),
            files: taken.files,
            boot: boot.iter().all(|path| taken.compared.contains(path)),
            by: claims.told_by(&taken.compared),
            signatures: claims.signatures.clone(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { compared, files, by, .. } = self;
        let by = by.join(", ");
        match (compared, self.boot) {
            (0, _) => write!(f, "not verified: the tree says nothing of these files")?,
            (_, false) => write!(f, "not verified: {compared} of {files} files by {by}, what boots is not among them")?,
            (_, true) => write!(f, "{compared} of {files} files by {by}")?,
        }
        match (self.signatures.as_slice(), compared) {
            ([], 0) => Ok(()),
            ([], _) => write!(f, "; nothing is signed"),
            (all, _) => write!(f, "; {}", all.join("; ")),
        }
    }
}
