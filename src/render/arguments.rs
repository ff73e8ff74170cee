//! A kernel's command line: the words that the kernel will see, or why it can not be told faithfully.

/// Bytes of a command line on x86 and arm64 (COMMAND_LINE_SIZE), without the NUL.
pub const MOST_BYTES: usize = 2047;

/// Words as the kernel splits them: blanks outside double quotes end a word, and the quotes are taken off. Quotes stand
/// around a whole word or a whole value, anywhere else different readers of the line disagree.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    one_line(text)?;
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for c in text.chars() {
        quoted ^= c == '"';
        match c {
            ' ' if !quoted => words.extend(finished(std::mem::take(&mut word))?),
            _ => word.push(c),
        }
    }
    if quoted {
        return Err("it holds a double quote that is not closed".into());
    }
    words.extend(finished(word)?);
    match words.iter().find(|word| word.starts_with("initrd=")) {
        Some(word) => Err(format!("it holds {word}, and the initrd is named by the distro")),
        None => Ok(words),
    }
}

fn finished(word: String) -> Result<Option<String>, String> {
    if word.is_empty() {
        return Ok(None);
    }
    let key = word.split('"').next().unwrap_or_default();
    let bare = match word.matches('"').count() {
        0 => Some(word.clone()),
        2 if word.ends_with('"') && (key.is_empty() || key.ends_with('=')) => Some(word.replace('"', "")),
        _ => None,
    };
    bare.filter(|bare| !bare.is_empty())
        .map(Some)
        .ok_or_else(|| format!("it holds {word}: put double quotes around the whole word or the whole value"))
}

/// No control characters, and nothing that the kernel takes for a blank: its table has byte 0xa0 for one, which is a part of `à`.
pub fn one_line(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("it holds a control character".into());
    }
    let mut encoded = [0; 4];
    match text.chars().find(|c| c.encode_utf8(&mut encoded).bytes().any(|byte| byte == 0xa0)) {
        Some(c) => Err(format!("it holds {c:?}, a part of which the kernel takes for a blank")),
        None => Ok(()),
    }
}

/// What the loader puts before the arguments counts, too: a kernel cuts off what is too long, and says nothing.
pub fn fits(before: &str, line: &str) -> Result<(), String> {
    let length = before.len().saturating_add(line.len());
    match length > MOST_BYTES {
        true => Err(format!("the kernel's command line would have {length} bytes, and {MOST_BYTES} fit")),
        false => Ok(()),
    }
}
