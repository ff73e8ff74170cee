//! Which bytes a name stands for, by TFTP or HTTP.

use super::loader::LOADERS;
use super::names::NOT_HERE;
use super::{Ask, Decision, Reason};
use crate::model::Time;

#[derive(Debug, Clone, PartialEq)]
pub struct FileAsk {
    /// As asked for: firmware adds slashes, and NUL or 0xFF at the end.
    pub name: String,
}

/// A name stands for itself: nothing else must be known.
pub struct FileFacts;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileReply {
    /// A boot loader of the LOADERS table.
    Loader(&'static str),
    NotFound,
}

impl Ask for FileAsk {
    type Facts<'a> = FileFacts;
    type Reply = FileReply;

    fn decide(&self, _: FileFacts, _: Time) -> Decision<FileReply> {
        let name = self.name.trim_end_matches(['\0', '\u{ff}', '\u{fffd}']).trim_start_matches('/');
        if let Some(row) = LOADERS.iter().find(|row| row.file == name) {
            return Decision::new(FileReply::Loader(row.file), vec![Reason::new("file", "a boot loader")]);
        }
        let text = match name {
            NOT_HERE => "never here, so that the firmware goes on to the disk",
            _ => "no loader has this name",
        };
        Decision::new(FileReply::NotFound, vec![Reason::new("file", text)])
    }
}
