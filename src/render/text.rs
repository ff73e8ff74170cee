//! A text in XML, YAML and JSON: written so that every reader of the language has the same text again.

use std::fmt::Write as _;

/// A text between tags or between the quotes of an attribute. XML 1.0 has no way to say most control characters.
pub fn xml(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Readers make a blank of those in an attribute, and a newline of a carriage return (XML 1.0 §2.11, §3.3.3).
            '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}' => number(&mut out, c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(format!("it holds the character {:#x}, which XML 1.0 can not say", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

fn number(out: &mut String, c: char) {
    // A String takes whatever is written.
    let _ = write!(out, "&#{};", u32::from(c));
}

/// A double-quoted scalar, in which YAML 1.1 and 1.2 agree: never a number, a date, `no` or the end of a block.
pub fn yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' => out.push(c),
            '\u{ff00}'..='\u{fffd}' => out.push(c),
            // Line ends of 1.1 that are none of 1.2, the mark of byte order, and what readers of 16 bits miss.
            c => escaped(&mut out, u32::from(c)),
        }
    }
    out.push('"');
    out
}

fn escaped(out: &mut String, c: u32) {
    let _ = match c {
        0..=0xff => write!(out, "\\x{c:02x}"),
        0x100..=0xffff => write!(out, "\\u{c:04x}"),
        _ => write!(out, "\\U{c:08x}"),
    };
}

/// A JSON string.
pub fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
