//! How far long work is: one line that is drawn over on a terminal, a line for each tenth elsewhere, to standard error.

use super::told::bytes;
use crate::cli::session::Output;
use crate::import::take::Gauge;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const BAR: usize = 24;
/// How often a terminal is drawn on.
const PAUSE: Duration = Duration::from_millis(100);
/// What is over before this says nothing of its way.
const PATIENCE: Duration = Duration::from_millis(500);

pub struct Progress {
    live: bool,
    silent: bool,
    phase: &'static str,
    begun: Instant,
    drawn: Option<Instant>,
    tenths: u64,
}

impl Progress {
    pub fn new(output: Output) -> Progress {
        let live = std::io::stderr().is_terminal();
        let silent = output == Output::Json && !live;
        Progress { live, silent, phase: "", begun: Instant::now(), drawn: None, tenths: 0 }
    }

    pub fn begin(&mut self, phase: &'static str) {
        self.end();
        (self.phase, self.begun, self.tenths) = (phase, Instant::now(), 0);
    }

    pub fn phase(&mut self, phase: &'static str, gauge: &Gauge) {
        if phase != self.phase {
            self.begin(phase);
        }
        self.show(gauge);
    }

    pub fn show(&mut self, gauge: &Gauge) {
        let phase = self.phase;
        let spent = self.begun.elapsed();
        self.draw(percent(gauge).unwrap_or(0), || line(phase, gauge, spent));
    }

    /// So many of all are done.
    pub fn count(&mut self, done: usize, all: usize, what: &str) {
        let percent = (done * 100 / all.max(1)) as u64;
        let phase = self.phase;
        self.draw(percent, || format!("  {phase}  {} {percent:>3} %  {done} of {all} {what}", bar(percent)));
    }

    fn draw(&mut self, percent: u64, line: impl FnOnce() -> String) {
        let is_new = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE);
        if self.silent || self.begun.elapsed() < PATIENCE || !is_new {
            return;
        }
        let tenths = percent / 10;
        if self.live {
            self.write(&format!("\r\x1b[?7l{}\x1b[K\x1b[?7h", line()));
            self.drawn = Some(Instant::now());
        } else if tenths > self.tenths {
            self.tenths = tenths;
            self.write(&format!("{}\n", line()));
        }
    }

    pub fn end(&mut self) {
        if self.live && self.drawn.take().is_some() {
            self.write("\r\x1b[K");
        }
    }

    /// Whoever closed standard error does not want to hear of it.
    fn write(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn percent(gauge: &Gauge) -> Option<u64> {
    let all = gauge.all_bytes?.max(1);
    Some((u128::from(gauge.bytes) * 100 / u128::from(all)).min(100) as u64)
}

fn bar(percent: u64) -> String {
    let full = (percent as usize * BAR / 100).min(BAR);
    format!("{}{}", "━".repeat(full), "─".repeat(BAR - full))
}

/// At the pace so far; nothing is said of the first moments, and nothing of the last one.
fn left(gauge: &Gauge, spent: Duration) -> Option<String> {
    let missing = gauge.all_bytes?.checked_sub(gauge.bytes).filter(|missing| *missing > 0)?;
    let millis = u128::from(missing).checked_mul(spent.as_millis())?.checked_div(u128::from(gauge.bytes))?;
    let secs = u64::try_from(millis / 1000).ok()?.saturating_add(1);
    (spent >= PATIENCE).then(|| format!(", {} left", humantime::format_duration(Duration::from_secs(secs))))
}

fn line(phase: &str, gauge: &Gauge, spent: Duration) -> String {
    let files = format!("{} of {} files", gauge.files, gauge.all_files);
    match (percent(gauge), gauge.all_bytes) {
        (Some(percent), Some(all)) => {
            let bar = bar(percent);
            let left = left(gauge, spent).unwrap_or_default();
            format!("  {phase}  {bar} {percent:>3} %  {} of {}, {files}{left}", bytes(gauge.bytes), bytes(all))
        }
        _ => format!("  {phase}  {}, {files}", bytes(gauge.bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_files_are_told() {
        let gauge = Gauge { bytes: 1_500_000, files: 3, all_bytes: Some(3_000_000), all_files: 9 };
        let told = |secs| line("copying", &gauge, Duration::from_secs(secs));
        let start = "  copying  ━━━━━━━━━━━━────────────  50 %  1.5 MB of 3.0 MB, 3 of 9 files";
        assert_eq!((told(0), told(60)), (start.to_owned(), format!("{start}, 1m 1s left")));
        let unknown = Gauge { all_bytes: None, ..gauge };
        assert_eq!(line("fetching", &unknown, Duration::ZERO), "  fetching  1.5 MB, 3 of 9 files");
        assert_eq!(percent(&Gauge { bytes: 5, all_bytes: Some(0), ..gauge }), Some(100));
    }
}
