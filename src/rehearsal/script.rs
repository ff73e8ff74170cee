//! What a boot script tells a loader to do, and what lies in an answer file: read as texts, by whoever wrote them. Pure.

use crate::model::Language;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Where a script leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Disk,
    /// The console says that nobody knows the machine.
    Shown,
    Installer(Orders),
    /// None of that: what it says.
    Other(String),
}

/// What a script that installs has its loader fetch, and where the installer finds its answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    /// The kernel first.
    pub files: Vec<Fetch>,
    pub answer: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Fetch {
    Http(String),
    /// A name of TFTP's.
    Tftp(String),
}

pub fn read(text: &str, language: Language) -> Told {
    let plain: String = text.chars().filter(|c| !['\'', '"', '\\'].contains(c)).collect();
    if let Some(answer) = urls(&plain, "/answer/").into_iter().next() {
        let files = plain.lines().flat_map(|line| fetches(line, language)).collect();
        return Told::Installer(Orders { files, answer });
    }
    if text.contains("Kickstand does not know this machine") {
        return Told::Shown;
    }
    if text.contains(" boots its own disk") {
        return Told::Disk;
    }
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!")).unwrap_or_default();
    Told::Other(first.chars().take(100).collect())
}

fn fetches(line: &str, language: Language) -> Vec<Fetch> {
    let words: Vec<_> = line.split(|c: char| c.is_whitespace() || c == ';').filter(|word| !word.is_empty()).collect();
    let commands: &[&str] = match language {
        Language::Grub => &["linux", "linuxefi", "initrd", "initrdefi", "chainloader"],
        Language::Pxelinux | Language::Extlinux => &["LINUX", "KERNEL", "INITRD"],
        _ => &["kernel", "initrd", "module", "imgfetch"],
    };
    let Some(at) = words.iter().position(|word| commands.contains(word)) else { return Vec::new() };
    // Options and their values come before the file: it is what looks like one.
    let file = words.iter().skip(at + 1).find_map(|word| fetch(word, language));
    file.into_iter().collect()
}

fn fetch(word: &str, language: Language) -> Option<Fetch> {
    let name = |name: &str| Fetch::Tftp(name.trim_start_matches("::").to_owned());
    match language {
        Language::Grub => {
            let (device, path) = word.strip_prefix('(')?.split_once(')')?;
            match device.split_once(',')? {
                ("http", host) => Some(Fetch::Http(format!("http://{host}{path}"))),
                _ => Some(name(path)),
            }
        }
        _ if word.starts_with("http://") || word.starts_with("https://") => Some(Fetch::Http(word.to_owned())),
        _ if word.contains("://") => word.strip_prefix("tftp://").and_then(|rest| Some(name(rest.split_once('/')?.1))),
        Language::Pxelinux | Language::Extlinux => Some(name(word)),
        _ => None,
    }
}

/// URLs of a text that lead there, each once, in their order.
pub fn urls(text: &str, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("http") {
        let rest = text.get(at..).unwrap_or_default();
        if !rest.starts_with("http://") && !rest.starts_with("https://") {
            continue;
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ":/._-~%".contains(c))).unwrap_or(rest.len());
        let url = rest.get(..end).unwrap_or_default().to_owned();
        if url.contains(path) && !found.contains(&url) {
            found.push(url);
        }
    }
    found
}

/// How deep texts lie in each other: an installer's file in a preseed, and a unit in that.
const DEPTH: usize = 4;
/// What is shorter is a word.
const LEAST: usize = 40;

/// The text, and all that lies in it as base64.
pub fn unpacked(text: &str) -> String {
    let mut all = text.to_owned();
    let mut layer = vec![text.to_owned()];
    for _ in 0..DEPTH {
        layer = layer.iter().flat_map(|text| inside(text)).collect();
        for text in &layer {
            all.push('\n');
            all.push_str(text);
        }
    }
    all
}

fn inside(text: &str) -> Vec<String> {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || ['+', '/', '='].contains(&c);
    let runs = text.split(|c: char| !is_base64(c)).filter(|run| run.len() >= LEAST);
    runs.filter_map(|run| String::from_utf8(STANDARD.decode(run).ok()?).ok()).collect()
}

