//! Events → the lines of a timeline. Pure: what was heard goes in, what is to be seen comes out.

use crate::http::api::event::EventView;
use crate::model::{Kind, Time};

/// How a line feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Calm,
    Good,
    Warn,
    Bad,
    /// Not the machine's own doing.
    Aside,
}

/// One line: something that happened, perhaps several times within one boot.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counted from 0: a blank line stands between two boots.
    pub boot: usize,
    pub at: Time,
    pub last_at: Time,
    pub label: &'static str,
    pub detail: String,
    pub percent: Option<u8>,
    pub tone: Tone,
    pub count: u32,
    /// An offer that the client has not taken yet.
    pub pending: bool,
    /// What makes two events the same line.
    key: String,
}

/// What the events so far come to.
#[derive(Debug, Default)]
pub struct Timeline {
    pub lines: Vec<Line>,
    /// The machine's first sign of life.
    pub start: Option<Time>,
    pub end: Option<Time>,
    boot: usize,
}

impl Timeline {
    /// Takes one event in; gives back which line is new or changed.
    pub fn take(&mut self, event: &EventView) -> Option<usize> {
        let line = self.read(event)?;
        if line.tone != Tone::Aside {
            self.start.get_or_insert(event.at);
            self.end = Some(event.at);
        }
        if self.begins_boot(event) {
            self.boot += 1;
        }
        Some(self.place(Line { boot: self.boot, ..line }))
    }

    /// Something that no event tells: the server went away, or came back.
    pub fn note(&mut self, at: Time, text: &str) -> usize {
        let key = format!("note {at}");
        let (label, detail, tone, boot) = ("note", text.to_owned(), Tone::Aside, self.boot);
        self.lines.push(Line {
            boot,
            at,
            last_at: at,
            label,
            detail,
            percent: None,
            tone,
            count: 1,
            pending: false,
            key,
        });
        self.lines.len() - 1
    }

    /// Seconds from the machine's first sign of life to a moment.
    pub fn secs(&self, at: Time) -> Option<f64> {
        let start = self.start.filter(|start| *start <= at)?;
        Some((at.0 - start.0) as f64 / 1e6)
    }

    /// A boot program asks for an address after something else had its turn: the machine began anew.
    fn begins_boot(&self, event: &EventView) -> bool {
        let netboots = matches!(event.kind, Kind::Offer | Kind::Lease) && !event.text.contains("operating system");
        // UEFI that is sent to its disk tries HTTP boot on the way: still the same boot.
        let sent_away = self.lines.iter().rev().find(|line| line.tone != Tone::Aside);
        if sent_away.is_some_and(|line| line.label == "local boot") && event.text.contains("HTTP boot") {
            return false;
        }
        let mut here = self.lines.iter().filter(|line| line.boot == self.boot && line.tone != Tone::Aside);
        netboots && here.any(|line| !matches!(line.label, "DHCP" | "loader"))
    }

    fn place(&mut self, line: Line) -> usize {
        let settles = |old: &Line| old.boot == line.boot && old.pending && line.label == "DHCP";
        if let Some(open) = self.lines.iter().rposition(settles) {
            if line.pending {
                return self.again(open, line);
            }
            self.lines.remove(open);
        }
        // An offer is news only until its lease: one that repeats a lease is that lease's renewal.
        let same = |old: &Line| old.boot == line.boot && old.key == line.key;
        match self.lines.iter().rposition(same) {
            Some(index) => self.again(index, line),
            None => {
                self.lines.push(line);
                self.lines.len() - 1
            }
        }
    }

    fn again(&mut self, index: usize, line: Line) -> usize {
        let Some(old) = self.lines.get_mut(index) else { return index };
        match line.percent {
            Some(percent) => {
                old.percent = Some(percent.max(old.percent.unwrap_or(0)));
                old.detail = line.detail;
            }
            None => old.count += 1,
        }
        old.last_at = line.last_at;
        index
    }

