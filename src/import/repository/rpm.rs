//! `repomd.xml`, which names a repository's lists, and `primary`, which names its packages.

use super::Package;
use super::xml::{Event, Xml};
use crate::import::Error;
use crate::import::tree::plain;
use std::io::Read;

/// A file of `repodata`, by what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    pub kind: String,
    /// None: it lies elsewhere.
    pub file: Option<Package>,
}

/// What is gathered of a file until its element ends.
#[derive(Default)]
struct Parts {
    href: Option<String>,
    digits: Option<String>,
    size: Option<u64>,
}

impl Parts {
    fn file(&mut self) -> Option<Package> {
        let Parts { href, digits, size } = std::mem::take(self);
        Some(Package::new(href?, digits.as_deref().unwrap_or_default(), size))
    }
}

/// The files of `repodata` with their sums; paths count from the repository's top.
pub fn repomd(text: &str) -> Result<Vec<Data>, Error> {
    let mut xml = Xml::new("repomd.xml", text.as_bytes());
    let (mut all, mut kind, mut parts) = (Vec::new(), String::new(), Parts::default());
    while let Some(event) = xml.event()? {
        match event {
            Event::Start if xml.at(&["repomd", "data"]) => kind = xml.attribute("type").unwrap_or_default(),
            Event::Start if xml.at(&["repomd", "data", "location"]) => parts.href = location(&xml),
            Event::End if xml.at(&["repomd", "data", "checksum"]) => parts.digits = xml.text(),
            Event::End if xml.at(&["repomd", "data", "size"]) => {
                parts.size = xml.text().and_then(|text| text.parse().ok());
            }
            Event::End if xml.at(&["repomd", "data"]) => {
                all.push(Data { kind: std::mem::take(&mut kind), file: parts.file() });
            }
            _ => {}
        }
    }
    Ok(all)
}

/// Gives away each package; None: one without a place below the repository's own address.
pub fn primary(
    what: &str,
    reader: &mut dyn Read,
    give: &mut dyn FnMut(Option<Package>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut xml = Xml::new(what, reader);
    let mut parts = Parts::default();
    while let Some(event) = xml.event()? {
        match event {
            Event::Start if xml.at(&["metadata", "package", "location"]) => parts.href = location(&xml),
            Event::Start if xml.at(&["metadata", "package", "size"]) => {
                parts.size = xml.attribute("package").and_then(|text| text.parse().ok());
            }
            Event::End if xml.at(&["metadata", "package", "checksum"]) => parts.digits = xml.text(),
            Event::End if xml.at(&["metadata", "package"]) => give(parts.file())?,
            _ => {}
        }
    }
    Ok(())
}

/// What lies on another server is not of this tree. `media:` is the set of disks that this one is of: what is on another disk
/// is not found here, and counts as lacking.
fn location<R: Read>(xml: &Xml<R>) -> Option<String> {
    match xml.attribute("xml:base") {
        Some(base) if !base.starts_with("media:") => None,
        _ => xml.attribute("href"),
    }
}

/// A path that counts from a folder, which may lead up and down again; None: out of the tree.
pub fn resolved(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if path.starts_with('/') {
        return None;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    plain(&parts.join("/"))
}
