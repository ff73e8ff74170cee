//! What is to be said of a place in the template, and what stands there in its stead.

use super::writing::Writing;
use crate::cheetah::item::{Item, What};
use crate::cheetah::say::quoted;
use crate::cheetah::scope;

/// What is to be said of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub line: usize,
    pub column: usize,
    /// What stands there.
    pub text: String,
    pub why: String,
    /// Rendering stops there.
    pub stops: bool,
}

impl Writing<'_> {
    pub(super) fn remark(&mut self, item: &Item, text: &str, why: &str, stops: bool) {
        let (line, column) = self.lines.place(item.at);
        let text = shortened(text);
        self.done.remarks.push(Remark { line, column, text, why: why.to_owned(), stops });
    }

    pub(super) fn bad(&mut self, item: &Item, text: &str, why: &str) {
        self.remark(item, text, why, true);
        let (line, _) = self.lines.place(item.at);
        let said = format!("{}:{line}: {}: {why}", self.place, shortened(text));
        self.tag(item, &format!("do not_converted({})", quoted(&said)));
        // A block that was begun here is ended all the same.
        match &item.what {
            What::If(_) => self.tag(item, "if false"),
            What::Elif(_) => self.tag(item, "elif false"),
            What::For(..) => self.tag(item, "for _ in []"),
            What::Macro(..) => self.tag(item, "macro _not_converted()"),
            _ => {}
        }
    }
}

/// What stands there, for a remark.
pub fn excerpt(item: &Item) -> String {
    match &item.what {
        What::Placeholder(_, raw) => raw.clone(),
        What::Late(name) => format!("@@{name}@@"),
        What::If(_) => "#if".into(),
        What::Elif(_) => "#elif".into(),
        What::For(..) => "#for".into(),
        What::Set { target, .. } => {
            let names: Vec<String> = target.iter().filter_map(scope::name).collect();
            format!("#set {}", names.join(", "))
        }
        What::Attribute(name, _) => format!("#attr {name}"),
        What::Macro(name, _) => format!("#def {name}"),
        What::Echo(_) => "#echo".into(),
        What::Silent(_) => "#silent".into(),
        What::OneLine(..) => "#if … then … else".into(),
        What::Bad(text, _) => text.clone(),
        _ => String::new(),
    }
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}
