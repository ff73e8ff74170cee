//! A virtual client reads a file by TFTP: with the options of its firmware, in windows, and again when nothing comes.

use super::cast::Manner;
use super::client::{Client, Fault, Leg};
use super::firmware::Habit;
use super::post::Post;
use bytes::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// Firmware waits for some 4 s: a twentieth of that.
const WAIT: Duration = Duration::from_millis(200);
const TRIES: u32 = 16;
/// A script is no longer.
const MOST: usize = 1 << 20;

/// What is to be done with the blocks.
pub enum Wanted {
    /// Each is compared with what the file holds.
    Same(Bytes),
    Text,
    /// As much as this, then it is given up. The size is compared.
    Beginning(usize),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Taken {
    pub text: Vec<u8>,
    /// As the server announced it.
    pub size: Option<u64>,
}

/// Why nothing did.
#[derive(Debug)]
pub enum NotTaken {
    Silence,
    /// The server's error.
    Refused(String),
    Different(String),
}

impl NotTaken {
    pub fn told(self, step: Leg, name: &str) -> Fault {
        match self {
            NotTaken::Silence => Fault::silence(step, format!("TFTP did not answer for {name}")),
            NotTaken::Refused(text) => Fault::new(step, format!("TFTP gave no {name}: {text}")),
            NotTaken::Different(text) => Fault::new(step, format!("{name} by TFTP: {text}")),
        }
    }
}

impl Client<'_> {
    pub async fn tftp(
        &mut self,
        server: Ipv4Addr,
        name: &str,
        habit: Habit,
        wanted: Wanted,
    ) -> Result<Taken, NotTaken> {
        let Some(to) = self.stage.tftp(server) else {
            return Err(NotTaken::Refused(format!(
                "{} is none of this server's addresses",
                self.stage.atlas.real(server)
            )));
        };
        let name = &self.written(name);
        let (mut loss, bears) = (self.loss.clone(), self.actor.part.bears);
        let mut repeats = 0;
        let taken = async {
            if habit.looks_first {
                let looked = Transfer::of(self.ip, &mut loss, &mut repeats, habit, Wanted::Beginning(0)).await?;
                looked.run(to, name, bears).await?;
            }
            Transfer::of(self.ip, &mut loss, &mut repeats, habit, wanted).await?.run(to, name, bears).await
        };
        let taken = taken.await;
        (self.loss, self.repeats) = (loss, self.repeats + repeats);
        taken
    }

    /// A name as this firmware writes it.
    fn written(&self, name: &str) -> Vec<u8> {
        match self.actor.manner() {
            Manner::Rubbish => [name.as_bytes(), &[0xff]].concat(),
            Manner::Slash => format!("/{name}").into_bytes(),
            Manner::Plain | Manner::Twice => name.into(),
        }
    }
}

/// The largest window and block that this firmware bears, where quirks say so.
type Bears = (Option<u16>, Option<u16>);

struct Transfer<'a> {
    post: Post<'a>,
    repeats: &'a mut u64,
    asked: Habit,
    blksize: usize,
    windowsize: u64,
    wanted: Wanted,
    taken: Taken,
    /// The server's port of this transfer, once it is known.
    peer: Option<SocketAddr>,
    /// Blocks that came, all in a row.
    blocks: u64,
    bytes: usize,
    unacknowledged: u64,
}

/// What a packet led to.
enum Next {
    Wait,
    Ack,
    Done,
    /// There is all that was wanted.
    GiveUp,
}

