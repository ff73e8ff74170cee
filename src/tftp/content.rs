//! What a transfer sends: bytes in memory, or a file that is too large to be kept there; and text for netascii.

use bytes::Bytes;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Generated or edited by people: these may be sent as netascii. All else is binary, whatever mode a client names, for
/// there is firmware that says netascii and means octet.
const TEXTS: [&str; 3] = [".cfg", ".txt", ".ipxe"];
/// PXELINUX's scripts have no ending.
const TEXT_FOLDER: &str = "pxelinux.cfg/";

/// Printed by its size alone: a script carries a token.
#[derive(Clone)]
pub enum Content {
    /// Shared, not copied.
    Memory(Bytes),
    /// Read a window at a time; with its size when it was opened.
    File(Arc<File>, u64),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size_bytes())
    }
}

impl Content {
    pub fn size_bytes(&self) -> u64 {
        match self {
            Content::Memory(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Content::File(_, size) => *size,
        }
    }

    /// From one place of it to another; `scratch` holds it when it comes from a file. Fails when the file is shorter by
    /// now.
    pub(super) fn part<'a>(&'a self, from: u64, to: u64, scratch: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Content::Memory(bytes) => {
                let (from, to) = (usize::try_from(from).ok(), usize::try_from(to).ok());
                let part = from.zip(to).and_then(|(from, to)| bytes.get(from..to));
                part.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Content::File(file, _) => {
                let length = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
                scratch.resize(length, 0);
                file.read_exact_at(scratch, from)?;
                Ok(scratch)
            }
        }
    }

    /// As netascii has it, where the name is a text's (RFC 764): its size is known only now.
    pub(super) fn as_netascii(&self, name: &str) -> Option<Content> {
        match self {
            Content::Memory(bytes) if is_text(name) => Some(Content::Memory(netascii(bytes))),
            _ => None,
        }
    }
}

fn is_text(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TEXTS.iter().any(|ending| name.ends_with(ending)) || name.contains(TEXT_FOLDER)
}

/// A line ends with CR LF, and a CR alone is CR NUL. What has its CR LF already keeps it.
fn netascii(text: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(text.len().saturating_add(text.len() / 16));
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' if rest.next_if_eq(&b'\n').is_some() => out.extend_from_slice(b"\r\n"),
            b'\r' => out.extend_from_slice(b"\r\0"),
            b'\n' => out.extend_from_slice(b"\r\n"),
            other => out.push(other),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_not_printed() {
        assert_eq!(format!("{:?}", Content::Memory(Bytes::from_static(b"token"))), "5 bytes");
    }

    #[test]
    fn lines_end_as_netascii_has_it() {
        for (text, wanted) in [("a\nb\n", "a\r\nb\r\n"), ("a\r\nb", "a\r\nb"), ("a\rb\r", "a\r\0b\r\0"), ("", "")] {
            assert_eq!(netascii(text.as_bytes()), wanted.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn only_text_is_ever_converted() {
        for name in ["grub/grub.cfg", "boot.TXT", "autoexec.ipxe", "pxelinux.cfg/01-52-54-00-00-00-01"] {
            assert!(is_text(name), "{name}");
        }
        for name in ["snponly.efi", "undionly.kpxe", "files/debian/vmlinuz", "cfg", "grub.cfg.gz"] {
            assert!(!is_text(name), "{name}");
        }
    }
}
