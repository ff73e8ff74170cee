//! Debian's `Packages`: a paragraph for each package, with its file's place, size and sums.

use super::Package;
use super::xml::until;
use crate::import::Error;
use std::io::{BufReader, Read};

/// Of a line so much is kept: those of interest have 200 bytes.
const LONGEST: usize = 4 << 10;
/// In this order they are believed.
const SUMS: [&str; 3] = ["sha256", "sha512", "md5sum"];

#[derive(Default)]
struct Paragraph {
    place: Option<String>,
    size: Option<u64>,
    sums: [Option<String>; SUMS.len()],
}

impl Paragraph {
    fn hear(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else { return };
        let (name, value) = (name.to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "filename" => self.place = Some(value.to_owned()),
            "size" => self.size = value.parse().ok(),
            name => {
                let sum = SUMS.iter().zip(&mut self.sums).find(|(known, _)| **known == name);
                if let Some((_, sum)) = sum {
                    *sum = Some(value.to_owned());
                }
            }
        }
    }

    fn file(self) -> Option<Package> {
        let digits = self.sums.into_iter().flatten().next().unwrap_or_default();
        Some(Package::new(self.place?, &digits, self.size))
    }
}

/// Gives away each package; paths count from the archive's top.
pub fn packages(
    what: &str,
    reader: &mut dyn Read,
    give: &mut dyn FnMut(Option<Package>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut bytes = BufReader::with_capacity(64 << 10, reader);
    let (mut line, mut paragraph, mut is_begun) = (Vec::new(), Paragraph::default(), false);
    loop {
        line.clear();
        let more = until(&mut bytes, b'\n', &mut |part| {
            let room = LONGEST.saturating_sub(line.len());
            line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        });
        let more = more.map_err(Error::reading(what))?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        // A line that goes on begins with a blank.
        if !text.starts_with([' ', '\t']) {
            paragraph.hear(text);
        }
        if is_begun && (text.is_empty() || !more) {
            give(std::mem::take(&mut paragraph).file())?;
        }
        is_begun = !text.is_empty();
        if !more {
            return Ok(());
        }
    }
}