    fn read(&mut self, event: &EventView) -> Option<Line> {
        let text = event.text.as_str();
        let (label, detail, tone) = match event.kind {
            Kind::Offer => ("DHCP", text.to_owned(), Tone::Calm),
            Kind::Lease => ("DHCP", self.leased(text), Tone::Calm),
            Kind::Nak => ("DHCP", format!("refused: {text}"), Tone::Warn),
            Kind::Silence => ("DHCP", format!("no answer: {text}"), Tone::Warn),
            Kind::Loader => ("loader", text.to_owned(), Tone::Calm),
            Kind::Script => ("script", text.to_owned(), Tone::Calm),
            Kind::Kernel => ("kernel", text.to_owned(), Tone::Calm),
            Kind::File => ("file", text.to_owned(), Tone::Calm),
            Kind::Answer => ("answer file", after(text, ", which "), Tone::Calm),
            Kind::Progress => ("installing", text.to_owned(), Tone::Calm),
            Kind::Local => ("local boot", before(text, " ("), Tone::Calm),
            Kind::State => state(text),
            Kind::Registered => ("registered", after(text, " with "), Tone::Good),
            Kind::Refused => ("refused", text.to_owned(), Tone::Warn),
            Kind::Alarm => ("alarm", text.to_owned(), Tone::Bad),
            Kind::Record | Kind::Secret | Kind::Appliance => ("note", text.to_owned(), Tone::Aside),
        };
        let percent = match (event.kind, label) {
            (_, "installing") => Some(event.percent.unwrap_or(0)),
            (_, "installed") => self.finish_bar(),
            _ => None,
        };
        let key = match label {
            "installing" => label.to_owned(),
            // The same file again took another time.
            "kernel" | "file" | "loader" => format!("{label} {}", before(&detail, ", ")),
            // UEFI is sent to its disk by DHCP first and by the script later, if at all.
            "local boot" => label.to_owned(),
            _ => format!("{label} {detail}"),
        };
        let (at, pending) = (event.at, event.kind == Kind::Offer);
        Some(Line { boot: 0, at, last_at: at, label, detail, percent, tone, count: 1, pending, key })
    }

    /// A card that carries iPXE needs no loader, and the timeline says so.
    fn leased(&self, text: &str) -> String {
        let detail = before(text, ", first program: ");
        let rom =
            |line: &Line| line.label == "loader" || line.detail.contains("ROM") || line.detail.contains("HTTP boot");
        let this_boot = || self.lines.iter().filter(|line| line.boot == self.boot && line.tone != Tone::Aside);
        let fresh = this_boot().any(|line| !matches!(line.label, "DHCP" | "loader"));
        match detail.contains("iPXE") && (fresh || !this_boot().any(rom)) {
            true => format!("{detail} (in the card: no loader needed)"),
            false => detail,
        }
    }

    /// The last report before the end may have said 97 %.
    fn finish_bar(&mut self) -> Option<u8> {
        let bar = self.lines.iter_mut().rev().find(|line| line.label == "installing");
        if let Some(bar) = bar {
            bar.percent = Some(100);
        }
        None
    }
}

/// The words of a change of state, as `boot/` and the engine write them.
fn state(text: &str) -> (&'static str, String, Tone) {
    let plain = || text.to_owned();
    match text {
        "installed" => ("installed", String::new(), Tone::Good),
        "the installer runs" => ("installing", plain(), Tone::Calm),
        _ if text.starts_with("the installer gave up") || text.contains("failed") => ("failed", plain(), Tone::Bad),
        _ if text.starts_with("armed by") => ("armed", text.trim_start_matches("armed ").to_owned(), Tone::Aside),
        _ => ("note", plain(), Tone::Aside),
    }
}

fn before(text: &str, mark: &str) -> String {
    text.split_once(mark).map_or(text, |(head, _)| head).to_owned()
}

fn after(text: &str, mark: &str) -> String {
    match text.split_once(mark) {
        Some((_, tail)) if mark == " with " => format!("with {tail}"),
        Some((_, tail)) => tail.to_owned(),
        None => text.to_owned(),
    }
}
