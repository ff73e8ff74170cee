//! Which files of a folder were just closed, renamed or removed, as the kernel tells it.

use rustix::fs::inotify::{CreateFlags, ReadFlags, WatchFlags, add_watch, init};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tokio::net::unix::pipe::Receiver;

/// How many folders are followed: further ones are looked at once a second, as all are.
const MOST: usize = 1024;
/// How deep.
const DEPTH: usize = 8;

/// None where the kernel can not tell: then files are looked at once a second.
pub struct Watch {
    fd: Option<Receiver>,
    folders: BTreeMap<i32, PathBuf>,
    /// A folder came or went.
    stale: bool,
}

impl Watch {
    pub fn new(folder: Option<&Path>) -> Watch {
        let open = || init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(std::io::Error::from);
        // Read as a pipe is: bytes as they come, and nothing while there are none.
        let fd = folder.and_then(|_| match open().and_then(Receiver::from_owned_fd_unchecked) {
            Ok(fd) => Some(fd),
            Err(error) => {
                tracing::warn!(%error, "changed templates are found once a second, and not at once");
                None
            }
        });
        let mut watch = Watch { fd, folders: BTreeMap::new(), stale: true };
        watch.renew(folder);
        watch
    }

    /// Follows every folder that there is now. One that is followed already is not followed twice.
    pub fn renew(&mut self, folder: Option<&Path>) {
        let Some(folder) = folder.filter(|_| self.stale || self.folders.is_empty()) else { return };
        self.stale = false;
        self.follow(folder, 0);
        for top in ["templates", "pxe"] {
            self.follow(&folder.join(top), DEPTH);
        }
    }

    fn follow(&mut self, folder: &Path, depth: usize) {
        let what =
            WatchFlags::CLOSE_WRITE | WatchFlags::MOVE | WatchFlags::DELETE | WatchFlags::CREATE | WatchFlags::ONLYDIR;
        let Some(fd) = self.fd.as_ref().filter(|_| self.folders.len() < MOST) else { return };
        let Ok(id) = add_watch(fd, folder, what) else { return };
        self.folders.insert(id, folder.to_owned());
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().filter(|_| depth > 0);
        let folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.iter().for_each(|path| self.follow(path, depth.saturating_sub(1)));
    }

    /// Waits until something was closed, or came or went.
    pub async fn closed(&mut self) -> BTreeSet<PathBuf> {
        loop {
            let Some(fd) = &self.fd else { return std::future::pending().await };
            if fd.readable().await.is_err() {
                return std::future::pending().await;
            }
            let stale = self.stale;
            let closed = self.more();
            if !closed.is_empty() || self.stale != stale {
                return closed;
            }
        }
    }

    /// The same without waiting.
    pub fn more(&mut self) -> BTreeSet<PathBuf> {
        let mut closed = BTreeSet::new();
        let Some(fd) = &self.fd else { return closed };
        let mut buffer = [0; 16 << 10];
        while let Ok(count) = fd.try_read(&mut buffer)
            && count > 0
        {
            for event in events(buffer.get(..count).unwrap_or_default()) {
                let lost = ReadFlags::ISDIR | ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED;
                self.stale |= event.what.intersects(lost);
                // A file that was only begun is told of again when it is closed.
                let folder = self.folders.get(&event.folder).filter(|_| !event.what.contains(ReadFlags::CREATE));
                closed.extend(folder.map(|folder| folder.join(OsStr::from_bytes(event.name))));
            }
        }
        closed
    }
}

struct Event<'a> {
    folder: i32,
    what: ReadFlags,
    name: &'a [u8],
}

/// Of inotify(7): four numbers of 32 bits, and a name of as many bytes as the last says, zeros behind it.
fn events(mut bytes: &[u8]) -> Vec<Event<'_>> {
    let mut events = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(16) {
        let number = |place: usize| head.get(place..).and_then(|part| part.first_chunk()).copied().unwrap_or_default();
        let length = usize::try_from(u32::from_ne_bytes(number(12))).unwrap_or(usize::MAX);
        let Some((name, rest)) = rest.split_at_checked(length) else { break };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let what = ReadFlags::from_bits_retain(u32::from_ne_bytes(number(4)));
        events.push(Event { folder: i32::from_ne_bytes(number(0)), what, name });
        bytes = rest;
    }
    events
}
