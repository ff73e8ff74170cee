//! A timeline's lines as text: columns, the bar, colours, and the closing summary. Pure.

use super::timeline::{Line, Timeline, Tone};
use crate::cli::table::{clip, pad};
use crate::model::Time;

/// How wide and how colourful.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: usize,
    pub colour: bool,
}

const BAR: usize = 24;
/// Clock, elapsed time and label, with their gaps.
const LEFT: usize = 2 + 8 + 2 + 8 + 3 + 12;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// Every line so far, with a blank one between two boots.
pub fn all(timeline: &Timeline, look: Look) -> Vec<String> {
    let mut drawn = Vec::new();
    let mut boot = None;
    for one in &timeline.lines {
        if boot.is_some_and(|boot| boot != one.boot) {
            drawn.push(String::new());
        }
        boot = Some(one.boot);
        drawn.push(line(timeline, one, one.at, look));
    }
    drawn
}

/// One line, as of the moment `at`.
pub fn line(timeline: &Timeline, line: &Line, at: Time, look: Look) -> String {
    let elapsed = match line.tone {
        Tone::Aside => String::new(),
        _ => timeline.secs(at).map(seconds).unwrap_or_default(),
    };
    let clock = look.paint(DIM, &clock(at));
    let elapsed = look.paint(DIM, &format!("{elapsed:>8}"));
    let label = look.paint(line.colour(), line.label);
    let gap = " ".repeat(12_usize.saturating_sub(line.label.len()));
    let text = format!("  {clock}  {elapsed}   {label}{gap}{}", detail(line, look));
    text.trim_end().to_owned()
}

fn detail(line: &Line, look: Look) -> String {
    let room = look.width.saturating_sub(LEFT);
    let times = if line.count > 1 { format!(" ×{}", line.count) } else { String::new() };
    let said = |room: usize| format!("{}{times}", clip(&line.detail, room.saturating_sub(times.chars().count())));
    match line.percent {
        Some(percent) => {
            format!("{} {percent:>3} %  {}", bar(percent, look), look.paint(DIM, &said(room.saturating_sub(BAR + 8))))
        }
        None if line.tone == Tone::Aside => look.paint(DIM, &said(room)),
        None => said(room),
    }
}

fn bar(percent: u8, look: Look) -> String {
    let full = (usize::from(percent.min(100)) * BAR + 50) / 100;
    format!("{}{}", look.paint(CYAN, &"━".repeat(full)), look.paint(DIM, &"─".repeat(BAR - full)))
}

impl Line {
    fn colour(&self) -> &'static str {
        match self.tone {
            Tone::Calm => CYAN,
            Tone::Good => GREEN,
            Tone::Warn => YELLOW,
            Tone::Bad => RED,
            Tone::Aside => DIM,
        }
    }
}

impl Look {
    pub fn paint(self, code: &str, text: &str) -> String {
        match self.colour && !text.trim().is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub good: bool,
    /// `web1 is installed and registered`.
    pub headline: String,
    pub rows: Vec<(&'static str, String)>,
}

pub fn summary(summary: &Summary, look: Look) -> String {
    let (mark, code) = if summary.good { ("✔", GREEN) } else { ("✘", RED) };
    let rows = summary.rows.iter().filter(|(_, value)| !value.is_empty());
    let indent = format!("\n{}", " ".repeat(16));
    let rows = rows.map(|(label, value)| (look.paint(DIM, &pad(label, 12)), value.replace('\n', &indent)));
    let rows = rows.map(|(label, value)| format!("    {label}{value}\n"));
    let headline = format!("{} {}", look.paint(code, mark), look.paint(BOLD, &summary.headline));
    format!("\n  {headline}\n\n{}", rows.collect::<String>())
}

pub fn heading(name: &str, rest: &str, look: Look) -> String {
    format!("\n  {}  {}\n", look.paint(BOLD, name), look.paint(DIM, rest))
}

/// `0.4 s`, `42 s`, `2 m 05 s`, `1 h 02 m`.
pub fn seconds(secs: f64) -> String {
    let whole = secs as u64;
    match whole {
        0..10 => format!("{secs:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole % 3600 / 60),
    }
}

/// `08:12:03`, in UTC: what the server's log says, too.
fn clock(at: Time) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}
