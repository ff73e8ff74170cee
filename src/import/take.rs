//! Takes files of a tree: each is read once, hashed, compared with what the tree says of it, and written.

use super::Error;
use super::checks::Claims;
use super::fetch::Fetch;
use super::hashes::{Algorithm, Hashes, Sums};
use super::stage::Stage;
use super::tree::{Tree, missing};
use sha2::{Digest, Sha256};
use std::fs::File;
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
        let mut files: Vec<&String> = self.files.iter().collect();
        files.sort_unstable();
        files.dedup();
        let mut gauge = self.gauge()?;
        let all = match self.tree.readers() {
            Some(readers) => Fetch::new(&readers, self.claims, &files, stage)
                .carry_out(&mut |step| self.heard(step, &mut gauge, tell)),
            None => self.one_by_one(&files, stage, &mut gauge, tell),
        }?;
        let mut whole = Sha256::new();
        let mut compared = Vec::new();
        for (path, one) in files.into_iter().zip(all) {
            whole.update(format!("{}  {path}\n", one.sums.sha256));
            compared.extend(one.is_compared.then(|| path.clone()));
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

    fn one_by_one(
        &self,
        files: &[&String],
        stage: Option<&Stage>,
        gauge: &mut Gauge,
        tell: &mut dyn FnMut(&Gauge),
    ) -> Result<Vec<One>, Error> {
        let mut buffer = vec![0; CHUNK];
        let mut all = Vec::with_capacity(files.len());
        for path in files {
            let mut file = stage.map(|stage| stage.file(path)).transpose()?;
            let mut hear = |count| self.heard(Piece::Read(count), gauge, tell);
            let one = copy(self.tree, path, self.claims, file.as_mut(), &mut buffer, &mut hear)?;
            self.heard(Piece::Done, gauge, tell)?;
            all.push(one);
        }
        Ok(all)
    }

    fn heard(&self, step: Piece, gauge: &mut Gauge, tell: &mut dyn FnMut(&Gauge)) -> Result<(), Error> {
        match step {
            Piece::Read(count) => gauge.bytes = gauge.bytes.saturating_add(count),
            Piece::Lost(count) => gauge.bytes = gauge.bytes.saturating_sub(count),
            Piece::Done => gauge.files = gauge.files.saturating_add(1),
        }
        if gauge.bytes > self.limit {
            return Err(Error::TooLarge { needed: gauge.bytes, limit: self.limit, why: self.limit_why });
        }
        tell(gauge);
        Ok(())
    }
}

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes more.
    Read(u64),
    /// So many of them come again.
    Lost(u64),
    /// One file more.
    Done,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct One {
    pub sums: Sums,
    /// With at least one sum.
    pub is_compared: bool,
}

/// One file: read once, hashed, written, and compared with what is said of it.
pub fn copy(
    tree: &dyn Tree,
    path: &str,
    claims: &Claims,
    mut file: Option<&mut File>,
    buffer: &mut [u8],
    hear: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<One, Error> {
    let expected = tree.find(path)?.and_then(|found| found.size);
    let mut reader = tree.open(path)?;
    let mut hashes = Hashes::new(claims.algorithms(path));
    let mut size = 0_u64;
    loop {
        let count = read(&mut *reader, buffer).map_err(Error::reading(path))?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        size = size.saturating_add(count as u64);
        if expected.is_some_and(|expected| size > expected) {
            return Err(Error::unfit(path, "grew while it was read, or is larger than was said"));
        }
        hashes.update(part);
        if let Some(file) = &mut file {
            file.write_all(part).map_err(Error::writing(path.as_ref()))?;
        }
        hear(count as u64)?;
    }
    if let Some(expected) = expected.filter(|expected| *expected != size) {
        return Err(Error::unfit(path, format!("ended after {size} of {expected} bytes")));
    }
    let sums = hashes.done();
    let is_compared = claims.compare(path, &sums)?;
    Ok(One { sums, is_compared })
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
