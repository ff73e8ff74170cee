//! How blocks leave: a whole window in one call (UDP GSO), in one call with a message for each block, or one by one.

use super::content::Content;
use super::packet::Packet;
use super::transfer::{Transfer, on_the_wire};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use socket2::{MsgHdr, SockAddr, SockRef};
use std::io::{self, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use tracing::debug;

/// The operation DATA and the number.
const HEADER_BYTES: usize = 4;
const DATA: [u8; 2] = [0, 3];
/// What one call may hand to the kernel: a UDP packet that could not be larger.
const MAX_CALL_BYTES: usize = 65_507;

/// Used again for each packet, so that none of them asks for memory.
#[derive(Default)]
pub struct Outgoing {
    read: Vec<u8>,
    packet: Vec<u8>,
    headers: Vec<[u8; HEADER_BYTES]>,
}

/// Blocks that follow each other, and how they are to be sent.
pub struct Window<'a> {
    pub transfer: &'a Transfer,
    pub content: &'a Content,
    pub first: u64,
    pub count: u16,
    /// How many are handed over at once. It becomes 1 where the way to this client does not take more.
    pub segments: &'a mut u16,
}

impl Outgoing {
    pub fn packet(&mut self, socket: &UdpSocket, packet: &Packet, to: SocketAddr) {
        packet.encode(&mut self.packet);
        tell(socket.send_to(&self.packet, to), to);
    }

    /// What the socket does not take is as if the network had lost it. Fails only where the file cannot be read.
    pub fn blocks(&mut self, socket: &UdpSocket, window: Window<'_>, to: SocketAddr) -> io::Result<()> {
        let Window { transfer, content, first, count, segments } = window;
        let last = first.saturating_add(count.saturating_sub(1).into());
        let part = content.part(transfer.span(first).from, transfer.span(last).to, &mut self.read)?;
        if count == 1 {
            self.packet.clear();
            self.packet.extend_from_slice(&header(first));
            self.packet.extend_from_slice(part);
            tell(socket.send_to(&self.packet, to), to);
            return Ok(());
        }
        self.headers.clear();
        self.headers.extend((first..=last).map(header));
        let blocks = Blocks { part, blksize: transfer.blksize().into(), headers: &self.headers };
        tell(blocks.send(socket, segments, to), to);
        Ok(())
    }
}

/// Lost: then it is as if the network had lost it, and it is sent again when its time comes.
fn tell(sent: io::Result<usize>, client: SocketAddr) {
    if let Err(error) = sent {
        debug!(%client, %error, "a TFTP packet was not sent");
    }
}

fn header(block: u64) -> [u8; HEADER_BYTES] {
    let [high, low] = on_the_wire(block).to_be_bytes();
    let [zero, data] = DATA;
    [zero, data, high, low]
}

struct Blocks<'a> {
    part: &'a [u8],
    blksize: usize,
    headers: &'a [[u8; HEADER_BYTES]],
}

impl Blocks<'_> {
    /// A header and a payload for each block, with no copy of either.
    fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut rest = self.part;
        let mut slices = Vec::with_capacity(self.headers.len().saturating_mul(2));
        for header in self.headers {
            let (payload, behind) = rest.split_at_checked(self.blksize).unwrap_or((rest, &[]));
            slices.extend([IoSlice::new(header), IoSlice::new(payload)]);
            rest = behind;
        }
        slices
    }

    fn send(&self, socket: &UdpSocket, segments: &mut u16, to: SocketAddr) -> io::Result<usize> {
        let segment = self.blksize.saturating_add(HEADER_BYTES);
        let fitting = MAX_CALL_BYTES.checked_div(segment).unwrap_or(1);
        let slices = self.slices();
        let mut rest = slices.as_slice();
        while usize::from(*segments).min(fitting) > 1 && rest.len() > 2 {
            let at_once = usize::from(*segments).min(fitting).saturating_mul(2).min(rest.len());
            let (now, later) = rest.split_at_checked(at_once).unwrap_or((rest, &[]));
            match send_segmented(socket, now, segment, to) {
                Ok(_) => rest = later,
                // A card without checksums, a kernel without GSO, or a route that became narrower.
                Err(error) if is_refused(&error) => *segments = 1,
                Err(error) => return Err(error),
            }
        }
        send_each(socket, rest, to)
    }
}

fn is_refused(error: &io::Error) -> bool {
    let codes = [libc::EIO, libc::EINVAL, libc::ENOPROTOOPT, libc::EMSGSIZE, libc::EOPNOTSUPP];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// One call for all: the kernel, or the card, cuts it into packets of `segment` bytes; only the last may be shorter.
fn send_segmented(socket: &UdpSocket, slices: &[IoSlice<'_>], segment: usize, to: SocketAddr) -> io::Result<usize> {
    let address = SockAddr::from(to);
    let control = segment_control(u16::try_from(segment).unwrap_or(u16::MAX));
    let message = MsgHdr::new().with_addr(&address).with_buffers(slices).with_control(&control);
    SockRef::from(socket).sendmsg(&message, 0)
}

/// A control message as the kernel lays it out: its length, level and type, then the size, then nothing up to a word.
fn segment_control(segment: u16) -> Vec<u8> {
    const HEAD: usize = size_of::<usize>() + 2 * size_of::<i32>();
    const LENGTH: usize = HEAD + size_of::<u16>();
    const SPACE: usize = HEAD + size_of::<usize>();
    let mut control = Vec::with_capacity(SPACE);
    control.extend_from_slice(&LENGTH.to_ne_bytes());
    control.extend_from_slice(&libc::SOL_UDP.to_ne_bytes());
    control.extend_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    control.extend_from_slice(&segment.to_ne_bytes());
    control.resize(SPACE, 0);
    control
}

/// One message for each header and payload.
fn send_each(socket: &UdpSocket, slices: &[IoSlice<'_>], to: SocketAddr) -> io::Result<usize> {
    let address = SocketAddrAny::from(to);
    let (pairs, _) = slices.as_chunks::<2>();
    let mut controls: Vec<_> = pairs.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let with_control = pairs.iter().zip(&mut controls);
    let mut messages: Vec<_> =
        with_control.map(|(pair, control)| MMsgHdr::new_with_addr(&address, pair, control)).collect();
    let mut sent = 0_usize;
    while let Some(rest) = messages.get_mut(sent..).filter(|rest| !rest.is_empty()) {
        match sendmmsg(socket, rest, SendFlags::empty())? {
            0 => break,
            some => sent = sent.saturating_add(some),
        }
    }
    Ok(sent)
}
