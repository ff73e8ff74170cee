//! The text forms: base64 between two lines, and a text with its signature behind it (RFC 9580 §6 and §7).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const CLEAR: &str = "-----BEGIN PGP SIGNED MESSAGE-----";

/// All packets of a file: as they are, or of every block of text.
pub fn packets(bytes: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN PGP ") => blocks(text),
        _ => bytes.to_vec(),
    }
}

fn blocks(text: &str) -> Vec<u8> {
    let mut all = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("-----BEGIN PGP ") || line.trim_end() == CLEAR {
            continue;
        }
        // Headers, up to an empty line.
        while lines.next().is_some_and(|line| !line.trim().is_empty()) {}
        let body = lines.by_ref().take_while(|line| !line.starts_with("-----END"));
        // The line of the checksum begins so; the signature itself is the better one.
        let digits: String =
            body.filter(|line| !line.starts_with('=')).flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
        all.extend(BASE64_STANDARD.decode(digits).unwrap_or_default());
    }
    all
}

/// A text that carries its own signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clear {
    /// What was signed, as it is to be read.
    pub text: String,
    /// The packets of the signature.
    pub signature: Vec<u8>,
}

/// None: it carries none.
pub fn clear(bytes: &[u8]) -> Option<Clear> {
    let whole = std::str::from_utf8(bytes).ok()?;
    // What stands before was signed by nobody.
    let rest = whole.strip_prefix(CLEAR)?;
    let (_, rest) = rest.split_once("\n\n").or_else(|| rest.split_once("\r\n\r\n"))?;
    let end = rest.find("\n-----BEGIN PGP SIGNATURE-----")?;
    let (body, armor) = rest.split_at(end);
    let lines = body.split('\n').map(|line| line.strip_prefix("- ").unwrap_or(line));
    let text = lines.collect::<Vec<_>>().join("\n");
    Some(Clear { text, signature: blocks(armor) })
}

/// As a text is signed: lines end in CR LF and not in blanks; the end of the last one is not part of it.
pub fn canonical(text: &str) -> Vec<u8> {
    let lines = text.split('\n').map(|line| line.trim_end_matches([' ', '\t', '\r']));
    lines.collect::<Vec<_>>().join("\r\n").into_bytes()
}