impl<'a> Transfer<'a> {
    async fn of(
        ip: Ipv4Addr,
        loss: &'a mut super::loss::Loss,
        repeats: &'a mut u64,
        asked: Habit,
        wanted: Wanted,
    ) -> Result<Transfer<'a>, NotTaken> {
        let post = Post::open(ip, loss).await;
        let post = post.map_err(|error| NotTaken::Different(format!("no socket for a client: {error}")))?;
        let (taken, peer) = (Taken::default(), None);
        let (blksize, windowsize, unacknowledged) = (512, 1, 0);
        Ok(Transfer {
            post,
            repeats,
            asked,
            blksize,
            windowsize,
            wanted,
            taken,
            peer,
            blocks: 0,
            bytes: 0,
            unacknowledged,
        })
    }

    async fn run(mut self, server: SocketAddr, name: &[u8], bears: Bears) -> Result<Taken, NotTaken> {
        let mut last = self.request(name);
        let mut tries = 1;
        self.post.send(&last, server).await;
        let mut until = Instant::now() + WAIT;
        loop {
            let heard = self.post.receive(until).await.map(|(bytes, from)| (bytes.to_vec(), from));
            let next = match heard {
                Some((bytes, from)) if *self.peer.get_or_insert(from) == from => self.on_packet(&bytes)?,
                Some(_) => Next::Wait,
                None if tries >= TRIES => return Err(NotTaken::Silence),
                None => {
                    tries += 1;
                    *self.repeats += 1;
                    self.post.send(&last, self.peer.unwrap_or(server)).await;
                    until = Instant::now() + WAIT * tries.min(4);
                    continue;
                }
            };
            self.bear(bears)?;
            let to = self.peer.unwrap_or(server);
            match next {
                Next::Wait => continue,
                Next::Ack | Next::Done => last = [[0, 4], (self.blocks as u16).to_be_bytes()].concat(),
                Next::GiveUp => last = b"\0\x05\0\x00enough\0".to_vec(),
            }
            self.post.send(&last, to).await;
            (tries, until, self.unacknowledged) = (1, Instant::now() + WAIT, 0);
            if !matches!(next, Next::Ack) {
                return self.checked();
            }
        }
    }

    fn request(&self, name: &[u8]) -> Vec<u8> {
        let mut options = format!("\0octet\0tsize\x000\0blksize\0{}\0", self.asked.blksize);
        if self.asked.windowsize > 1 {
            options.push_str(&format!("windowsize\0{}\0", self.asked.windowsize));
        }
        [b"\0\x01", name, options.as_bytes()].concat()
    }

    /// Firmware with a quirk fails where it is not heeded.
    fn bear(&self, (window, block): Bears) -> Result<(), NotTaken> {
        let over = |agreed: u64, most: Option<u16>| most.map(u64::from).filter(|most| agreed > *most);
        if let Some(most) = over(self.windowsize, window) {
            let text = format!(
                "a window of {} was agreed to, and a quirk says that this firmware bears {most}",
                self.windowsize
            );
            return Err(NotTaken::Different(text));
        }
        if let Some(most) = over(self.blksize as u64, block.map(|most| most.max(512))) {
            let text = format!(
                "blocks of {} bytes were agreed to, and a quirk says that this firmware bears {most}",
                self.blksize
            );
            return Err(NotTaken::Different(text));
        }
        Ok(())
    }

    fn on_packet(&mut self, packet: &[u8]) -> Result<Next, NotTaken> {
        match packet {
            [0, 3, high, low, payload @ ..] => self.on_block(u16::from_be_bytes([*high, *low]), payload),
            [0, 6, options @ ..] if self.blocks == 0 => {
                self.agree(options);
                Ok(if matches!(self.wanted, Wanted::Beginning(0)) { Next::GiveUp } else { Next::Ack })
            }
            [0, 5, _, code, text @ ..] => {
                let text = String::from_utf8_lossy(text).trim_end_matches('\0').to_owned();
                Err(NotTaken::Refused(format!("error {code}, {text}")))
            }
            _ => Ok(Next::Wait),
        }
    }

    fn agree(&mut self, options: &[u8]) {
        let texts: Vec<_> = options.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        for pair in texts.chunks_exact(2) {
            let [name, value] = pair else { continue };
            match name.to_ascii_lowercase().as_str() {
                "blksize" => self.blksize = value.parse().unwrap_or(self.blksize),
                "windowsize" => self.windowsize = value.parse().unwrap_or(1),
                "tsize" => self.taken.size = value.parse().ok(),
                _ => {}
            }
        }
    }

    fn on_block(&mut self, block: u16, payload: &[u8]) -> Result<Next, NotTaken> {
        if block != (self.blocks + 1) as u16 {
            // An older one again: its acknowledgement was lost. One that is too new: one in between was.
            let is_old = block == self.blocks as u16;
            return Ok(if is_old || self.windowsize > 1 { Next::Ack } else { Next::Wait });
        }
        let begin = self.bytes;
        self.blocks += 1;
        self.bytes += payload.len();
        self.unacknowledged += 1;
        let is_last = payload.len() < self.blksize;
        match &self.wanted {
            Wanted::Same(file) if file.get(begin..self.bytes) != Some(payload) => {
                return Err(NotTaken::Different(format!("from byte {begin} on it is not what the file holds")));
            }
            Wanted::Text if self.bytes <= MOST => self.taken.text.extend_from_slice(payload),
            Wanted::Text => return Err(NotTaken::Different("it has no end".into())),
            Wanted::Beginning(enough) if self.bytes >= *enough && !is_last => return Ok(Next::GiveUp),
            _ => {}
        }
        Ok(match () {
            () if is_last => Next::Done,
            () if self.unacknowledged >= self.windowsize => Next::Ack,
            () => Next::Wait,
        })
    }

    fn checked(self) -> Result<Taken, NotTaken> {
        match &self.wanted {
            Wanted::Same(file) if file.len() != self.bytes => {
                Err(NotTaken::Different(format!("{} bytes came of {}", self.bytes, file.len())))
            }
            _ => Ok(self.taken),
        }
    }
}
