//! What a request for a file comes to: the whole, a part, or "you have it already" (RFC 9110 §13 and §14). No I/O.

use std::fmt::Display;
use std::time::SystemTime;

/// The header lines that matter, as they came.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Conditions {
    pub range: Option<String>,
    pub if_range: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<String>,
}

/// What is there.
#[derive(Debug, Clone)]
pub struct Kept {
    pub size: u64,
    /// With its quotes: tells this content from another of the same name. Without one it is for this client and this
    /// moment alone.
    pub tag: Option<String>,
    pub modified: Option<SystemTime>,
    pub kind: &'static str,
}

/// What is answered: bytes `start..end` of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub status: u16,
    pub start: u64,
    pub end: u64,
}

impl Plan {
    pub fn of(asked: &Conditions, head: bool, kept: &Kept) -> Plan {
        if asked.unchanged(kept) {
            return Plan { status: 304, start: 0, end: 0 };
        }
        // A range is for GET alone (§14.2), and where `If-Range` names something else it is as if not there (§13.1.5).
        let range = asked.range.as_deref().filter(|_| !head && asked.still(kept));
        match range.map_or(Range::Whole, |text| range_of(text, kept.size)) {
            Range::Whole => Plan { status: 200, start: 0, end: kept.size },
            Range::Part(start, end) => Plan { status: 206, start, end },
            Range::Outside => Plan { status: 416, start: 0, end: 0 },
        }
    }

    pub fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The lines of the head that this plan makes.
    /// In title case: GRUB 2.06 knows no other.
    pub fn lines(&self, kept: &Kept, mut put: impl FnMut(&'static str, &dyn Display)) {
        if matches!(self.status, 200 | 206) {
            put("Content-Type", &kept.kind);
            put("Accept-Ranges", &"bytes");
        }
        // That of a 304 would be the length of what is not sent.
        if self.status != 304 {
            put("Content-Length", &self.length());
        }
        match self.status {
            206 => {
                put("Content-Range", &format_args!("bytes {}-{}/{}", self.start, self.end.saturating_sub(1), kept.size))
            }
            416 => put("Content-Range", &format_args!("bytes */{}", kept.size)),
            _ => {}
        }
        match &kept.tag {
            Some(tag) => put("ETag", tag),
            None => put("Cache-Control", &"no-store"),
        }
        if let Some(modified) = kept.modified {
            put("Last-Modified", &httpdate::HttpDate::from(modified));
        }
    }
}

impl Conditions {
    /// The tag decides, and the date only where no tag is named (§13.2.2).
    fn unchanged(&self, kept: &Kept) -> bool {
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(tags), _) => kept
                .tag
                .as_ref()
                .is_some_and(|kept| tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(kept))),
            (None, Some(date)) => is_date(kept.modified, date, |modified, date| modified <= date),
            (None, None) => false,
        }
    }

    /// Whether what `If-Range` means is still there: a weak tag never is.
    fn still(&self, kept: &Kept) -> bool {
        match self.if_range.as_deref().map(str::trim) {
            None => true,
            Some(tag) if tag.ends_with('"') => kept.tag.as_deref() == Some(tag),
            Some(date) => is_date(kept.modified, date, |modified, date| modified == date),
        }
    }
}

fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Compares to the second, as dates of HTTP are.
fn is_date(modified: Option<SystemTime>, date: &str, is: impl Fn(u64, u64) -> bool) -> bool {
    let secs = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    match (modified, httpdate::parse_http_date(date.trim())) {
        (Some(modified), Ok(date)) => is(secs(modified), secs(date)),
        _ => false,
    }
}

#[derive(Debug, PartialEq)]
enum Range {
    Whole,
    /// From the first byte to the one behind the last.
    Part(u64, u64),
    Outside,
}

