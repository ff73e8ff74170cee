//! Takes files from a server with a few readers at once; what a connection cut off is asked for again, a few times.

use super::Error;
use super::checks::Claims;
use super::stage::Stage;
use super::take::{One, Piece, copy};
use super::tree::{Readers, Tree};
use std::fs::File;
use std::io::Seek;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Mirrors allow as many to a host.
const READERS: usize = 4;
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
const CHUNK: usize = 256 << 10;
/// Words that wait to be heard.
const QUEUE: usize = 64;

enum Word {
    Piece(Piece),
    /// The file of this index.
    One(usize, One),
    Failed(Error),
}

pub struct Fetch<'a> {
    readers: &'a Readers,
    claims: &'a Claims,
    files: &'a [&'a String],
    stage: Option<&'a Stage>,
    /// The index of the file that nobody has begun with.
    next: AtomicUsize,
    /// One of them failed: the others need not go on.
    is_over: AtomicBool,
}

impl<'a> Fetch<'a> {
    pub fn new(
        readers: &'a Readers,
        claims: &'a Claims,
        files: &'a [&'a String],
        stage: Option<&'a Stage>,
    ) -> Fetch<'a> {
        Fetch { readers, claims, files, stage, next: AtomicUsize::new(0), is_over: AtomicBool::new(false) }
    }

    /// In the order of the files, whoever was first.
    pub fn carry_out(&self, hear: &mut dyn FnMut(Piece) -> Result<(), Error>) -> Result<Vec<One>, Error> {
        let mut all: Vec<Option<One>> = self.files.iter().map(|_| None).collect();
        let mut failed = None;
        thread::scope(|scope| {
            let (send, words) = sync_channel(QUEUE);
            for _ in 0..READERS.min(self.files.len()) {
                let send = send.clone();
                scope.spawn(move || self.reader(&send));
            }
            drop(send);
            for word in words {
                let heard = match word {
                    _ if failed.is_some() => Ok(()),
                    Word::Failed(error) => Err(error),
                    Word::Piece(step) => hear(step),
                    Word::One(index, one) => {
                        if let Some(place) = all.get_mut(index) {
                            *place = Some(one);
                        }
                        hear(Piece::Done)
                    }
                };
                if let Err(error) = heard {
                    self.is_over.store(true, Ordering::Relaxed);
                    failed = Some(error);
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(all.into_iter().flatten().collect()),
        }
    }

    fn reader(&self, send: &SyncSender<Word>) {
        let outcome = (self.readers)().and_then(|tree| self.read_all(&*tree, send));
        if let Err(error) = outcome {
            let _ = send.send(Word::Failed(error));
        }
    }

    fn read_all(&self, tree: &dyn Tree, send: &SyncSender<Word>) -> Result<(), Error> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = self.files.get(index) else { return Ok(()) };
            let one = self.patiently(tree, path, &mut buffer, send)?;
            let _ = send.send(Word::One(index, one));
        }
    }

    fn patiently(&self, tree: &dyn Tree, path: &str, buffer: &mut [u8], send: &SyncSender<Word>) -> Result<One, Error> {
        let mut file = self.stage.map(|stage| stage.file(path)).transpose()?;
        let mut tries = 1;
        loop {
            let mut read = 0_u64;
            let outcome = copy(tree, path, self.claims, file.as_mut(), buffer, &mut |count| {
                read = read.saturating_add(count);
                let _ = send.send(Word::Piece(Piece::Read(count)));
                match self.is_over.load(Ordering::Relaxed) {
                    true => Err(Error::unfit(path, "was not waited for")),
                    false => Ok(()),
                }
            });
            match outcome {
                Err(error) if tries < TRIES && error.is_passing() && !self.is_over.load(Ordering::Relaxed) => {
                    let _ = send.send(Word::Piece(Piece::Lost(read)));
                    file.as_mut().map_or(Ok(()), emptied).map_err(Error::writing(path.as_ref()))?;
                    thread::sleep(PAUSE * tries);
                    tries = tries.saturating_add(1);
                }
                outcome => return outcome,
            }
        }
    }
}

fn emptied(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()
}
