//! Classic BPF programs for sockets: the kernel drops what we would, and wakes nobody for it.
//!
//! A program sees a packet from its network header on. Reading past its end drops it.

use socket2::SockFilter;

/// All of a packet that goes through; its length in bytes.
const PASS: u32 = 0xffff;
const DROP: u32 = 0;

const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const LOAD_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
/// From behind the IPv4 header, whose length [`SKIP_IPV4`] has found.
const LOAD_BODY_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_IND;
const LOAD_BODY_HALF: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const SKIP_IPV4: u32 = libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const fn step(code: u32, value: u32) -> SockFilter {
    SockFilter::new(code as u16, 0, 0, value)
}

/// Skips so many steps if it is so, and so many if not.
const fn jump(code: u32, value: u32, yes: u8, no: u8) -> SockFilter {
    SockFilter::new(code as u16, yes, no, value)
}

/// UDP in IPv4 to this port, in one piece.
pub fn udp_to(port: u16) -> [SockFilter; 9] {
    [
        step(LOAD_BYTE, 9),
        jump(EQUAL, libc::IPPROTO_UDP as u32, 0, 6),
        step(LOAD_HALF, 6),
        jump(ANY_BIT, 0x3fff, 4, 0),
        step(SKIP_IPV4, 0),
        step(LOAD_BODY_HALF, 2),
        jump(EQUAL, port as u32, 0, 1),
        step(RETURN, PASS),
        step(RETURN, DROP),
    ]
}

/// Answers to pings with this identifier: a raw socket gets all ICMP of the host.
pub fn echo_replies(identifier: u16) -> [SockFilter; 7] {
    const ECHO_REPLY: u32 = 0;
    [
        step(SKIP_IPV4, 0),
        step(LOAD_BODY_BYTE, 0),
        jump(EQUAL, ECHO_REPLY, 0, 3),
        step(LOAD_BODY_HALF, 4),
        jump(EQUAL, identifier as u32, 0, 1),
        step(RETURN, PASS),
        step(RETURN, DROP),
    ]
}
