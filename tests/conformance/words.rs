//! The words of a script: how a line falls into them, and how values are written.

use kickstand::model::Mac;
use std::net::Ipv4Addr;

/// `key=value` pairs and bare words, in their order. Quotes hold spaces together.
pub fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.push(c);
            }
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// A key and its value; a bare word has none.
pub fn pair(word: &str) -> (&str, Option<&str>) {
    word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)))
}

pub fn ip(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}

pub fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("{text:?} is no number"))
}

/// `07` is 52:54:00:00:00:07.
pub fn mac(text: &str) -> Result<Mac, String> {
    let long = if text.len() == 2 { format!("52:54:00:00:00:{text}") } else { text.to_owned() };
    long.parse().map_err(|error| format!("{error}"))
}

/// The bytes of an option's value: parts with `+` between them, each `"text"`, `0xHEX`, `0xHEX*TIMES`, or what its
/// code makes of it: addresses, numbers, codes, text.
pub fn value(code: u8, text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = part_end(rest);
        out.extend(part(code, &rest[..end])?);
        rest = rest[end..].strip_prefix('+').unwrap_or(&rest[end..]);
    }
    Ok(out)
}

fn part_end(text: &str) -> usize {
    let mut quoted = false;
    let at = |(at, c): (usize, char)| {
        quoted ^= c == '"';
        (c == '+' && !quoted).then_some(at)
    };
    text.char_indices().find_map(at).unwrap_or(text.len())
}

fn part(code: u8, text: &str) -> Result<Vec<u8>, String> {
    if let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Ok(inner.replace("\\0", "\0").into_bytes());
    }
    if let Some(digits) = text.strip_prefix("0x") {
        let (digits, times) = digits.split_once('*').unwrap_or((digits, "1"));
        let bytes = hex::decode(digits).map_err(|error| format!("{text}: {error}"))?;
        return Ok(bytes.repeat(number(times)? as usize));
    }
    let each = || text.split(',');
    match code {
        1 | 3 | 6 | 28 | 42 | 50 | 54 | 118 | 150 => {
            Ok(each().map(|a| ip(a).map(|ip| ip.octets())).collect::<Result<Vec<_>, _>>()?.concat())
        }
        51 | 58 | 59 => Ok(number(text)?.to_be_bytes().to_vec()),
        26 | 57 | 93 => {
            let numbers = each().map(|n| number(n).map(|n| (n as u16).to_be_bytes()));
            Ok(numbers.collect::<Result<Vec<_>, _>>()?.concat())
        }
        52 | 53 | 55 => each().map(|n| number(n).map(|n| n as u8)).collect(),
        12 | 15 | 56 | 60 | 66 | 67 | 77 => Ok(text.as_bytes().to_vec()),
        _ => Err(format!("option {code}: write {text:?} as hex or in quotes")),
    }
}
