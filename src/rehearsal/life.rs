//! A virtual client's way, from power-on to the registered system, as its firmware, its loader and its installer go it.

use super::client::{Client, Fault, Step};
use super::firmware::{Firmware, Voice, habit_of};
use super::post::{self, Answer};
use super::script::{self, Fetch, Orders, Told};
use super::tftp::{NotTaken, Wanted};
use crate::boot::file::{self, FileReply};
use crate::boot::names::NOT_HERE;
use crate::model::*;
use kickstand_agent::wire::{Inventory, Registration, Report};
use serde::Serialize;
use std::net::Ipv4Addr;
use std::time::Instant;

/// How much of a kernel or initrd is fetched, unless all of it is wanted.
const BEGINNING: usize = 64 << 10;
/// The largest answer that is read whole.
const WHOLE_STEP: u64 = 4 << 20;

/// Where a power-on led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It installed, and went on to its disk.
    Installed {
        registered: bool,
    },
    Disk,
    Shown,
    /// A program that is none of ours, or a script that says something else.
    Other(String),
}

/// A script, and how to go on from it.
struct Read {
    told: Told,
    /// Where TFTP is.
    server: Ipv4Addr,
    language: Language,
}

impl Client<'_> {
    /// From power-on to the end of an install, or to wherever else it leads.
    pub async fn live(&mut self) -> Result<Ended, Fault> {
        let began = Instant::now();
        let Some(read) = self.boot().await? else { return Ok(Ended::Disk) };
        match read.told {
            Told::Disk => Ok(Ended::Disk),
            Told::Shown => Ok(Ended::Shown),
            Told::Other(text) => Ok(Ended::Other(text)),
            Told::Installer(ref orders) => {
                self.took(Step::Script, began);
                self.fetch_files(orders, read.server, read.language).await?;
                self.install(orders).await
            }
        }
    }

    /// As far as the script; none where the firmware goes on to the disk by itself.
    async fn boot(&mut self) -> Result<Option<Read>, Fault> {
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
        self.took(Step::Loader, began);
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
        if name.starts_with("http://") {
            return match self.get(Step::Disk, name, "").await?.status {
                404 => Ok(()),
                _ => Err(Fault::new(Step::Disk, there)),
            };
        }
        match self.tftp(server, name, self.actor.part.firmware.habit(), Wanted::Text).await {
            Err(NotTaken::Refused(_)) => Ok(()),
            Err(silence @ NotTaken::Silence) => Err(silence.told(Step::Disk, name)),
            _ => Err(Fault::new(Step::Disk, there)),
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
        found.ok_or_else(|| {
            Fault::new(Step::Loader, format!("{name} is no file of a loader in `kickstand loader list`"))
        })
    }

    async fn loader_by_tftp(&mut self, server: Ipv4Addr, name: &str) -> Result<Loader, Fault> {
        let (loader, file) = self.shelved(name)?;
        let wanted = self.on_disk(&loader, &file)?;
        let taken = self.tftp(server, name, self.actor.part.firmware.habit(), wanted).await;
        taken.map_err(|error| error.told(Step::Loader, name))?;
        Ok(loader)
    }

    fn on_disk(&self, loader: &Loader, file: &LoaderFile) -> Result<Wanted, Fault> {
        let text = || {
            format!(
                "the file {} of loader {} is not there: `kickstand loader import {}`",
                file.name, loader.name, loader.name
            )
        };
        self.stage.loader_file(loader, file).map(Wanted::Same).ok_or_else(|| Fault::new(Step::Loader, text()))
    }

    async fn loader_by_http(&mut self, url: &str) -> Result<Loader, Fault> {
        let name = url.split_once("/loader/").map_or(url, |(_, name)| name).to_owned();
        let (loader, file) = self.shelved(&name)?;
        let Wanted::Same(bytes) = self.on_disk(&loader, &file)? else {
            return Err(Fault::new(Step::Loader, format!("{name} can not be compared")));
        };
        let answer = self.got(Step::Loader, url, "").await?;
        match answer.body == bytes {
            true => Ok(loader),
            false => Err(Fault::new(Step::Loader, format!("{url} is not what the file holds"))),
        }
    }

    /// It asks for an address again, then for its script.
    async fn ipxe(&mut self) -> Result<Option<Read>, Fault> {
        let acked = self.address(Voice::Ipxe).await?;
        if acked.file.is_empty() {
            return Ok(None);
        }
        if !acked.file.starts_with("http://") {
            let text = format!("iPXE is sent to {}, which is no script over HTTP", acked.file);
            return Ok(Some(Read { told: Told::Other(text), server: acked.server, language: Language::Ipxe }));
        }
        if acked.file.ends_with(NOT_HERE) {
            return self.not_here(acked.server, &acked.file).await.map(|()| None);
        }
        let answer = self.get(Step::Script, &acked.file, "").await?;
        match answer.status {
            200 => {
                let told = script::read(&answer.text(), Language::Ipxe);
                Ok(Some(Read { told, server: acked.server, language: Language::Ipxe }))
            }
            404 => Ok(None),
            _ => Err(Fault::new(Step::Script, told_by(&answer))),
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
                    self.got(Step::Loader, &url, "").await?;
                }
                firmware => {
                    let taken = self.tftp(server, &name, firmware.habit(), wanted).await;
                    taken.map_err(|error| error.told(Step::Loader, &name))?;
                }
            }
        }
        if self.actor.part.firmware == Firmware::UefiHttp {
            let url = format!("{}/grub/grub.cfg", self.base(server));
            let answer = self.get(Step::Script, &url, "").await?;
            return match answer.status {
                200 => Ok(Some(Read {
                    told: script::read(&answer.text(), Language::Grub),
                    server,
                    language: Language::Grub,
                })),
                404 => Ok(None),
                _ => Err(Fault::new(Step::Script, told_by(&answer))),
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
            taken.map_err(|error| error.told(Step::Loader, &name))?;
        }
        self.by_names(server, &format!("{folder}/pxelinux.cfg"), Language::Pxelinux).await
    }

    async fn extlinux(&mut self, server: Ipv4Addr) -> Result<Option<Read>, Fault> {
        self.by_names(server, "pxelinux.cfg", Language::Extlinux).await
    }

    async fn by_names(&mut self, server: Ipv4Addr, folder: &str, language: Language) -> Result<Option<Read>, Fault> {
        let board = format!("{folder}/{}", uuid::Uuid::from_bytes(self.actor.uuid));
        if self.tftp(server, &board, habit_of(language), Wanted::Text).await.is_ok() {
            return Err(Fault::new(Step::Script, format!("{board} would be taken for the script")));
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
        match self.tftp(server, name, habit_of(language), Wanted::Text).await {
            Ok(taken) => {
                let told = script::read(&String::from_utf8_lossy(&taken.text), language);
                Ok(Some(Read { told, server, language }))
            }
            Err(NotTaken::Refused(_)) => Ok(None),
            Err(error) => Err(error.told(Step::Script, name)),
        }
    }

    /// The kernel and what belongs to it: their beginnings and sizes, or all of them.
    async fn fetch_files(&mut self, orders: &Orders, server: Ipv4Addr, language: Language) -> Result<(), Fault> {
        let began = Instant::now();
        if orders.files.is_empty() {
            return Err(Fault::new(Step::Kernel, "the script names no kernel".to_owned()));
        }
        for fetch in &orders.files {
            match fetch {
                Fetch::Http(url) => self.fetch_by_http(url).await?,
                Fetch::Tftp(name) => {
                    let enough = if self.stage.whole { usize::MAX } else { BEGINNING };
                    let taken = self.tftp(server, name, habit_of(language), Wanted::Beginning(enough)).await;
                    taken.map_err(|error| error.told(Step::Kernel, name))?;
                }
            }
        }
        self.took(Step::Kernel, began);
        Ok(())
    }

    async fn fetch_by_http(&mut self, url: &str) -> Result<(), Fault> {
        let mut begin = 0;
        loop {
            let end = begin + if self.stage.whole { WHOLE_STEP } else { BEGINNING as u64 } - 1;
            let answer = self.got(Step::Kernel, url, &format!("Range: bytes={begin}-{end}\r\n")).await?;
            let size = answer.header("content-range").and_then(|range| range.rsplit_once('/')?.1.parse::<u64>().ok());
            let size = size.unwrap_or(answer.body.len() as u64);
            let wanted = (end + 1).min(size).saturating_sub(begin);
            if answer.body.len() as u64 != wanted || size == 0 {
                let text = format!("{url}: {} bytes came of {wanted}, and it has {size}", answer.body.len());
                return Err(Fault::new(Step::Kernel, text));
            }
            begin = end + 1;
            if !self.stage.whole || begin >= size {
                return Ok(());
            }
        }
    }

    /// What an installer does: its answers, its reports; then the way to the disk, and the registration.
    async fn install(&mut self, orders: &Orders) -> Result<Ended, Fault> {
        let began = Instant::now();
        let answers = self.answers(&orders.answer).await?;
        self.took(Step::Answer, began);
        let began = Instant::now();
        let report = script::urls(&answers, "/report/").into_iter().next();
        let report = report.ok_or_else(|| {
            Fault::new(Step::Report, "its answer file names no report_url: nobody would hear that it is installed, and it would install again")
        })?;
        self.post(Step::Report, &report, &Report::Started).await?;
        self.nobody_else(&orders.answer).await?;
        self.post(Step::Report, &report, &Report::Progress { percent: 50, message: "rehearsing".into() }).await?;
        self.post(Step::Report, &report, &Report::Done).await?;
        self.took(Step::Report, began);
        let began = Instant::now();
        match self.boot().await? {
            None => {}
            Some(Read { told: Told::Disk, .. }) => {}
            Some(Read { told, .. }) => {
                return Err(Fault::new(
                    Step::Disk,
                    format!("once installed it was not sent to its own disk, but: {told:?}"),
                ));
            }
        }
        self.took(Step::Disk, began);
        let began = Instant::now();
        let Some(key) = script::key(&answers) else { return Ok(Ended::Installed { registered: false }) };
        self.register(&report, key).await?;
        self.took(Step::Registration, began);
        Ok(Ended::Installed { registered: true })
    }

    /// The answer file and those that it or its installer asks for beside it.
    async fn answers(&mut self, url: &str) -> Result<String, Fault> {
        let mut all = String::new();
        // cloud-init puts the names behind a URL that ends in a slash.
        let mut waiting: Vec<String> = match url.strip_suffix('/') {
            Some(folder) => ["meta-data", "user-data", "vendor-data"].map(|name| format!("{folder}/{name}")).into(),
            None => vec![url.to_owned()],
        };
        let mut fetched = 0;
        while let Some(url) = waiting.get(fetched).cloned() {
            let answer = self.got(Step::Answer, &url, "").await?;
            let text = script::unpacked(&answer.text());
            fetched += 1;
            for next in script::urls(&text, "/answer/") {
                if !waiting.contains(&next) && fetched < 8 {
                    waiting.push(next);
                }
            }
            all.push_str(&text);
        }
        Ok(all)
    }

    /// The token is on a command line, which many can read: once the installer runs it opens nothing, least of all for
    /// another address.
    async fn nobody_else(&mut self, url: &str) -> Result<(), Fault> {
        let stranger = Ipv4Addr::from(u32::from(self.ip) ^ 1);
        for from in [stranger, self.ip] {
            let answer = post::ask(from, "GET", url.trim_end_matches('/'), "", "").await;
            let answer = answer.map_err(|error| Fault::new(Step::Answer, error))?;
            if answer.status != 404 {
                let text = format!("the token of a used answer file still opens it ({}), for {from}", answer.status);
                return Err(Fault::new(Step::Answer, text));
            }
        }
        Ok(())
    }

    async fn register(&mut self, report: &str, key: String) -> Result<(), Fault> {
        self.address(Voice::System).await?;
        let server = report.split_once("/report/").map_or(report, |(server, _)| server);
        let credential = hex::encode([self.actor.uuid, self.actor.uuid].concat());
        let firmware = if self.actor.part.firmware.is_uefi() { "uefi" } else { "bios" };
        let inventory = Inventory {
            hostname: self.actor.name.clone(),
            firmware: firmware.into(),
            product: "rehearsal".into(),
            ..Inventory::default()
        };
        let body = Registration { key, credential, inventory };
        self.post(Step::Registration, &format!("{server}/agent/register"), &body).await
    }

    fn base(&self, server: Ipv4Addr) -> String {
        format!("http://{server}:{}", self.stage.engine.http_port)
    }

    async fn get(&mut self, step: Step, url: &str, headers: &str) -> Result<Answer, Fault> {
        post::ask(self.ip, "GET", url, headers, "").await.map_err(|error| Fault::new(step, error))
    }

    /// The same, where anything but the file is a fault.
    async fn got(&mut self, step: Step, url: &str, headers: &str) -> Result<Answer, Fault> {
        let answer = self.get(step, url, headers).await?;
        match answer.status {
            200 | 206 => Ok(answer),
            _ => Err(Fault::new(step, format!("{} gave {}", shown(url), told_by(&answer)))),
        }
    }

    async fn post(&mut self, step: Step, url: &str, body: &impl Serialize) -> Result<(), Fault> {
        let body = serde_json::to_string(body).map_err(|error| Fault::new(step, error.to_string()))?;
        let answer = post::ask(self.ip, "POST", url, "Content-Type: application/json\r\n", &body).await;
        let answer = answer.map_err(|error| Fault::new(step, error))?;
        match answer.status {
            200 | 204 => Ok(()),
            _ => Err(Fault::new(step, format!("{} said {}", shown(url), told_by(&answer)))),
        }
    }
}

fn told_by(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(200).filter(|c| !c.is_control()).collect();
    format!("{} {text}", answer.status).trim().to_owned()
}

/// Without its token: each client has another, and reports are about what they have in common.
fn shown(url: &str) -> String {
    let path = url.split("://").last().and_then(|rest| rest.split_once('/')).map_or(url, |(_, path)| path);
    let mut parts: Vec<_> = path.split('/').collect();
    if matches!(parts.first(), Some(&"answer" | &"report"))
        && let Some(token) = parts.get_mut(1)
    {
        *token = "TOKEN";
    }
    format!("/{}", parts.join("/"))
}
