//! What a path below `/cblr/svc/op` asks for: an operation, then names and values by turns.

use crate::model::Name;

/// `OP/system/NAME`, `OP/profile/NAME/path/_etc_motd`, `OP/mode/post/system/NAME`, …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub op: String,
    fields: Vec<(String, String)>,
    /// A value without a name at the end: a file beside the answer file.
    pub rest: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    System(Name),
    Profile(Name),
}

/// So many parts a path has at most.
const PARTS: usize = 16;

impl Asked {
    /// Each part is decoded by itself: an encoded slash is part of a name, and so of none of ours.
    pub fn of(path: &str, decoded: impl Fn(&str) -> Option<String>) -> Option<Asked> {
        let parts: Option<Vec<String>> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let mut parts = parts.filter(|parts| parts.len() <= PARTS)?.into_iter();
        let op = parts.next()?;
        let (mut fields, mut rest) = (Vec::new(), None);
        while let Some(name) = parts.next() {
            match parts.next() {
                Some(value) => fields.push((name, value)),
                None => rest = Some(name),
            }
        }
        Some(Asked { op, fields, rest })
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whom it is about; names that can not be one of ours are nobody's.
    pub fn subject(&self) -> Option<Subject> {
        match (self.field("system"), self.field("profile")) {
            (Some(name), _) => name.parse().ok().map(Subject::System),
            (None, Some(name)) => name.parse().ok().map(Subject::Profile),
            (None, None) => None,
        }
    }

    /// Where a file is to lie: `_` stands for `/`, and `__` for itself.
    pub fn file(&self) -> Option<String> {
        let said = self.field("path")?;
        let mut path = String::with_capacity(said.len());
        let mut rest = said.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '_' if rest.next_if_eq(&'_').is_some() => path.push('_'),
                '_' => path.push('/'),
                c => path.push(c),
            }
        }
        Some(path)
    }
}
