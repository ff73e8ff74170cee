//! Bytes of an image by their place: a file of any size, or memory in tests.

use super::Error;
use super::tree::{Found, Listing, Span, Tree};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// What can be read at any place.
pub trait Blocks {
    fn size(&self) -> u64;
    /// Fills the buffer from there, or says that the image ends before.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;

    fn bytes(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = at.checked_add(length as u64).filter(|end| *end <= self.size());
        end.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the image ends before"))?;
        let mut bytes = vec![0; length];
        self.read_at(at, &mut bytes)?;
        Ok(bytes)
    }
}

pub struct Disk {
    file: File,
    size: u64,
}

impl Disk {
    pub fn new(file: File) -> io::Result<Disk> {
        let size = file.metadata()?.len();
        Ok(Disk { file, size })
    }

    /// From its first byte to its last.
    pub fn reader(&self) -> impl Read + '_ {
        Spans { blocks: self, spans: VecDeque::from([Span { at: 0, length: self.size }]), read: 0 }
    }

    pub fn again(&self) -> io::Result<Disk> {
        Disk::new(self.file.try_clone()?)
    }
}

impl Blocks for Disk {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }
}

/// For tests and fuzzing.
impl Blocks for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let start = usize::try_from(at).map_err(|_| short())?;
        let end = start.checked_add(buffer.len()).ok_or_else(short)?;
        buffer.copy_from_slice(self.get(start..end).ok_or_else(short)?);
        Ok(())
    }
}

/// An image whose files are listed with their places.
pub struct Image {
    pub origin: String,
    pub blocks: Box<dyn Blocks>,
    pub listing: Listing,
    /// The name under which the whole image is a file of its own tree, though it is not listed.
    pub whole: Option<String>,
}

impl Image {
    fn whole(&self, path: &str) -> Option<Span> {
        let is_whole = self.whole.as_deref() == Some(path) && !self.listing.files.contains_key(path);
        is_whole.then(|| Span { at: 0, length: self.blocks.size() })
    }
}

impl Tree for Image {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn listing(&self) -> Option<&Listing> {
        Some(&self.listing)
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        let listed = self.listing.files.get(path).map(|entry| entry.size);
        let size = listed.or_else(|| self.whole(path).map(|span| span.length));
        Ok(size.map(|size| Found { size: Some(size) }))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        Ok(self.listing.names(folder))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        let listed = self.listing.files.get(path).map(|entry| entry.spans.clone());
        let spans = listed.or_else(|| self.whole(path).map(|span| vec![span]));
        let spans = spans.ok_or_else(|| Error::NotThere { path: path.into(), origin: self.origin.clone() })?;
        Ok(Box::new(Spans { blocks: &*self.blocks, spans: spans.into_iter().collect(), read: 0 }))
    }
}

/// The bytes of a file, one span after the other.
struct Spans<'a> {
    blocks: &'a dyn Blocks,
    spans: VecDeque<Span>,
    /// Of the first span.
    read: u64,
}

impl Read for Spans<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(span) = self.spans.front() {
            let left = span.length.saturating_sub(self.read);
            if left == 0 {
                self.spans.pop_front();
                self.read = 0;
                continue;
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let part = buffer.get_mut(..count).unwrap_or_default();
            self.blocks.read_at(span.at.saturating_add(self.read), part)?;
            self.read = self.read.saturating_add(count as u64);
            return Ok(count);
        }
        Ok(0)
    }
}
