//! Linux's own view of its command line (lib/cmdline.c, next_arg): parameters as the kernel splits and unquotes them.

/// The kernel's table of characters is Latin-1: a no-break space is a blank.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r' | 0xa0)
}

/// Each parameter, with the quotes off its whole or its value.
pub fn parameters(line: &str) -> Vec<Vec<u8>> {
    let (bytes, mut at, mut found) = (line.as_bytes(), 0, Vec::new());
    loop {
        while bytes.get(at).is_some_and(|byte| is_blank(*byte)) {
            at += 1;
        }
        if at == bytes.len() {
            return found;
        }
        let whole = bytes[at] == b'"';
        let start = at + usize::from(whole);
        let (mut end, mut quoted, mut equals) = (start, whole, None);
        while end < bytes.len() && (quoted || !is_blank(bytes[end])) {
            quoted ^= bytes[end] == b'"';
            if bytes[end] == b'=' && equals.is_none() && end > start {
                equals = Some(end);
            }
            end += 1;
        }
        found.push(unquoted(&bytes[start..end], equals.map(|equals| equals - start), whole));
        at = end;
    }
}

fn unquoted(word: &[u8], equals: Option<usize>, whole: bool) -> Vec<u8> {
    let (mut name, mut value) = match equals {
        Some(equals) => (word[..=equals].to_vec(), word[equals + 1..].to_vec()),
        None => (word.to_vec(), Vec::new()),
    };
    let mut stripped = false;
    if value.first() == Some(&b'"') {
        value.remove(0);
        stripped = value.pop_if(|last| *last == b'"').is_some();
    }
    if whole && !stripped {
        let last = if value.is_empty() { &mut name } else { &mut value };
        last.pop_if(|last| *last == b'"');
    }
    name.extend(value);
    name
}

#[test]
fn the_kernel_takes_quotes_off_words_and_values() {
    let of = |line: &str| {
        let all = parameters(line).into_iter().map(|word| String::from_utf8_lossy(&word).into_owned());
        all.collect::<Vec<_>>().join("|")
    };
    assert_eq!(of(" a  b=c "), "a|b=c");
    assert_eq!(of("a=\"b c\" d"), "a=b c|d");
    assert_eq!(of("\"a=b c\" d"), "a=b c|d");
    assert_eq!(of("a\u{a0}b").matches('|').count(), 1);
}
