//! A sender that only sends: no table, no timers, no checks. What clients, kernel and machine allow here.

use crate::client::BLKSIZE;
use crate::net::SERVER;
use anyhow::{Context, Result};
use kickstand::tftp::packet::Packet;
use rustix::net::sockopt;
use socket2::{MsgHdr, SockAddr, SockRef};
use std::io::IoSlice;
use std::net::UdpSocket;
use std::ops::Range;
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
        enlarge(&socket)?;
        socket.connect(client)?;
        send(&socket, &content, asked.transpose()?)?;
    }
}

/// Many at once, of a file with fewer blocks than there are numbers: an acknowledgement says all that must be known.
pub fn serve_many(file: &Path) -> Result<()> {
    let content = std::fs::read(file)?;
    let (listener, sender) = (UdpSocket::bind((SERVER, 69))?, UdpSocket::bind((SERVER, 0))?);
    for socket in [&listener, &sender] {
        enlarge(socket)?;
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
        let client = SockAddr::from(client);
        for first in (base..end).step_by(SEGMENTS) {
            send_some(sender, Some(&client), content, first..(first + SEGMENTS).min(end))?;
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

/// Like ours, so that only the work counts: past what the system gives to everybody, where this process may.
fn enlarge(socket: &UdpSocket) -> Result<()> {
    const BYTES: usize = 4 << 20;
    if sockopt::set_socket_recv_buffer_size_force(socket, BYTES).is_err() {
        sockopt::set_socket_recv_buffer_size(socket, BYTES)?;
    }
    if sockopt::set_socket_send_buffer_size_force(socket, BYTES).is_err() {
        sockopt::set_socket_send_buffer_size(socket, BYTES)?;
    }
    Ok(())
}

/// Asks for no memory.
fn send_some(socket: &UdpSocket, to: Option<&SockAddr>, content: &[u8], blocks: Range<usize>) -> Result<()> {
    let mut headers = [[0; 4]; SEGMENTS];
    for (header, block) in headers.iter_mut().zip(blocks.clone()) {
        *header = [0, 3, (block >> 8) as u8, block as u8];
    }
    let mut slices = [IoSlice::new(&[]); 2 * SEGMENTS];
    for ((pair, header), block) in slices.chunks_exact_mut(2).zip(&headers).zip(blocks.clone()) {
        let from = (block - 1) * BLKSIZE;
        pair[0] = IoSlice::new(header);
        pair[1] = IoSlice::new(&content[from..(from + BLKSIZE).min(content.len())]);
    }
    let mut control = [0; 24];
    control[..8].copy_from_slice(&18_usize.to_ne_bytes());
    control[8..12].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    control[12..16].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    control[16..18].copy_from_slice(&(BLKSIZE as u16 + 4).to_ne_bytes());
    let message = MsgHdr::new().with_buffers(&slices[..2 * blocks.len()]);
    let message = match to {
        Some(to) => message.with_addr(to),
        None => message,
    };
    let message = if blocks.len() > 1 { message.with_control(&control) } else { message };
    SockRef::from(socket).sendmsg(&message, 0)?;
    Ok(())
}