/// The single-use key that an answer file leaves on the disk.
pub fn key(unpacked: &str) -> Option<String> {
    field(unpacked, "key", |value| value.len() >= 32 && value.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Whom the installed system asks, as the same file says.
pub fn server(unpacked: &str) -> Option<String> {
    field(unpacked, "server", |value| value.starts_with("https://") || value.starts_with("http://"))
}

fn field(unpacked: &str, name: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    let plain: String = unpacked.chars().filter(|c| *c != '\\').collect();
    let quoted = format!("\"{name}\"");
    let behind = plain.split(&quoted).skip(1).filter_map(|rest| rest.trim_start().strip_prefix(':'));
    let mut values = behind.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    values.find(|value| fits(value)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(text: &str, language: Language) -> Orders {
        match read(text, language) {
            Told::Installer(orders) => orders,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_language_names_its_files_in_its_own_way() {
        let http = |name: &str| Fetch::Http(format!("http://127.1.0.1:8080/files/d/{name}"));
        let tftp = |name: &str| Fetch::Tftp(name.to_owned());
        let answer = "http://127.1.0.1:8080/answer/abc";
        let ipxe = format!(
            "#!ipxe\necho Kickstand: a installs with profile b\nkernel http://127.1.0.1:8080/files/d/vmlinuz initrd=initrd.img x.answer={answer} || goto again\ninitrd --name initrd.img http://127.1.0.1:8080/files/d/initrd.img || goto again\nboot || goto again\n"
        );
        let read = orders(&ipxe, Language::Ipxe);
        assert_eq!(read, Orders { files: vec![http("vmlinuz"), http("initrd.img")], answer: answer.into() });
        let grub = format!(
            "if linux (http,127.1.0.1:8080)/files/d/vmlinuz 'inst.ks={answer}' quiet; then\n  if initrd (tftp,127.1.0.1)/files/d/initrd.img; then\n    boot\n"
        );
        let read = orders(&grub, Language::Grub);
        assert_eq!(read.files, [http("vmlinuz"), tftp("/files/d/initrd.img")]);
        let pxelinux = format!(
            "DEFAULT install\nLABEL install\nLINUX ::files/d/vmlinuz\nINITRD ::files/d/initrd.img\nAPPEND ds=nocloud-net;s={answer}/\n"
        );
        let read = orders(&pxelinux, Language::Pxelinux);
        assert_eq!(read.files, [tftp("files/d/vmlinuz"), tftp("files/d/initrd.img")]);
        assert_eq!(read.answer, format!("{answer}/"));
    }

    #[test]
    fn urls_of_both_kinds_are_found_in_their_order() {
        let text = "curl https://127.1.0.1:1/report/ab; wget 'http://127.1.0.1/report/cd' # http of https://x/other";
        assert_eq!(urls(text, "/report/"), ["https://127.1.0.1:1/report/ab", "http://127.1.0.1/report/cd"]);
    }

    #[test]
    fn what_installs_nothing_says_so() {
        let read = |text| read(text, Language::Ipxe);
        assert_eq!(read("#!ipxe\necho Kickstand: web-1 boots its own disk\nexit\n"), Told::Disk);
        assert_eq!(read("#!ipxe\necho Kickstand does not know this machine: x\nIt boots its own disk"), Told::Shown);
        assert_eq!(read("#!ipxe\n\nshell\n"), Told::Other("shell".into()));
    }

    #[test]
    fn a_key_is_found_however_deep_it_lies() {
        let key_text = "ab".repeat(32);
        let inner = format!("cat >x <<E\n{{\"server\": \"http://127.1.0.1\", \"key\": \"{key_text}\"}}\nE\n");
        let middle = format!("{{\"source\": \"data:;base64,{}\"}}", STANDARD.encode(&inner));
        let outer = format!("d-i late string echo {} | base64 -d\n", STANDARD.encode(&middle));
        assert_eq!(key(&unpacked(&outer)), Some(key_text.clone()));
        assert_eq!(server(&unpacked(&outer)), Some("http://127.1.0.1".to_owned()));
        let json = serde_json::to_string(&inner).unwrap();
        assert_eq!(key(&unpacked(&json)), Some(key_text));
        assert_eq!(key("{\"key\": \"us\"}"), None, "a keyboard is no key");
    }
}
