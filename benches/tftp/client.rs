//! A client as firmware has one, but in a hurry: it takes windows, acknowledges what it has when a block is missing, and
//! repeats itself when nothing comes.

use crate::net::SERVER;
use crate::{LARGE, LARGE_BYTES, Lab};
use anyhow::{Context, Result, bail, ensure};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

pub const BLKSIZE: usize = 1468;
const PATIENCE: Duration = Duration::from_millis(500);
const MAX_TRIES: u32 = 20;

/// Bytes of which each word tells its place, so that a block in the wrong one is noticed.
pub fn content(bytes: u64) -> Vec<u8> {
    (0..bytes.div_ceil(4)).flat_map(word).take(bytes as usize).collect()
}

fn word(at: u64) -> [u8; 4] {
    (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()
}

/// One transfer, seen from the client.
pub struct Reader {
    socket: UdpSocket,
    transfer: Option<SocketAddr>,
    last_sent: Vec<u8>,
    sent_at: Instant,
    tries: u32,
    blksize: usize,
    pub window: u16,
    /// The block that comes next.
    pub next: u64,
    unacknowledged: u16,
    has_told_gap: bool,
    pub bytes: u64,
    pub repeats: u64,
    pub is_done: bool,
    /// Acknowledges nothing by itself from this block on.
    pub holds_at: u64,
}

impl Reader {
    pub fn ask(name: &str, own: IpAddr, window: u16) -> Result<Reader> {
        let socket = UdpSocket::bind((own, 0)).context("no port for a client")?;
        let mut request = format!("\0\x01{name}\0octet\0blksize\0{BLKSIZE}\0tsize\x000\0").into_bytes();
        if window > 1 {
            request.extend_from_slice(format!("windowsize\0{window}\0").as_bytes());
        }
        let mut reader = Reader {
            socket,
            transfer: None,
            last_sent: request,
            sent_at: Instant::now(),
            tries: 0,
            blksize: 512,
            window: 1,
            next: 1,
            unacknowledged: 0,
            has_told_gap: false,
            bytes: 0,
            repeats: 0,
            is_done: false,
            holds_at: u64::MAX,
        };
        reader.send()?;
        Ok(reader)
    }

    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    fn send(&mut self) -> Result<()> {
        self.sent_at = Instant::now();
        match self.transfer {
            // Connected by then.
            Some(_) => self.socket.send(&self.last_sent)?,
            None => self.socket.send_to(&self.last_sent, (SERVER, 69))?,
        };
        Ok(())
    }

    pub fn acknowledge(&mut self) -> Result<()> {
        let block = self.next.wrapping_sub(1) as u16;
        self.last_sent = [[0, 4], block.to_be_bytes()].concat();
        self.unacknowledged = 0;
        self.tries = 0;
        self.send()
    }

    /// Repeats the last packet when its time has come.
    pub fn on_time(&mut self) -> Result<()> {
        if self.is_done || self.next >= self.holds_at || self.sent_at.elapsed() < PATIENCE * (self.tries + 1).min(4) {
            return Ok(());
        }
        self.tries += 1;
        self.repeats += 1;
        ensure!(self.tries < MAX_TRIES, "the server is silent after {} bytes", self.bytes);
        self.send()
    }

    pub fn on_packet(&mut self, packet: &[u8], from: SocketAddr) -> Result<()> {
        if self.transfer.is_none() {
            self.transfer = Some(from);
            self.socket.connect(from)?;
        }
        match packet {
            [0, 3, high, low, payload @ ..] => self.on_block(u16::from_be_bytes([*high, *low]), payload),
            [0, 6, options @ ..] if self.next == 1 => {
                self.agree(options)?;
                self.acknowledge()
            }
            [0, 5, _, code, text @ ..] => bail!("error {code}: {}", String::from_utf8_lossy(text)),
            _ => Ok(()),
        }
    }

    fn agree(&mut self, options: &[u8]) -> Result<()> {
        let texts: Vec<_> = options.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        for pair in texts.chunks_exact(2) {
            match pair[0].to_ascii_lowercase().as_str() {
                "blksize" => self.blksize = pair[1].parse()?,
                "windowsize" => self.window = pair[1].parse()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn on_block(&mut self, block: u16, payload: &[u8]) -> Result<()> {
        if block != self.next as u16 {
            // Once for each gap, or each copy of a single block.
            let is_new = !self.has_told_gap && self.window > 1;
            self.has_told_gap = true;
            return if is_new { self.acknowledge() } else { Ok(()) };
        }
        let is_right = payload.get(..4).is_none_or(|first| first == word(self.bytes / 4));
        ensure!(is_right, "block {} is not what it should be", self.next);
        self.has_told_gap = false;
        self.bytes += payload.len() as u64;
        self.next += 1;
        self.unacknowledged += 1;
        self.is_done = payload.len() < self.blksize;
        if self.is_done || (self.unacknowledged >= self.window && self.next < self.holds_at) {
            self.acknowledge()?;
        }
        Ok(())
    }
}

/// What one client found.
#[derive(Debug, Clone, Copy)]
pub struct Fetched {
    pub mb_per_sec: f64,
    /// What the server agreed to.
    pub window: u16,
}

/// Inside the clients' namespace: the large file, once.
pub fn fetch(lab: &Lab, window: u16) -> Result<Fetched> {
    let mut command = lab.net.beside_clients(std::env::current_exe()?);
    let said = crate::run(command.args(["role", "fetch", &window.to_string()]))?;
    let mut words = said.split_whitespace();
    let mut word = || words.next().context("the client said too little");
    Ok(Fetched { mb_per_sec: word()?.parse()?, window: word()?.parse()? })
}

/// The other half of [`fetch`].
pub fn print_fetch(window: u16) -> Result<()> {
    let started = Instant::now();
    let mut reader = Reader::ask(LARGE, crate::net::CLIENTS.into(), window)?;
    reader.socket().set_read_timeout(Some(PATIENCE / 5))?;
    let mut buffer = [0; 2048];
    while !reader.is_done {
        match reader.socket().recv_from(&mut buffer) {
            Ok((length, from)) => reader.on_packet(&buffer[..length], from)?,
            Err(_) => reader.on_time()?,
        }
    }
    let secs = started.elapsed().as_secs_f64();
    ensure!(reader.bytes == LARGE_BYTES, "{} bytes came", reader.bytes);
    eprintln!("window {}: {} repeats", reader.window, reader.repeats);
    println!("{} {}", LARGE_BYTES as f64 / 1e6 / secs, reader.window);
    Ok(())
}
