//! Many clients in one thread, each with an address of its own: all at once, or each of them slow.

use crate::client::Reader;
use crate::{LARGE, Lab, SMALL, SMALL_BYTES};
use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Theirs, inside the network that is served.
pub const CIDR: &str = "10.65.0.0/16";
const FIRST: u32 = u32::from_be_bytes([10, 65, 0, 1]);
/// As many as one address may have.
const PER_ADDRESS: u32 = 8;
/// How much a slow client reads before it slows down.
const HOLD_BLOCKS: u64 = 10;
/// So many begin together: more than a server hears at once, none of them waits for its turn in vain.
const TOGETHER: usize = 250;
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

struct Crowd {
    readers: Vec<Reader>,
    epoll: std::os::fd::OwnedFd,
    looked_at: Instant,
}

impl Crowd {
    fn new() -> Result<Crowd> {
        // A socket each.
        let most = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Crowd { readers: Vec::new(), epoll, looked_at: Instant::now() })
    }

    fn add(&mut self, name: &str, own: IpAddr, window: u16, holds_at: u64) -> Result<()> {
        let mut reader = Reader::ask(name, own, window)?;
        reader.holds_at = holds_at;
        reader.socket().set_nonblocking(true)?;
        let number = epoll::EventData::new_u64(self.readers.len() as u64);
        epoll::add(&self.epoll, reader.socket(), number, epoll::EventFlags::IN)?;
        self.readers.push(reader);
        Ok(())
    }

    /// Waits a moment, and does what there is to do.
    fn step(&mut self) -> Result<()> {
        let mut events = Vec::with_capacity(1024);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&LOOK))?;
        let mut buffer = [0; 2048];
        for event in &events {
            let reader = self.readers.get_mut(event.data.u64() as usize).context("no such client")?;
            // As many as a window has, then others get their turn.
            for _ in 0..64 {
                let Ok((length, from)) = reader.socket().recv_from(&mut buffer) else { break };
                reader.on_packet(&buffer[..length], from)?;
            }
        }
        if self.looked_at.elapsed() >= Duration::from_millis(50) {
            self.looked_at = Instant::now();
            self.readers.iter_mut().try_for_each(Reader::on_time)?;
        }
        Ok(())
    }
}

/// What a crowd found.
#[derive(Debug, Clone, Copy)]
pub struct Rush {
    pub mb_per_sec: f64,
    pub window: u16,
    pub repeats: f64,
}

/// So many clients fetch the small file at once.
pub fn rush(lab: &Lab, clients: u32, window: u16) -> Result<Rush> {
    let mut command = lab.net.beside_clients(std::env::current_exe()?);
    let said = crate::run(command.args(["role", "crowd", &clients.to_string(), &window.to_string()]))?;
    let mut words = said.split_whitespace();
    let mut word = || words.next().context("the crowd said too little");
    Ok(Rush { mb_per_sec: word()?.parse()?, window: word()?.parse()?, repeats: word()?.parse()? })
}

/// The other half of [`rush`].
pub fn print_rush(clients: u32, window: u16) -> Result<()> {
    let mut crowd = Crowd::new()?;
    let started = Instant::now();
    for number in 0..clients {
        crowd.add(SMALL, Ipv4Addr::from(FIRST + number).into(), window, u64::MAX)?;
    }
    while crowd.readers.iter().any(|reader| !reader.is_done) {
        crowd.step()?;
    }
    let secs = started.elapsed().as_secs_f64();
    ensure!(crowd.readers.iter().all(|reader| reader.bytes == SMALL_BYTES), "a file is not whole");
    let mb = f64::from(clients) * SMALL_BYTES as f64 / 1e6;
    let repeats: u64 = crowd.readers.iter().map(|reader| reader.repeats).sum();
    println!("{} {} {repeats}", mb / secs, crowd.readers.iter().map(|reader| reader.window).min().unwrap_or(0));
    Ok(())
}

/// Clients that read a block each second, until this is dropped.
pub struct Held(Child);

impl Held {
    /// Returns when all of them are in the middle of their transfer.
    pub fn start(lab: &Lab, clients: u32) -> Result<Held> {
        let mut command: Command = lab.net.beside_clients(std::env::current_exe()?);
        command.args(["role", "hold", &clients.to_string()]);
        let mut held = Held(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let mut ready = [0; 6];
        let said = held.0.stdout.as_mut().context("no output")?.read_exact(&mut ready);
        said.context("the slow clients ended too soon")?;
        Ok(held)
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The other half of [`Held`].
pub fn hold(clients: u32) -> Result<()> {
    let mut crowd = Crowd::new()?;
    let are_held = |crowd: &Crowd| crowd.readers.iter().all(|reader| reader.next >= HOLD_BLOCKS);
    for number in 0..clients {
        let own = Ipv4Addr::from(FIRST + number / PER_ADDRESS);
        crowd.add(LARGE, own.into(), 1, HOLD_BLOCKS)?;
        while crowd.readers.len().is_multiple_of(TOGETHER) && !are_held(&crowd) {
            crowd.step()?;
        }
    }
    while !are_held(&crowd) {
        crowd.step()?;
    }
    std::io::stdout().write_all(b"ready\n")?;
    std::io::stdout().flush()?;
    loop {
        let until = Instant::now() + Duration::from_secs(1);
        for reader in &mut crowd.readers {
            reader.acknowledge()?;
        }
        while Instant::now() < until {
            crowd.step()?;
        }
    }
}
