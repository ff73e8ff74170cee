//! The way to a machine's own disk, the thing that breaks most: one for each firmware, and what operators said.
//!
//! UEFI needs a quick *error* from every entry before the disk: silence costs a minute each, and a loader that
//! ends well leads into the firmware's menu (OVMF). A BIOS ROM that is named no file goes on.

use super::Words;
use super::loader::{Choosing, Chosen, First};
use super::names::NOT_HERE;
use super::said::{Said, Whose};
use crate::model::*;

impl Choosing<'_> {
    pub(super) fn disk(&self) -> Chosen {
        let Some((way, by)) = self.said.disk_boot() else { return self.usual_way() };
        let (first, text) = match way.language() {
            None => self.without_a_loader(way),
            // It runs already, and its script says the rest.
            Some(Language::Ipxe) if self.client.program == Program::Ipxe => (self.script(), "its script".into()),
            Some(language) => match self.choose(Some(language)) {
                Ok((loader, _)) => (self.named(loader), self.called(loader).into()),
                Err(why) => {
                    let (first, text) = self.usual_way();
                    let not = text.then(format!("; not {way}, named by ")).then(by);
                    return (first, not.then(format!(": {why}")));
                }
            },
        };
        (first, text.then(format!("; to its disk by {way}, named by ")).then(by))
    }

    fn usual_way(&self) -> Chosen {
        match self.client.program {
            Program::Ipxe => (self.script(), "its script by HTTP: iPXE is running".into()),
            Program::Rom if self.client.arch.is_none_or(|arch| arch.is_bios() || arch == Arch::RASPBERRY_PI) => {
                self.without_a_loader(DiskBoot::Nothing)
            }
            _ => self.without_a_loader(DiskBoot::NotFound),
        }
    }

    fn without_a_loader(&self, way: DiskBoot) -> Chosen {
        match (way, self.client.program) {
            (DiskBoot::Nothing, _) => (Ok(First::Nothing), "none, so that the firmware goes on to the disk".into()),
            (DiskBoot::NotFound, Program::Rom) => (
                Ok(First::Tftp(NOT_HERE.into())),
                "a file that is not there, so that the firmware goes on to the disk".into(),
            ),
            (DiskBoot::NotFound, _) => (
                Ok(First::Url(self.here.loader(NOT_HERE))),
                "a URL that is not there, so that the firmware goes on to the disk".into(),
            ),
            _ => self.usual_way(),
        }
    }
}

/// What a script in this language does, once one is asked for. The loader that runs decides what can be said at all.
pub fn scripted(said: &Said<'_>, language: Language) -> (DiskBoot, Option<Words>) {
    let by = |by: Whose<'_>| Some(Words::from("named by ").then(by));
    match said.disk_boot() {
        Some((way, whose)) if way.language() == Some(language) => (way, by(whose)),
        _ => match language {
            Language::Grub => (DiskBoot::GrubChain, None),
            Language::Pxelinux | Language::Extlinux => (DiskBoot::Localboot, None),
            Language::Ipxe | Language::Efi => (DiskBoot::Auto, None),
        },
    }
}
