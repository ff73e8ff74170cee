//! Writes small ISO 9660 images, right ones and wrong ones: what no tool would write can be asked for.

use std::collections::HashMap;

pub const BLOCK: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rock,
    Joliet,
    Plain,
}

/// Something in a folder.
#[derive(Debug, Clone)]
pub enum Node {
    /// In so many extents.
    File(Vec<u8>, usize),
    Folder(Vec<(String, Node)>),
    Link,
    Device,
    /// A folder's entry that leads to the block of this number.
    FolderAt(u32, u32),
    /// A file's entry with this place and size, whatever lies there.
    FileAt(u32, u32),
}

pub fn file(bytes: &[u8]) -> Node {
    Node::File(bytes.to_vec(), 1)
}

pub fn folder(nodes: Vec<(&str, Node)>) -> Node {
    Node::Folder(nodes.into_iter().map(|(name, node)| (name.to_owned(), node)).collect())
}

/// From paths to bytes, with their folders.
pub fn tree(files: &[(&str, &[u8])]) -> Vec<(String, Node)> {
    let mut top: Vec<(String, Node)> = Vec::new();
    for (path, bytes) in files {
        put(&mut top, path, bytes);
    }
    top
}

fn put(nodes: &mut Vec<(String, Node)>, path: &str, bytes: &[u8]) {
    let Some((first, rest)) = path.split_once('/') else {
        nodes.push((path.to_owned(), file(bytes)));
        return;
    };
    if !nodes.iter().any(|(name, _)| name == first) {
        nodes.push((first.to_owned(), Node::Folder(Vec::new())));
    }
    let (_, inner) = nodes.iter_mut().find(|(name, _)| name == first).unwrap();
    let Node::Folder(inner) = inner else { panic!("{first} is a file") };
    put(inner, rest, bytes);
}

struct Disc {
    kind: Kind,
    bytes: Vec<u8>,
}

/// The image, with its root folder behind the descriptors.
pub fn image(kind: Kind, nodes: Vec<(String, Node)>) -> Vec<u8> {
    let mut disc = Disc { kind, bytes: vec![0; 20 * BLOCK] };
    let (root, size) = disc.folder(&nodes, true);
    let empty = match kind {
        Kind::Joliet => disc.folder(&[], true),
        _ => (root, size),
    };
    disc.descriptor(16, 1, empty);
    if kind == Kind::Joliet {
        disc.descriptor(17, 2, (root, size));
        disc.bytes[17 * BLOCK + 88..17 * BLOCK + 91].copy_from_slice(b"%/E");
    }
    disc.descriptor(18, 255, (0, 0));
    disc.bytes
}

impl Disc {
    fn descriptor(&mut self, sector: usize, kind: u8, root: (u32, u32)) {
        let at = sector * BLOCK;
        self.bytes[at] = kind;
        self.bytes[at + 1..at + 6].copy_from_slice(b"CD001");
        self.bytes[at + 128..at + 130].copy_from_slice(&2048_u16.to_le_bytes());
        let record = record(&[0], root, 2, &[]);
        self.bytes[at + 156..at + 156 + record.len()].copy_from_slice(&record);
    }

