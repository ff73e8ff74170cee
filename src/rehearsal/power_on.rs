//! From power-on to the boot script, as firmware and each loader go that way.

use super::client::{Client, Fault, Leg};
use super::firmware::{Firmware, Voice, habit_of};
use super::life::told_by;
use super::script::{self, Told};
use super::tftp::{NotTaken, Wanted};
use crate::boot::file::{self, FileReply};
use crate::boot::names::NOT_HERE;
use crate::model::*;
use std::net::Ipv4Addr;
use std::time::Instant;

/// A script, and how to go on from it.
pub(super) struct Read {
    pub told: Told,
    /// Where TFTP is.
    pub server: Ipv4Addr,
    pub language: Language,
}

impl Client<'_> {
    /// As far as the script; none where the firmware goes on to the disk by itself.
    pub(super) async fn boot(&mut self) -> Result<Option<Read>, Fault> {
        if self.actor.part.firmware == Firmware::Ipxe {
            return self.ipxe().await;
        }
        let acked = self.address(Voice::Rom).await?;
        let began = Instant::now();
        let loader = match (self.actor.part.firmware, acked.file.as_str()) {
            (Firmware::UBoot, _) => return self.extlinux(acked.server).await,
            (_, "") => return Ok(None),
            (_, name) if name.trim_start_matches('/').ends_with(NOT_HERE) => {
                return self.not_here(acked.server, name).await.map(|()| None);
            }
            (Firmware::UefiHttp, url) => self.loader_by_http(url).await?,
            (_, name) => self.loader_by_tftp(acked.server, name).await?,
        };
        self.took(Leg::Loader, began);
        self.loader = Some(loader.name.to_string());
        match loader.language {
            Language::Ipxe => self.ipxe().await,
            Language::Grub => self.grub(&loader, acked.server).await,
            Language::Pxelinux => self.pxelinux(&loader, acked.server).await,
            Language::Extlinux => self.extlinux(acked.server).await,
            Language::Efi => {
                let told = Told::Other(format!("{} is a program of its own, and asks for nothing here", loader.name));
                Ok(Some(Read { told, server: acked.server, language: Language::Efi }))
            }
        }
    }

    /// The quick error that sends UEFI to its disk.
    async fn not_here(&mut self, server: Ipv4Addr, name: &str) -> Result<(), Fault> {
        let there = format!("{name} is there, and nothing may be: UEFI would start it instead of the disk");
        if is_url(name) {
            return match self.get(Leg::Disk, name, "").await?.status {
                404 => Ok(()),
                _ => Err(Fault::new(Leg::Disk, there)),
            };
        }
        match self.tftp(server, name, self.actor.part.firmware.habit(), Wanted::Text).await {
            Err(NotTaken::Refused(_)) => Ok(()),
            Err(silence @ NotTaken::Silence) => Err(silence.told(Leg::Disk, name)),
            _ => Err(Fault::new(Leg::Disk, there)),
        }
    }

    /// The loader that this name stands for, and its file.
    fn shelved(&self, name: &str) -> Result<(Loader, LoaderFile), Fault> {
        let shelf = self.stage.engine.shelf();
        let plain = name.trim_start_matches('/');
        let found = match file::loader(plain, &shelf) {
            Some(FileReply::Loader { loader, file }) => shelf
                .loader(loader.as_str())
                .and_then(|row| Some((row.loader.clone(), row.loader.file(&file)?.clone()))),
            _ => None,
        };
        found
            .ok_or_else(|| Fault::new(Leg::Loader, format!("{name} is no file of a loader in `kickstand loader list`")))
    }

    async fn loader_by_tftp(&mut self, server: Ipv4Addr, name: &str) -> Result<Loader, Fault> {
        let (loader, file) = self.shelved(name)?;
        let wanted = self.on_disk(&loader, &file)?;
        let taken = self.tftp(server, name, self.actor.part.firmware.habit(), wanted).await;
        taken.map_err(|error| error.told(Leg::Loader, name))?;
        Ok(loader)
    }

    fn on_disk(&self, loader: &Loader, file: &LoaderFile) -> Result<Wanted, Fault> {
        let text = || {
            format!(
                "the file {} of loader {} is not there: `kickstand loader import {}`",
                file.name, loader.name, loader.name
            )
        };
        self.stage.loader_file(loader, file).map(Wanted::Same).ok_or_else(|| Fault::new(Leg::Loader, text()))
    }

    async fn loader_by_http(&mut self, url: &str) -> Result<Loader, Fault> {
        let name = url.split_once("/loader/").map_or(url, |(_, name)| name).to_owned();
        let (loader, file) = self.shelved(&name)?;
        let Wanted::Same(bytes) = self.on_disk(&loader, &file)? else {
            return Err(Fault::new(Leg::Loader, format!("{name} can not be compared")));
        };
        let answer = self.got(Leg::Loader, url, "").await?;
        match answer.body == bytes {
            true => Ok(loader),
            false => Err(Fault::new(Leg::Loader, format!("{url} is not what the file holds"))),
        }
    }

    /// It asks for an address again, then for its script.
    async fn ipxe(&mut self) -> Result<Option<Read>, Fault> {
        let acked = self.address(Voice::Ipxe).await?;
        if acked.file.is_empty() {
            return Ok(None);
        }
        if !is_url(&acked.file) {
            let text = format!("iPXE is sent to {}, which is no script over HTTP", acked.file);
            return Ok(Some(Read { told: Told::Other(text), server: acked.server, language: Language::Ipxe }));
        }
        if acked.file.ends_with(NOT_HERE) {
            return self.not_here(acked.server, &acked.file).await.map(|()| None);
        }
        let began = Instant::now();
        let answer = self.get(Leg::Script, &acked.file, "").await?;
        self.took(Leg::Script, began);
        match answer.status {
            200 => {
                let told = script::read(&answer.text(), Language::Ipxe);
                Ok(Some(Read { told, server: acked.server, language: Language::Ipxe }))
            }
            404 => Ok(None),
            _ => Err(Fault::new(Leg::Script, told_by(&answer))),
        }
    }

    /// shim asks for GRUB in the folder that it came from, GRUB for its script in one of its own.
    async fn grub(&mut self, loader: &Loader, server: Ipv4Addr) -> Result<Option<Read>, Fault> {
        let first = loader.first.clone();
        let beside: Vec<_> =
            loader.files.iter().filter(|file| !file.optional && Some(&file.name) != first.as_ref()).collect();
        for file in beside {
            let name = format!("{}/{}", loader.name, file.name);
            let wanted = self.on_disk(loader, file)?;
            match self.actor.part.firmware {
                Firmware::UefiHttp => {
                    let url = format!("{}/loader/{name}", self.base(server));
                    self.got(Leg::Loader, &url, "").await?;
                }
                firmware => {
                    let taken = self.tftp(server, &name, firmware.habit(), wanted).await;
                    taken.map_err(|error| error.told(Leg::Loader, &name))?;
                }
            }
        }
        if self.actor.part.firmware == Firmware::UefiHttp {
            let url = format!("{}/grub/grub.cfg", self.base(server));
            let began = Instant::now();
            let answer = self.get(Leg::Script, &url, "").await?;
            self.took(Leg::Script, began);
            return match answer.status {
                200 => Ok(Some(Read {
                    told: script::read(&answer.text(), Language::Grub),
                    server,
                    language: Language::Grub,
                })),
                404 => Ok(None),
                _ => Err(Fault::new(Leg::Script, told_by(&answer))),
            };
        }
        self.script_by_tftp(server, "/grub/grub.cfg", Language::Grub).await
    }

    /// Its module first, then the names that it tries: by its mainboard, then by its card.
    async fn pxelinux(&mut self, loader: &Loader, server: Ipv4Addr) -> Result<Option<Read>, Fault> {
        let folder = loader.name.to_string();
        if let Some(module) = loader.file("ldlinux.c32") {
            let wanted = self.on_disk(loader, module)?;
            let name = format!("{folder}/ldlinux.c32");
            let taken = self.tftp(server, &name, habit_of(Language::Pxelinux), wanted).await;
            taken.map_err(|error| error.told(Leg::Loader, &name))?;
        }
        self.by_names(server, &format!("{folder}/pxelinux.cfg"), Language::Pxelinux).await
    }

    async fn extlinux(&mut self, server: Ipv4Addr) -> Result<Option<Read>, Fault> {
        self.by_names(server, "pxelinux.cfg", Language::Extlinux).await
    }

    async fn by_names(&mut self, server: Ipv4Addr, folder: &str, language: Language) -> Result<Option<Read>, Fault> {
        let board = format!("{folder}/{}", uuid::Uuid::from_bytes(self.actor.uuid));
        if self.tftp(server, &board, habit_of(language), Wanted::Text).await.is_ok() {
            return Err(Fault::new(Leg::Script, format!("{board} would be taken for the script")));
        }
        let own = format!("{folder}/01-{}", self.actor.mac.dashed());
        self.script_by_tftp(server, &own, language).await
    }

    async fn script_by_tftp(
        &mut self,
        server: Ipv4Addr,
        name: &str,
        language: Language,
    ) -> Result<Option<Read>, Fault> {
        let began = Instant::now();
        match self.tftp(server, name, habit_of(language), Wanted::Text).await {
            Ok(taken) => {
                self.took(Leg::Script, began);
                let told = script::read(&String::from_utf8_lossy(&taken.text), language);
                Ok(Some(Read { told, server, language }))
            }
            Err(NotTaken::Refused(_)) => Ok(None),
            Err(error) => Err(error.told(Leg::Script, name)),
        }
    }
}

fn is_url(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}
