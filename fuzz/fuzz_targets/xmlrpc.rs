//! A call of XML-RPC as anybody may send it: refused, or read, and then written and read again the same.

#![no_main]

use kickstand::compat::cobbler::Asked;
use kickstand::compat::xmlrpc::{Value, call, response};
use libfuzzer_sys::fuzz_target;

fn as_call(value: &Value) -> String {
    let answer = response(value).replacen("methodResponse", "methodCall", 1);
    let answer = answer.replacen("<params>", "<methodName>m</methodName><params>", 1);
    match answer.rsplit_once("methodResponse") {
        Some((before, after)) => format!("{before}methodCall{after}"),
        None => answer,
    }
}

/// What is read back as something else, by design.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Nil => false,
        Value::Text(text) => !text.contains(|c: char| c.is_control() || c == '\u{fffe}' || c == '\u{ffff}'),
        Value::List(all) => all.iter().all(is_plain),
        Value::Struct(members) => members.iter().all(|(name, held)| is_plain(&Value::Text(name.clone())) && is_plain(held)),
        _ => true,
    }
}

fuzz_target!(|input: &[u8]| {
    if let Ok(path) = std::str::from_utf8(input)
        && let Some(asked) = Asked::of(path, |part| Some(part.to_owned()))
    {
        let _ = (asked.subject(), asked.file());
    }
    let Ok(read) = call(input) else { return };
    for value in read.params.iter().filter(|value| is_plain(value)) {
        let again = call(as_call(value).as_bytes()).expect("what we write can be read");
        assert_eq!(again.params.as_slice(), std::slice::from_ref(value));
    }
});