/// One range of RFC 9110 §14.2; several at once, or nonsense, are answered with the whole file.
fn range_of(text: &str, size: u64) -> Range {
    let Some(spec) = text.trim().strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else {
        return Range::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Range::Whole };
    match (number(first), number(last)) {
        (Some(first), None) if first >= size && last.is_empty() => Range::Outside,
        (Some(first), Some(last)) if last >= first && first >= size => Range::Outside,
        (Some(first), Some(last)) if last >= first => Range::Part(first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => Range::Part(first, size),
        (None, Some(0)) if first.is_empty() => Range::Outside,
        (None, Some(_)) if first.is_empty() && size == 0 => Range::Outside,
        (None, Some(tail)) if first.is_empty() => Range::Part(size.saturating_sub(tail), size),
        _ => Range::Whole,
    }
}

/// Digits alone: `parse` would take a sign as well.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn kept() -> Kept {
        let modified = Some(UNIX_EPOCH + Duration::from_millis(784_111_777_250));
        Kept { size: 1000, tag: Some("\"a-1\"".into()), modified, kind: "application/efi" }
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, expected) in [
            ("bytes=0-99", Range::Part(0, 100)),
            ("bytes=900-", Range::Part(900, 1000)),
            ("bytes=-100", Range::Part(900, 1000)),
            ("bytes=-5000", Range::Part(0, 1000)),
            ("bytes=0-5000", Range::Part(0, 1000)),
            ("bytes=1000-", Range::Outside),
            ("bytes=1000-2000", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=9-3", Range::Whole),
            ("bytes=2000-1000", Range::Whole),
            ("bytes=2000-x", Range::Whole),
            ("bytes=0-1,5-6", Range::Whole),
            ("bytes=+1-2", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=99999999999999999999-", Range::Whole),
            ("lines=1-2", Range::Whole),
        ] {
            assert_eq!(range_of(text, 1000), expected, "{text}");
        }
        assert_eq!(range_of("bytes=-1", 0), Range::Outside);
    }

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    #[test]
    fn what_the_client_has_already_is_not_sent_again() {
        for (if_none_match, if_modified_since, status) in [
            (Some("\"a-1\""), None, 304),
            (Some("\"x\", W/\"a-1\""), None, 304),
            (Some("*"), None, 304),
            (Some("\"x\""), None, 200),
            (Some("\"x\""), Some(DATE), 200),
            (None, Some(DATE), 304),
            (None, Some(EARLIER), 200),
            (None, Some("yesterday"), 200),
            (None, None, 200),
        ] {
            let asked = Conditions {
                if_none_match: if_none_match.map(str::to_owned),
                if_modified_since: if_modified_since.map(str::to_owned),
                ..Conditions::default()
            };
            assert_eq!(Plan::of(&asked, false, &kept()).status, status, "{asked:?}");
        }
    }

    #[test]
    fn a_range_of_something_else_is_answered_with_the_whole() {
        for (if_range, status) in [
            (None, 206),
            (Some("\"a-1\""), 206),
            (Some(DATE), 206),
            (Some("\"a-2\""), 200),
            (Some("W/\"a-1\""), 200),
            (Some(EARLIER), 200),
            (Some("nonsense"), 200),
        ] {
            let range = Some("bytes=1-2".to_owned());
            let asked = Conditions { range, if_range: if_range.map(str::to_owned), ..Conditions::default() };
            assert_eq!(Plan::of(&asked, false, &kept()).status, status, "{asked:?}");
            assert_eq!(Plan::of(&asked, true, &kept()).status, 200, "HEAD knows no ranges");
        }
    }

    #[test]
    fn every_answer_with_a_body_says_its_length() {
        let lines = |plan: Plan| {
            let mut lines = Vec::new();
            plan.lines(&kept(), |name, value| lines.push(format!("{name}: {value}")));
            lines.join("\n")
        };
        let part = lines(Plan { status: 206, start: 1, end: 3 });
        let whole = "Content-Type: application/efi\nAccept-Ranges: bytes\nContent-Length: 2\nContent-Range: bytes 1-2/1000\n\
                     ETag: \"a-1\"\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(part, whole);
        assert!(
            lines(Plan { status: 416, start: 0, end: 0 }).contains("Content-Length: 0\nContent-Range: bytes */1000\n")
        );
        assert!(!lines(Plan { status: 304, start: 0, end: 0 }).contains("Content-Length"));
    }

    #[test]
    fn what_has_no_tag_is_kept_by_nobody() {
        let script = Kept { tag: None, modified: None, ..kept() };
        let asked = Conditions { if_none_match: Some("*".into()), ..Conditions::default() };
        let plan = Plan::of(&asked, false, &script);
        assert_eq!(plan.status, 200);
        let mut lines = Vec::new();
        plan.lines(&script, |name, value| lines.push(format!("{name}: {value}")));
        assert_eq!(lines.last().map(String::as_str), Some("Cache-Control: no-store"));
        assert!(lines.iter().all(|line| !line.starts_with("ETag")), "{lines:?}");
    }
}
