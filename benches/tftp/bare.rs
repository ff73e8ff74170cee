//! A sender that only sends: no table, no timers, no checks. What clients, kernel and machine allow here.

use crate::client::BLKSIZE;
use crate::net::SERVER;
use anyhow::{Context, Result};
use kickstand::tftp::packet::Packet;
use socket2::{MsgHdr, SockAddr, SockRef};
use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// As many blocks as fit into one call.
const SEGMENTS: usize = 44;

/// Answers one client after the other.
pub fn serve(file: &Path) -> Result<()> {
    let content = std::fs::read(file)?;
    let listener = UdpSocket::bind((SERVER, 69))?;
    let mut buffer = [0; 2048];
    loop {
        let (length, client) = listener.recv_from(&mut buffer)?;
        let Ok(Packet::Read(read)) = Packet::parse(&buffer[..length]) else { continue };
        let asked = read.options.iter().find(|(name, _)| name == "windowsize").map(|(_, value)| value.parse());
        let socket = UdpSocket::bind((SERVER, 0))?;
        socket.connect(client)?;
        send(&socket, &content, asked.transpose()?)?;
    }
}

/// Many at once, of a file with fewer blocks than there are numbers: an acknowledgement says all that must be known.
pub fn serve_many(file: &Path) -> Result<()> {
    let content = std::fs::read(file)?;
    let (listener, sender) = (UdpSocket::bind((SERVER, 69))?, UdpSocket::bind((SERVER, 0))?);
    for socket in [&listener, &sender] {
        SockRef::from(socket).set_recv_buffer_size(8 << 20)?;
        SockRef::from(socket).set_send_buffer_size(8 << 20)?;
    }
    // All of a crowd ask for the same window.
    let window = std::sync::atomic::AtomicUsize::new(1);
    std::thread::scope(|scope| {
        scope.spawn(|| agree(&listener, &sender, &window));
        follow(&sender, &content, &window)
    })
}

fn agree(listener: &UdpSocket, sender: &UdpSocket, window: &AtomicUsize) -> Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let (length, client) = listener.recv_from(&mut buffer)?;
        let Ok(Packet::Read(read)) = Packet::parse(&buffer[..length]) else { continue };
        let asked = read.options.iter().find(|(name, _)| name == "windowsize").map(|(_, value)| value.parse());
        let mut agreed = format!("\0\x06blksize\0{BLKSIZE}\0");
        if let Some(asked) = asked.transpose()? {
            window.store(asked, Ordering::Relaxed);
            agreed.push_str(&format!("windowsize\0{asked}\0"));
        }
        sender.send_to(agreed.as_bytes(), client)?;
    }
}

fn follow(sender: &UdpSocket, content: &[u8], window: &AtomicUsize) -> Result<()> {
    let (mut ack, last) = ([0; 16], content.len() / BLKSIZE + 1);
    loop {
        let (length, client) = sender.recv_from(&mut ack)?;
        let Some(block) = ack[..length].get(2..4) else { continue };
        let base = usize::from(u16::from_be_bytes([block[0], block[1]])) + 1;
        let end = (base + window.load(Ordering::Relaxed)).min(last + 1);
        if base < end {
            send_some(sender, Some(client), content, base..end)?;
        }
    }
}

fn send(socket: &UdpSocket, content: &[u8], asked: Option<usize>) -> Result<()> {
    let mut agreed = format!("\0\x06blksize\0{BLKSIZE}\0");
    if let Some(window) = asked {
        agreed.push_str(&format!("windowsize\0{window}\0"));
    }
    socket.send(agreed.as_bytes())?;
    let window = asked.unwrap_or(1);
    let last = content.len() / BLKSIZE + 1;
    let (mut ack, mut base) = ([0; 16], 1);
    loop {
        let length = socket.recv(&mut ack)?;
        let block = ack[..length].get(2..4).context("no acknowledgement")?;
        let block = u16::from_be_bytes([block[0], block[1]]);
        // The nearest to what was sent.
        base += usize::from(block.wrapping_sub(base as u16).wrapping_add(1)) % 65_536;
        if base > last {
            return Ok(());
        }
        let end = (base + window).min(last + 1);
        for first in (base..end).step_by(SEGMENTS) {
            send_some(socket, None, content, first..(first + SEGMENTS).min(end))?;
        }
    }
}

fn send_some(socket: &UdpSocket, to: Option<SocketAddr>, content: &[u8], blocks: std::ops::Range<usize>) -> Result<()> {
    let headers: Vec<[u8; 4]> = blocks.clone().map(|block| [0, 3, (block >> 8) as u8, block as u8]).collect();
    let payload = |block: usize| {
        let from = (block - 1) * BLKSIZE;
        &content[from..(from + BLKSIZE).min(content.len())]
    };
    let both = headers.iter().zip(blocks.clone());
    let slices: Vec<_> =
        both.flat_map(|(header, block)| [IoSlice::new(header), IoSlice::new(payload(block))]).collect();
    let mut control = Vec::new();
    control.extend_from_slice(&18_usize.to_ne_bytes());
    control.extend_from_slice(&libc::SOL_UDP.to_ne_bytes());
    control.extend_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    control.extend_from_slice(&(BLKSIZE as u16 + 4).to_ne_bytes());
    control.resize(24, 0);
    let to = to.map(SockAddr::from);
    let message = MsgHdr::new().with_buffers(&slices);
    let message = match &to {
        Some(to) => message.with_addr(to),
        None => message,
    };
    let message = if blocks.len() > 1 { message.with_control(&control) } else { message };
    SockRef::from(socket).sendmsg(&message, 0)?;
    Ok(())
}
