//! The shapes of the well-known variables: what no installer could take is refused before any template sees it.

use crate::model::Variables;
use serde_json::Value;

/// A variable, what it must be, and whether a text is.
type Shape = (&'static str, &'static str, fn(&str) -> bool);

const TEXTS: &[Shape] = &[
    ("disk", "a disk, such as /dev/sda", |text| word(text, "/_.:+-=@,")),
    ("timezone", "a time zone, such as Europe/Berlin", |text| word(text, "/_+-")),
    ("language", "a language, such as en_US.UTF-8", |text| word(text, "_.-@")),
    ("keyboard", "a keyboard layout, such as us", |text| word(text, "_-.,()")),
    ("release", "a release, such as 9 or 9.4", |text| word(text, ".")),
    ("product", "a product's name, such as SLES", |text| word(text, "_.-")),
    ("mirror_host", "a host, such as deb.debian.org", |text| word(text, ".-:[]")),
    ("mirror_folder", "a folder, such as /debian", |text| text.starts_with('/') && word(text, "/_.-~+")),
    ("root_password_hash", "a hash for crypt(3), such as $6$…", |text| word(text, "./$=,+-_")),
    ("kernel", "a file of boot.cfg's, such as b.b00", |text| word(text, "/_.-")),
    ("modules", "the line of boot.cfg, without modules=", line),
    ("title", "one line", line),
    ("tasks", "tasks of tasksel, with commas", line),
    ("mirror", "one line, such as http://archive.ubuntu.com/ubuntu", line),
    ("rhsm_org", "one line", line),
    ("rhsm_key", "one line", line),
    ("rhsm_url", "one line", line),
    ("scc_code", "one line", line),
    ("scc_url", "one line", line),
    ("pro_token", "one line", line),
    ("image_sha256", "64 hexadecimal digits", |text| text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())),
    (
        "user_data",
        "user-data of cloud-init: it begins with #cloud-config, #! or another word that cloud-init knows",
        |text| text.starts_with('#') || text.starts_with("Content-Type:"),
    ),
    ("kernel_arguments", "arguments of a kernel, in one line", line),
    ("installer_memory_mib", "a number of MiB", |text| text.parse::<u32>().is_ok()),
];

/// The same of each text in a list.
const LISTS: &[Shape] = &[
    ("packages", "a package's name", item),
    ("patterns", "a pattern's name", item),
    ("classes", "a class's name", item),
    ("ssh_authorized_keys", "one line of authorized_keys", |text| !text.is_empty() && line(text)),
];

/// Letters, digits and these, and no option.
fn word(text: &str, others: &str) -> bool {
    !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Kickstarts have groups (`@core`, `@^minimal`) and what is left out (`-vim`) among their packages.
fn item(text: &str) -> bool {
    let bare = text.strip_prefix('-').unwrap_or(text);
    !bare.is_empty() && word(bare, "@^+_.:*/~-")
}

/// Nothing that begins another line, for whatever reader, or that a terminal turns around. A shell's quotes would keep
/// a line of its own, but around the script Anaconda looks for `%end`.
fn line(text: &str) -> bool {
    let turns = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    text.trim() == text && !text.chars().any(|c| c.is_control() || turns(c))
}

/// The error names the variable and what it must be, and never its value: some are secrets.
pub fn check(variables: &Variables) -> Result<(), String> {
    let wrong = |name: &str, wanted: &str| Err(format!("variable {name}: it is not {wanted}"));
    for (name, wanted, fits) in TEXTS {
        match variables.get(*name) {
            None | Some(Value::Null | Value::Number(_)) => {}
            Some(Value::String(text)) if text.is_empty() || fits(text) => {}
            Some(_) => return wrong(name, wanted),
        }
    }
    for (name, wanted, fits) in LISTS {
        let Some(value) = variables.get(*name).filter(|value| !value.is_null()) else { continue };
        let Some(items) = value.as_array() else { return wrong(name, &format!("a list, each of it {wanted}")) };
        if !items.iter().all(|item| item.as_str().is_some_and(fits)) {
            return wrong(name, &format!("a list, each of it {wanted}"));
        }
    }
    Ok(())
}
