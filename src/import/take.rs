//! Takes files of a tree: each is read once, hashed, compared with what the tree says of it, and written.

use super::Error;
use super::checks::Claims;
use super::hashes::{Algorithm, Hashes, Sums};
use super::stage::Stage;
use super::tree::{Tree, missing};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};

/// Memory for one file at a time.
const CHUNK: usize = 1 << 20;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauge {
    pub bytes: u64,
    pub files: usize,
    /// Where they are known.
    pub all_bytes: Option<u64>,
    pub all_files: usize,
}

/// What is to be taken, and how.
pub struct Order<'a> {
    pub tree: &'a dyn Tree,
    pub files: Vec<String>,
    pub claims: &'a Claims,
    /// All files together, in bytes.
    pub limit: u64,
    pub limit_why: &'static str,
}

/// What was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub id: String,
    pub files: usize,
    pub bytes: u64,
    /// Files that were compared with at least one sum.
    pub compared: Vec<String>,
}

impl Order<'_> {
    /// Into the stage; without one it is only read and compared.
    pub fn carry_out(&self, stage: Option<&Stage>, tell: &mut dyn FnMut(&Gauge)) -> Result<Taken, Error> {
        let mut gauge = self.gauge()?;
        let mut buffer = vec![0; CHUNK];
        let mut whole = Sha256::new();
        let mut compared = Vec::new();
        let mut files: Vec<&String> = self.files.iter().collect();
        files.sort_unstable();
        files.dedup();
        for path in files {
            let sums = self.one(path, stage, &mut buffer, &mut gauge, tell)?;
            if self.claims.compare(path, &sums)? {
                compared.push(path.clone());
            }
            whole.update(format!("{}  {path}\n", sums.sha256));
            gauge.files = gauge.files.saturating_add(1);
            tell(&gauge);
        }
        let id = hex::encode(whole.finalize());
        Ok(Taken { id, files: gauge.files, bytes: gauge.bytes, compared })
    }

    fn gauge(&self) -> Result<Gauge, Error> {
        let mut all = Some(0_u64);
        for path in &self.files {
            let found = self.tree.find(path)?;
            let found = found.ok_or_else(|| missing(self.tree, path))?;
            all = all.and_then(|sum| Some(sum.saturating_add(found.size?)));
        }
        match all.filter(|all| *all > self.limit) {
            Some(needed) => Err(Error::TooLarge { needed, limit: self.limit, why: self.limit_why }),
            None => Ok(Gauge { all_bytes: all, all_files: self.files.len(), ..Gauge::default() }),
        }
    }

    fn one(
        &self,
        path: &str,
        stage: Option<&Stage>,
        buffer: &mut [u8],
        gauge: &mut Gauge,
        tell: &mut dyn FnMut(&Gauge),
    ) -> Result<Sums, Error> {
        let expected = self.tree.find(path)?.and_then(|found| found.size);
        let mut reader = self.tree.open(path)?;
        let mut file = stage.map(|stage| stage.file(path)).transpose()?;
        let mut hashes = Hashes::new(self.claims.algorithms(path));
        let mut size = 0_u64;
        loop {
            let count = read(&mut *reader, buffer).map_err(Error::reading(path))?;
            let part = buffer.get(..count).filter(|part| !part.is_empty());
            let Some(part) = part else { break };
            size = size.saturating_add(count as u64);
            gauge.bytes = gauge.bytes.saturating_add(count as u64);
            self.bounds(path, size, expected, gauge)?;
            hashes.update(part);
            if let Some(file) = &mut file {
                file.write_all(part).map_err(Error::writing(path.as_ref()))?;
            }
            tell(gauge);
        }
        match expected.filter(|expected| *expected != size) {
            Some(expected) => Err(Error::unfit(path, format!("ended after {size} of {expected} bytes"))),
            None => Ok(hashes.done()),
        }
    }

    fn bounds(&self, path: &str, size: u64, expected: Option<u64>, gauge: &Gauge) -> Result<(), Error> {
        if expected.is_some_and(|expected| size > expected) {
            return Err(Error::unfit(path, "grew while it was read"));
        }
        match gauge.bytes > self.limit {
            true => Err(Error::TooLarge { needed: gauge.bytes, limit: self.limit, why: self.limit_why }),
            false => Ok(()),
        }
    }
}

fn read(reader: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The sums of one whole file, read once.
pub fn sums(
    reader: &mut dyn Read,
    what: &str,
    wanted: impl IntoIterator<Item = Algorithm>,
    tell: &mut dyn FnMut(u64),
) -> Result<Sums, Error> {
    let mut hashes = Hashes::new(wanted);
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = read(reader, &mut buffer).map_err(Error::reading(what))?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        hashes.update(part);
        tell(count as u64);
    }
    Ok(hashes.done())
}