    /// Appends bytes in whole blocks; gives the first block.
    fn append(&mut self, bytes: &[u8]) -> u32 {
        let block = self.bytes.len() / BLOCK;
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().div_ceil(BLOCK) * BLOCK, 0);
        block as u32
    }

    fn folder(&mut self, nodes: &[(String, Node)], is_root: bool) -> (u32, u32) {
        let mut places: HashMap<usize, Vec<(u32, u32)>> = HashMap::new();
        for (index, (_, node)) in nodes.iter().enumerate() {
            let place = match node {
                Node::File(bytes, extents) => self.extents(bytes, *extents),
                Node::Folder(inner) => vec![self.folder(inner, false)],
                Node::FolderAt(block, size) | Node::FileAt(block, size) => vec![(*block, *size)],
                Node::Link | Node::Device => vec![(0, 0)],
            };
            places.insert(index, place);
        }
        let mut blocks = vec![Vec::new()];
        let first = if is_root && self.kind == Kind::Rock {
            [&b"SP\x07\x01\xbe\xef\x00"[..], &px(0o040_755)].concat()
        } else {
            Vec::new()
        };
        place(&mut blocks, record(&[0], (0, 0), 2, &first));
        place(&mut blocks, record(&[1], (0, 0), 2, &[]));
        for (index, (name, node)) in nodes.iter().enumerate() {
            for part in self.records(name, index, node, &places[&index]) {
                place(&mut blocks, part);
            }
        }
        let size = (blocks.len() * BLOCK) as u32;
        let bytes: Vec<u8> = blocks
            .into_iter()
            .flat_map(|mut block| {
                block.resize(BLOCK, 0);
                block
            })
            .collect();
        let block = self.append(&bytes);
        // Its own first entry says where it is.
        let own = record(&[0], (block, size), 2, &first);
        let at = block as usize * BLOCK;
        self.bytes[at..at + own.len()].copy_from_slice(&own);
        (block, size)
    }

    fn extents(&mut self, bytes: &[u8], count: usize) -> Vec<(u32, u32)> {
        // All but the last are whole blocks.
        let each = (bytes.len() / count).div_ceil(BLOCK).max(1) * BLOCK;
        let parts: Vec<&[u8]> = if bytes.is_empty() { vec![bytes] } else { bytes.chunks(each).collect() };
        parts.into_iter().map(|part| (self.append(part), part.len() as u32)).collect()
    }

    fn records(&self, name: &str, index: usize, node: &Node, places: &[(u32, u32)]) -> Vec<Vec<u8>> {
        let (is_folder, mode) = match node {
            Node::Folder(_) | Node::FolderAt(..) => (true, 0o040_755),
            Node::Link => (false, 0o120_777),
            Node::Device => (false, 0o020_600),
            _ => (false, 0o100_644),
        };
        let last = places.len() - 1;
        let one = |(at, place): (usize, &(u32, u32))| {
            let flags = if is_folder { 2 } else { 0 } | if at < last { 0x80 } else { 0 };
            let short = if is_folder { format!("DIR{index}") } else { format!("F{index}.;1") };
            match self.kind {
                Kind::Rock => record(short.as_bytes(), *place, flags, &[nm(name), px(mode), sl(node)].concat()),
                Kind::Plain => record(&plain(name, is_folder), *place, flags, &[]),
                Kind::Joliet => {
                    let versioned = if is_folder { name.to_owned() } else { format!("{name};1") };
                    let utf16: Vec<u8> = versioned.encode_utf16().flat_map(u16::to_be_bytes).collect();
                    record(&utf16, *place, flags, &[])
                }
            }
        };
        places.iter().enumerate().map(one).collect()
    }
}

/// `vmlinuz` is `VMLINUZ.;1` there.
fn plain(name: &str, is_folder: bool) -> Vec<u8> {
    let upper = name.to_ascii_uppercase();
    match (is_folder, upper.contains('.')) {
        (true, _) => upper.into_bytes(),
        (false, true) => format!("{upper};1").into_bytes(),
        (false, false) => format!("{upper}.;1").into_bytes(),
    }
}

/// No record crosses into another block.
fn place(blocks: &mut Vec<Vec<u8>>, record: Vec<u8>) {
    let block = blocks.last_mut().unwrap();
    match block.len() + record.len() > BLOCK {
        true => blocks.push(record),
        false => block.extend(record),
    }
}

pub fn record(name: &[u8], (block, size): (u32, u32), flags: u8, system_use: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 33];
    record[2..6].copy_from_slice(&block.to_le_bytes());
    record[6..10].copy_from_slice(&block.to_be_bytes());
    record[10..14].copy_from_slice(&size.to_le_bytes());
    record[14..18].copy_from_slice(&size.to_be_bytes());
    record[25] = flags;
    record[32] = name.len() as u8;
    record.extend_from_slice(name);
    if name.len().is_multiple_of(2) {
        record.push(0);
    }
    record.extend_from_slice(system_use);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    record[0] = u8::try_from(record.len()).expect("a record has at most 255 bytes");
    record
}

/// A name in pieces, so that each field fits.
pub fn nm(name: &str) -> Vec<u8> {
    [b"NM", &[5 + name.len() as u8, 1, 0][..], name.as_bytes()].concat()
}

pub fn px(mode: u32) -> Vec<u8> {
    let mut field = [b"PX", &[36, 1][..]].concat();
    field.extend(mode.to_le_bytes());
    field.extend(mode.to_be_bytes());
    field.resize(36, 0);
    field
}

fn sl(node: &Node) -> Vec<u8> {
    match node {
        Node::Link => b"SL\x0c\x01\x00\x00\x05/etc".to_vec(),
        _ => Vec::new(),
    }
}
