//! A virtual client's way from power-on to the registered system: what its installer does, and what its first boot.

use super::client::{Client, Fault, Leg};
use super::firmware::{Voice, habit_of};
use super::post::{self, Answer, Request};
use super::power_on::Read;
use super::script::{self, Fetch, Orders, Told};
use super::tftp::Wanted;
use crate::model::*;
use kickstand_agent::wire::{Inventory, Registration, Report};
use serde::Serialize;
use std::net::Ipv4Addr;
use std::time::Instant;

/// How much of a kernel or initrd is fetched, unless all of it is wanted.
const BEGINNING: usize = 64 << 10;
/// The largest answer that is read whole.
const WHOLE_STEP: u64 = 1 << 20;

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

impl Client<'_> {
    /// From power-on to the end of an install, or to wherever else it leads.
    pub async fn live(&mut self) -> Result<Ended, Fault> {
        let Some(read) = self.boot().await? else { return Ok(Ended::Disk) };
        match read.told {
            Told::Disk => Ok(Ended::Disk),
            Told::Shown => Ok(Ended::Shown),
            Told::Other(text) => Ok(Ended::Other(text)),
            Told::Installer(ref orders) => {
                self.fetch_files(orders, read.server, read.language).await?;
                self.install(orders).await
            }
        }
    }

    /// The kernel and what belongs to it: their beginnings and sizes, or all of them.
    async fn fetch_files(&mut self, orders: &Orders, server: Ipv4Addr, language: Language) -> Result<(), Fault> {
        let began = Instant::now();
        if orders.files.is_empty() {
            return Err(Fault::new(Leg::Kernel, "the script names no kernel".to_owned()));
        }
        for fetch in &orders.files {
            match fetch {
                Fetch::Http(url) => self.fetch_by_http(url).await?,
                Fetch::Tftp(name) => {
                    let enough = if self.stage.whole { usize::MAX } else { BEGINNING };
                    let taken = self.tftp(server, name, habit_of(language), Wanted::Beginning(enough)).await;
                    taken.map_err(|error| error.told(Leg::Kernel, name))?;
                }
            }
        }
        self.took(Leg::Kernel, began);
        Ok(())
    }

    async fn fetch_by_http(&mut self, url: &str) -> Result<(), Fault> {
        let mut begin = 0;
        loop {
            let end = begin + if self.stage.whole { WHOLE_STEP } else { BEGINNING as u64 } - 1;
            let answer = self.got(Leg::Kernel, url, &format!("Range: bytes={begin}-{end}\r\n")).await?;
            let size = answer.header("content-range").and_then(|range| range.rsplit_once('/')?.1.parse::<u64>().ok());
            let size = size.unwrap_or(answer.body.len() as u64);
            let wanted = (end + 1).min(size).saturating_sub(begin);
            if answer.body.len() as u64 != wanted || size == 0 {
                let text = format!("{url}: {} bytes came of {wanted}, and it has {size}", answer.body.len());
                return Err(Fault::new(Leg::Kernel, text));
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
        self.took(Leg::Answer, began);
        let began = Instant::now();
        let report = script::urls(&answers, "/report/").into_iter().next();
        let report = report.ok_or_else(|| {
            Fault::new(Leg::Report, "its answer file names no report_url: nobody would hear that it is installed, and it would install again")
        })?;
        self.post(Leg::Report, &report, &Report::Started).await?;
        self.nobody_else(&orders.answer).await?;
        // That was answered with an alarm, as it should be.
        self.heard_enough();
        self.post(Leg::Report, &report, &Report::Progress { percent: 50, message: "rehearsing".into() }).await?;
        self.post(Leg::Report, &report, &Report::Done).await?;
        self.took(Leg::Report, began);
        let began = Instant::now();
        match self.boot().await? {
            None => {}
            Some(Read { told: Told::Disk, .. }) => {}
            Some(Read { told, .. }) => {
                return Err(Fault::new(
                    Leg::Disk,
                    format!("once installed it was not sent to its own disk, but: {told:?}"),
                ));
            }
        }
        self.took(Leg::Disk, began);
        let began = Instant::now();
        let Some(key) = script::key(&answers) else { return Ok(Ended::Installed { registered: false }) };
        let server = script::server(&answers);
        self.register(server.as_ref().unwrap_or(&report), key).await?;
        self.took(Leg::Registration, began);
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
            let answer = self.got(Leg::Answer, &url, "").await?;
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
            let answer = post::ask(self.request(from, "GET", url.trim_end_matches('/'))).await;
            let answer = answer.map_err(|error| Fault::new(Leg::Answer, format!("{}: {error}", shown(url))))?;
            if answer.status != 404 {
                let text = format!("the token of a used answer file still opens it ({}), for {from}", answer.status);
                return Err(Fault::new(Leg::Answer, text));
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
        let body = Registration { key, credential, inventory, name: None };
        self.post(Leg::Registration, &format!("{server}/agent/register"), &body).await
    }

    fn request<'b>(&'b self, from: Ipv4Addr, method: &'b str, url: &'b str) -> Request<'b> {
        Request { from, connector: self.stage.connector.as_ref(), method, url, headers: "", body: "" }
    }

    pub(super) fn base(&self, server: Ipv4Addr) -> String {
        format!("http://{server}:{}", self.stage.engine.http_port)
    }

    pub(super) async fn get(&mut self, step: Leg, url: &str, headers: &str) -> Result<Answer, Fault> {
        post::ask(Request { headers, ..self.request(self.ip, "GET", url) })
            .await
            .map_err(|error| Fault::new(step, format!("{}: {error}", shown(url))))
    }

    /// The same, where anything but the file is a fault.
    pub(super) async fn got(&mut self, step: Leg, url: &str, headers: &str) -> Result<Answer, Fault> {
        let answer = self.get(step, url, headers).await?;
        match answer.status {
            200 | 206 => Ok(answer),
            _ => Err(Fault::new(step, format!("{} gave {}", shown(url), told_by(&answer)))),
        }
    }

    async fn post(&mut self, step: Leg, url: &str, body: &impl Serialize) -> Result<(), Fault> {
        let body = serde_json::to_string(body).map_err(|error| Fault::new(step, error.to_string()))?;
        let headers = "Content-Type: application/json\r\n";
        let answer = post::ask(Request { headers, body: &body, ..self.request(self.ip, "POST", url) }).await;
        let answer = answer.map_err(|error| Fault::new(step, format!("{}: {error}", shown(url))))?;
        match answer.status {
            200 | 204 => Ok(()),
            _ => Err(Fault::new(step, format!("{} said {}", shown(url), told_by(&answer)))),
        }
    }
}

pub(super) fn told_by(answer: &Answer) -> String {
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
