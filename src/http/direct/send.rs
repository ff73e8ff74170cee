//! Bytes to the socket: from memory and small files in one call with the head, large files from the page cache by the
//! kernel itself.

use super::Line;
use crate::http::files::{Source, read};
use rustix::fs::{Advice, fadvise, sendfile};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::net::{SendFlags, send as send_some};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::io::Interest;

/// Up to here a file is copied: one call less than to let the kernel send it.
const SMALL: usize = 64 * 1024;
/// How much the kernel sends before others get their turn, and is looked for in the page cache at a time.
const CHUNK: u64 = 2 * 1024 * 1024;
/// How far apart it is looked for.
const PROBE: usize = 128 * 1024;
/// How far a disk reads ahead of us.
const AHEAD: NonZeroU64 = NonZeroU64::new(8 * 1024 * 1024).expect("eight is not zero");
/// How much of a cold file is read at a time.
const COLD: usize = 256 * 1024;

thread_local! {
    /// For small files: no task waits while it is in use.
    static SMALL_FILE: RefCell<Vec<u8>> = RefCell::new(vec![0; SMALL]);
}

impl Line<'_> {
    /// Writes the head, and then these bytes of what is there.
    pub async fn send(&self, head: &[u8], source: &Source, start: u64, end: u64) -> io::Result<()> {
        // From here on the client is the one to wait for, whatever the answer is.
        self.place.seat.got_on();
        self.place.seat.answers(true);
        self.sent(head, source, start, end).await?;
        self.place.seat.answers(false);
        Ok(())
    }

    async fn sent(&self, head: &[u8], source: &Source, start: u64, end: u64) -> io::Result<()> {
        let length = end.saturating_sub(start);
        match source {
            Source::Memory(_) => {
                let body = read(source, start, usize::try_from(length).map_err(io::Error::other)?).await?;
                self.write_both(head, &body).await
            }
            Source::File(file) if length <= SMALL as u64 => {
                let length = usize::try_from(length).unwrap_or(SMALL);
                match self.small(head, file, start, length)? {
                    Small::Cold => self.write_both(head, &read(source, start, length).await?).await,
                    Small::Left(rest) => self.write_both(&rest, &[]).await,
                }
            }
            Source::File(file) => self.large(head, file, start, end).await,
        }
    }

    /// Without waiting for anything: what is in the page cache, as far as the socket takes it.
    fn small(&self, head: &[u8], file: &File, start: u64, length: usize) -> io::Result<Small> {
        SMALL_FILE.with_borrow_mut(|buffer| {
            let Some(buffer) = buffer.get_mut(..length) else { return Ok(Small::Cold) };
            match preadv2(file, &mut [IoSliceMut::new(buffer)], start, ReadWriteFlags::NOWAIT) {
                Ok(read) if read == length => {}
                // Not in memory, not all of it, or a file system that can not tell.
                Ok(_) | Err(Errno::AGAIN | Errno::OPNOTSUPP) => return Ok(Small::Cold),
                Err(error) => return Err(error.into()),
            }
            let written = match self.stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(buffer)]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                written => written?,
            };
            self.place.seat.moved(written);
            let mut rest = head.get(written..).unwrap_or_default().to_vec();
            rest.extend_from_slice(buffer.get(written.saturating_sub(head.len())..).unwrap_or_default());
            Ok(Small::Left(rest))
        })
    }

    async fn write_both(&self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let (mut head, mut body) = (head, body);
        while !head.is_empty() || !body.is_empty() {
            let both = [IoSlice::new(head), IoSlice::new(body)];
            let written = self.when_writable(|| self.stream.try_write_vectored(&both)).await?;
            body = body.get(written.saturating_sub(head.len())..).unwrap_or_default();
            head = head.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    async fn large(&self, head: &[u8], file: &Arc<File>, start: u64, end: u64) -> io::Result<()> {
        // The kernel waits for more before it sends the head's packet.
        let more = SendFlags::MORE | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let written = self.when_writable(|| self.kernel(|| send_some(self.stream, head, more))).await?;
        self.write_both(head.get(written..).unwrap_or_default(), &[]).await?;
        let mut at = start;
        while at < end {
            let chunk_end = at.saturating_add(CHUNK).min(end);
            if !is_warm(file, at, chunk_end) {
                // While we read, it is not the client who stands still.
                self.place.seat.busy();
                warm(file, at, chunk_end).await?;
                self.place.seat.got_on();
            }
            while at < chunk_end {
                let size = usize::try_from(chunk_end.saturating_sub(at)).unwrap_or(SMALL);
                let mut offset = at;
                let sent = self.when_writable(|| self.kernel(|| sendfile(self.stream, file, Some(&mut offset), size)));
                match sent.await? {
                    0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")),
                    sent => at = at.saturating_add(sent as u64),
                }
            }
            // Who reads fast must not keep the processor from others.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// A call that tokio does not know.
    fn kernel(&self, mut call: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
        self.stream.try_io(Interest::WRITABLE, || call().map_err(io::Error::from))
    }

    /// Tries at once, and again when the socket takes more; gives up when it takes nothing for too long.
    async fn when_writable(&self, mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                written => return written.inspect(|bytes| self.place.seat.moved(*bytes)),
            }
            let stalled = |_| io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing");
            tokio::time::timeout(self.place.stalled_limit(), self.stream.writable()).await.map_err(stalled)??;
        }
    }
}

enum Small {
    /// To be read from a disk first.
    Cold,
    /// What the socket did not take: mostly nothing.
    Left(Vec<u8>),
}

/// Whether all of it seems to be in the page cache. The kernel reads ahead and forgets in pieces of some size, so not
/// each page is looked for.
fn is_warm(file: &File, start: u64, end: u64) -> bool {
    let mut byte = [0];
    let mut is_there = |at| match preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT) {
        Err(Errno::AGAIN) => false,
        // At the end, or on a file system that can not tell: sending will say what is wrong.
        _ => true,
    };
    (start..end).step_by(PROBE).all(&mut is_there) && is_there(end.saturating_sub(1))
}

/// Reads these bytes into the page cache, so that no worker sleeps on a disk while it sends them.
async fn warm(file: &Arc<File>, start: u64, end: u64) -> io::Result<()> {
    let file = file.clone();
    let through = move || {
        let mut buffer = vec![0; COLD];
        let mut at = start;
        while at < end {
            match file.read_at(&mut buffer, at)? {
                0 => break,
                read => at = at.saturating_add(read as u64),
            }
        }
        // A hint: without it the next bytes only come later.
        let _ = fadvise(&*file, end, Some(AHEAD), Advice::WillNeed);
        Ok(())
    };
    tokio::task::spawn_blocking(through).await.map_err(io::Error::other)?
}
