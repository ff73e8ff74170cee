//! Answers as Python's client of old reads them: whole, or a list whose elements come one by one.

use super::Value;
use std::fmt::Write;

pub const START: &str = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n";
pub const END: &str = "</param>\n</params>\n</methodResponse>\n";
pub const LIST_START: &str = "<value><array><data>\n";
pub const LIST_END: &str = "</data></array></value>\n";

/// A whole answer.
pub fn response(answer: &Value) -> String {
    let mut out = String::from(START);
    value(&mut out, answer);
    out + END
}

/// What went wrong, as Cobbler says it: code 1, the class of its error, and the text.
pub fn fault(text: &str) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n");
    let members = [("faultCode".to_owned(), Value::Int(1)), ("faultString".to_owned(), Value::Text(text.to_owned()))];
    value(&mut out, &Value::Struct(members.into()));
    out + "</fault>\n</methodResponse>\n"
}

pub fn value(out: &mut String, said: &Value) {
    out.push_str("<value>");
    match said {
        Value::Nil => out.push_str("<string>~</string>"),
        Value::Bool(truth) => out.push_str(if *truth { "<boolean>1</boolean>" } else { "<boolean>0</boolean>" }),
        Value::Int(number) => put(out, format_args!("<int>{number}</int>")),
        Value::Double(number) => put(out, format_args!("<double>{number}</double>")),
        Value::Text(text) => {
            out.push_str("<string>");
            escaped(out, text);
            out.push_str("</string>");
        }
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            let packed = base64::engine::general_purpose::STANDARD.encode(bytes);
            put(out, format_args!("<base64>{packed}</base64>"));
        }
        Value::List(all) => {
            out.push_str("<array><data>\n");
            all.iter().for_each(|each| value(out, each));
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>\n");
            members.iter().for_each(|(name, held)| member(out, name, held));
            out.push_str("</struct>");
        }
    }
    out.push_str("</value>\n");
}

pub fn member(out: &mut String, name: &str, held: &Value) {
    out.push_str("<member><name>");
    escaped(out, name);
    out.push_str("</name>");
    value(out, held);
    out.push_str("</member>\n");
}

fn put(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Memory does not refuse.
    let _ = out.write_fmt(words);
}

/// What XML can not carry at all becomes the character that stands for one.
fn escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A reader would make a line end of it.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() && c < '\u{80}' && c != '\u{7f}' => out.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
