//! What went over the wire, read back from a capture: the file that TFTP carried.

use std::collections::BTreeMap;
use std::path::Path;

/// The largest file that was sent block by block to one port, put together again.
pub fn tftp_file(capture: &Path) -> Vec<u8> {
    let bytes = std::fs::read(capture).unwrap();
    let mut transfers: BTreeMap<(u16, u16), BTreeMap<u16, Vec<u8>>> = BTreeMap::new();
    let mut at = 24;
    while let Some(head) = bytes.get(at..at + 16) {
        let size = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let Some(frame) = bytes.get(at + 16..at + 16 + size) else { break };
        at += 16 + size;
        // QEMU writes the ten bytes of the virtual card's own header before each frame.
        if let Some((ports, block, data)) = data_block(frame).or_else(|| data_block(frame.get(10..)?)) {
            transfers.entry(ports).or_default().insert(block, data);
        }
    }
    let files = transfers.into_values().map(|blocks| blocks.into_values().flatten().collect::<Vec<u8>>());
    files.max_by_key(|file| file.len()).unwrap_or_default()
}

/// A TFTP DATA packet from the server: its ports, its block number and its bytes.
fn data_block(frame: &[u8]) -> Option<((u16, u16), u16, Vec<u8>)> {
    let word = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    let ipv4_udp = word(12)? == 0x0800 && *frame.get(23)? == 17;
    let from_server = frame.get(26..30)? == [10, 77, 0, 1];
    let header = 14 + usize::from(*frame.get(14)? & 15) * 4;
    let (source, target, length) = (word(header)?, word(header + 2)?, usize::from(word(header + 4)?));
    let data = ipv4_udp && from_server && source > 1024 && word(header + 8)? == 3;
    data.then(|| Some(((source, target), word(header + 10)?, frame.get(header + 12..header + length)?.to_vec())))?
}
