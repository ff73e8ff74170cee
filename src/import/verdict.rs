//! How far a tree was verified, in so many words.

use super::checks::Claims;
use super::source::Seal;
use super::take::Taken;
use std::fmt;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub compared: usize,
    pub files: usize,
    /// Everything that boots was compared, by more than MD5.
    pub boot: bool,
    /// Everything that boots was compared, some of it by MD5 alone.
    pub md5_only: bool,
    /// `md5sum.txt (md5)`.
    pub by: Vec<String>,
    /// What is to be said of signatures, a sentence each.
    pub signatures: Vec<String>,
    /// Who spoke for the whole image.
    pub image_by: Vec<String>,
}

impl Verdict {
    pub fn new(taken: &Taken, boot: &[String], claims: &Claims, seal: Option<&Seal>) -> Verdict {
        let of_image = seal.map(|seal| seal.signatures.clone()).unwrap_or_default();
        let by_image = seal.is_some_and(|seal| seal.is_strong);
        let strong = |path: &String| taken.compared.contains(path) && claims.is_strong(path);
        let is_strong = by_image || boot.iter().all(strong);
        let is_compared = seal.is_some() || boot.iter().all(|path| taken.compared.contains(path));
        Verdict {
            compared: taken.compared.len(),
            files: taken.files,
            boot: is_strong,
            md5_only: is_compared && !is_strong,
            by: claims.told_by(&taken.compared),
            signatures: of_image.into_iter().chain(claims.signatures.clone()).collect(),
            image_by: seal.map(|seal| seal.by.clone()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { compared, files, by, image_by, .. } = self;
        let (by, image_by) = (by.join(", "), image_by.join(", "));
        if self.md5_only {
            write!(f, "not verified: md5 only, which finds damage and keeps nobody out: ")?;
        }
        match (compared, self.boot || self.md5_only, image_by.as_str()) {
            (0, _, "") => write!(f, "not verified: the tree says nothing of these files")?,
            (0, _, image_by) => write!(f, "the whole image by {image_by}")?,
            (_, false, _) => {
                write!(f, "not verified: {compared} of {files} files by {by}, what boots is not among them")?;
            }
            (_, true, "") => write!(f, "{compared} of {files} files by {by}")?,
            (_, true, image_by) => write!(f, "the whole image by {image_by}, {compared} of {files} files by {by}")?,
        }
        match (self.signatures.as_slice(), compared, self.image_by.is_empty()) {
            ([], 0, true) => Ok(()),
            ([], _, _) => write!(f, "; nothing is signed"),
            (all, _, _) => write!(f, "; {}", all.join("; ")),
        }
    }
}
