//! Lists of packages as they are packed: gzip, Zstandard, xz or not at all, with a limit on what comes out and on the memory it takes.

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, Read};

/// What `xz -9` needs is 65 MiB.
const MOST_XZ_KIB: u32 = 72 << 10;
/// `createrepo_c` needs 8 MiB.
const MOST_WINDOW: u64 = 32 << 20;

/// The bytes that were packed; None: nobody here reads that.
pub fn unpacked<'a>(name: &str, packed: &'a mut dyn Read) -> Option<Box<dyn Read + 'a>> {
    let ending = name.rsplit('/').next().unwrap_or_default().rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "gz" => Some(Box::new(MultiGzDecoder::new(packed))),
        "zst" => Some(Box::new(Zstd { packed, frame: None })),
        "xz" => Some(Box::new(XzReader::new_mem_limit(packed, true, MOST_XZ_KIB))),
        "" | "xml" => Some(Box::new(packed)),
        _ => None,
    }
}

/// One frame after the other.
struct Zstd<'a> {
    packed: &'a mut dyn Read,
    frame: Option<FrameDecoder>,
}

impl Zstd<'_> {
    /// Whether there is one more.
    fn begin(&mut self) -> io::Result<bool> {
        let mut first = [0; 1];
        if self.packed.read(&mut first)? == 0 {
            return Ok(false);
        }
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MOST_WINDOW);
        let begun = decoder.init(first.as_slice().chain(&mut *self.packed));
        match begun {
            Ok(()) => self.frame = Some(decoder),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                io::copy(&mut (&mut *self.packed).take(length.into()), &mut io::sink())?;
            }
            Err(error) => return Err(io::Error::other(error.to_string())),
        }
        Ok(true)
    }
}

impl Read for Zstd<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.frame else {
                if !self.begin()? {
                    return Ok(0);
                }
                continue;
            };
            while decoder.can_collect() == 0 && !decoder.is_finished() {
                let decoded = decoder.decode_blocks(&mut *self.packed, BlockDecodingStrategy::UptoBlocks(1));
                decoded.map_err(|error| io::Error::other(error.to_string()))?;
            }
            match decoder.read(buffer)? {
                0 if !buffer.is_empty() => self.frame = None,
                count => return Ok(count),
            }
        }
    }
}

/// Ends with an error where more comes than was allowed, in place of going on without end.
pub struct Bounded<R> {
    inner: R,
    pub left: u64,
}

impl<R: Read> Bounded<R> {
    pub fn new(inner: R, left: u64) -> Bounded<R> {
        Bounded { inner, left }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| io::Error::other("its lists of packages are larger than any distro's"))?;
        Ok(count)
    }
}
