//! The text that comes of it, whose blanks and lines come out as Cheetah's do.

use super::writing::Writing;
use crate::cheetah::cursor::is_blank;
use crate::cheetah::item::Item;

impl Writing<'_> {
    pub(super) fn comment(&mut self, item: &Item, text: &str) {
        if item.is_alone && !text.is_empty() && !text.contains("##") {
            self.alone(&item.indent, &format!("{{## {text} ##}}"));
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.after_tag && text.starts_with(['\n', '\r']) && self.plain.is_empty() {
            let kept = self.done.text.len().saturating_sub(2);
            self.done.text.truncate(kept);
            self.done.text.push_str("+%}");
        }
        self.after_tag = false;
        self.plain.push_str(text);
    }

    /// Text as it is; what would begin a tag of ours is written by one.
    pub(super) fn flush(&mut self) {
        let text = std::mem::take(&mut self.plain);
        let mut rest = text.as_str();
        while let Some(at) = rest.find('{') {
            let (before, sign) = rest.split_at_checked(at).unwrap_or((rest, ""));
            self.done.text.push_str(before);
            let signs = ["{{", "{%", "{##"].into_iter().find(|begins| sign.starts_with(begins));
            // What comes behind the text may make it one.
            let signs = signs.or((sign.len() == 1).then_some("{"));
            let length = signs.map_or(1, str::len);
            match signs {
                Some(signs) => self.done.text.push_str(&format!("{{{{ \"{signs}\" }}}}")),
                None => self.done.text.push('{'),
            }
            rest = sign.get(length..).unwrap_or_default();
        }
        self.done.text.push_str(rest);
    }

    /// What is written there.
    pub(super) fn out(&mut self, said: &str) {
        self.flush();
        self.after_tag = false;
        self.done.text.push_str(&format!("{{{{ {said} }}}}"));
    }

    pub(super) fn tag(&mut self, item: &Item, said: &str) {
        if item.is_alone {
            return self.alone(&item.indent, &format!("{{% {said} %}}"));
        }
        self.flush();
        // Blanks in front of a tag would go.
        let text = self.done.text.trim_end_matches(is_blank);
        let would_go = text.len() < self.done.text.len() && (text.is_empty() || text.ends_with('\n'));
        let plus = if would_go { "+" } else { "" };
        self.done.text.push_str(&format!("{{%{plus} {said} %}}"));
        self.after_tag = true;
    }

    /// A line for itself, which leaves nothing.
    pub(super) fn alone(&mut self, indent: &str, tag: &str) {
        self.flush();
        self.after_tag = false;
        let begins_line = self.done.text.is_empty() || self.done.text.ends_with('\n');
        let indent = if begins_line { indent } else { "" };
        self.done.text.push_str(&format!("{indent}{tag}\n"));
    }
}
