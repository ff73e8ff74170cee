//! Puts a timeline on the terminal as it grows: redrawn in place on a TTY, appended elsewhere.

use super::draw::{self, Look};
use super::timeline::Timeline;
use crate::cli::session;
use anyhow::Result;

/// A line further up than this may have left the screen: it stays as it is.
const REACH: usize = 20;

pub struct Screen {
    pub look: Look,
    /// A terminal, where what was written can be written over.
    pub live: bool,
    /// What stands there now.
    drawn: Vec<String>,
    /// Without a terminal: the boot of the last line, and the tenth that the bar was last shown at.
    boot: Option<usize>,
    tenths: u8,
}

impl Screen {
    pub fn new(look: Look, live: bool) -> Self {
        Screen { look, live, drawn: Vec::new(), boot: None, tenths: 0 }
    }

    /// Shows what changed with the line at `index`.
    pub fn show(&mut self, timeline: &Timeline, index: usize) -> Result<()> {
        let text = if self.live { self.redrawn(timeline) } else { self.appended(timeline, index) };
        if text.is_empty() { Ok(()) } else { session::print(&text) }
    }

    /// Up to the first line that differs, and down again.
    pub fn redrawn(&mut self, timeline: &Timeline) -> String {
        let lines = draw::all(timeline, self.look);
        let same = lines.iter().zip(&self.drawn).take_while(|(new, old)| new == old).count();
        let from = same.max(self.drawn.len().saturating_sub(REACH));
        let up = self.drawn.len().saturating_sub(from);
        let mut text = if up > 0 { format!("\x1b[{up}A\r\x1b[J") } else { String::new() };
        // Cut at the right edge instead of wrapped, whatever the width: one line stays one line.
        lines.iter().skip(from).for_each(|line| text.extend(["\x1b[?7l", line, "\x1b[?7h\n"]));
        self.drawn = lines;
        text
    }

    /// A line the first time that it is there; the bar at every tenth of its way.
    pub fn appended(&mut self, timeline: &Timeline, index: usize) -> String {
        let Some(line) = timeline.lines.get(index).filter(|line| !line.pending) else { return String::new() };
        let is_new = line.count == 1 && line.at == line.last_at;
        let tenths = line.percent.map_or(0, |percent| percent / 10);
        match line.percent {
            Some(_) if is_new => self.tenths = tenths,
            Some(_) if tenths > self.tenths => self.tenths = tenths,
            None if is_new => {}
            _ => return String::new(),
        }
        let gap = if self.boot.replace(line.boot).is_some_and(|boot| boot != line.boot) { "\n" } else { "" };
        format!("{gap}{}\n", draw::line(timeline, line, line.last_at, self.look))
    }
}
