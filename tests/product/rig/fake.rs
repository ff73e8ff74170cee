//! A machine as the wire sees it: DHCP, TFTP and HTTP in the order and with the habits of real firmware.

use super::{Answer, Appliance, get, post};
use dhcproto::v4::{Architecture, DhcpOption, Message, MessageType, Opcode, OptionCode, UnknownOption};
use dhcproto::{Decodable, Decoder, Encodable};
use kickstand::model::Mac;
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long a machine waits before it believes that nobody answers.
const PATIENCE: Duration = Duration::from_millis(400);

/// What an agent chooses by chance, two digits of it.
pub const CREDENTIAL: &str = "c5";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rom {
    Bios,
    Uefi,
    /// A card that carries iPXE itself, as QEMU's does.
    Ipxe,
    /// A BIOS that is given PXELINUX.
    Pxelinux,
    /// UEFI that is given shim and the signed GRUB.
    Grub,
    /// U-Boot on arm64.
    UBoot,
}

pub struct FakeMachine {
    pub mac: Mac,
    pub rom: Rom,
    pub ip: Option<Ipv4Addr>,
    dhcp: SocketAddr,
    tftp: SocketAddr,
    xid: u32,
}

/// Where a power-on led to.
#[derive(Debug)]
pub enum Booted {
    /// Nobody answered.
    Silence,
    OwnDisk,
    /// The console shows this, then its own disk.
    Told(String),
    Installer(Installer),
}

/// An installer that was given its kernel, and is about to ask for its answer file.
#[derive(Debug)]
pub struct Installer {
    pub ip: Ipv4Addr,
    pub script: String,
    pub answer_url: String,
    pub server: String,
}

/// What a DHCP acknowledgement said.
#[derive(Debug, Clone)]
pub struct Acked {
    pub ip: Ipv4Addr,
    pub file: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Rom,
    Ipxe,
    System,
}

impl FakeMachine {
    pub fn new(appliance: &Appliance, mac: Mac, rom: Rom) -> FakeMachine {
        let running = appliance.running();
        FakeMachine { mac, rom, ip: None, dhcp: running.dhcp[0], tftp: running.tftp[0], xid: 0x1000 }
    }

    /// The ports of a server that was restarted.
    pub fn reconnect(&mut self, appliance: &Appliance) {
        let running = appliance.running();
        (self.dhcp, self.tftp) = (running.dhcp[0], running.tftp[0]);
    }

    pub async fn power_on(&mut self) -> Booted {
        if matches!(self.rom, Rom::Pxelinux | Rom::Grub | Rom::UBoot) {
            return self.power_on_by_tftp().await;
        }
        if self.rom != Rom::Ipxe {
            let Some(acked) = self.dhcp(Who::Rom).await else { return Booted::Silence };
            if acked.file.is_empty() {
                return Booted::OwnDisk;
            }
            match self.tftp(&acked.file).await {
                Ok(loader) => assert!(loader.len() > 60_000, "{} is a whole loader", acked.file),
                Err(_) => return Booted::OwnDisk,
            }
        }
        let Some(acked) = self.dhcp(Who::Ipxe).await else { return Booted::Silence };
        if acked.file.is_empty() {
            return Booted::OwnDisk;
        }
        self.follow(get(acked.ip, &acked.file, "").await, acked.ip).await
    }

    /// What those do that read their script and their kernel by TFTP.
    async fn power_on_by_tftp(&mut self) -> Booted {
        let Some(acked) = self.dhcp(Who::Rom).await else { return Booted::Silence };
        if acked.file.is_empty() && self.rom != Rom::UBoot {
            return Booted::OwnDisk;
        }
        if self.rom != Rom::UBoot && self.tftp(&acked.file).await.is_err() {
            return Booted::OwnDisk;
        }
        let (folder, mac) = (acked.file.rsplit_once('/').map_or("", |(folder, _)| folder), self.mac.dashed());
        let (missing, script) = match self.rom {
            Rom::Pxelinux => {
                self.tftp(&format!("{folder}/ldlinux.c32")).await.expect("its module lies beside it");
                (
                    format!("{folder}/pxelinux.cfg/77777777-0000-4000-8000-525400770101"),
                    format!("{folder}/pxelinux.cfg/01-{mac}"),
                )
            }
            Rom::Grub => {
                self.tftp(&format!("{folder}/grubx64.efi")).await.expect("what shim starts lies beside it");
                ("/grub/x86_64-efi/grub.cfg".into(), "/grub/grub.cfg".into())
            }
            _ => ("pxelinux.cfg/77777777-0000-4000-8000-525400770101".into(), format!("pxelinux.cfg/01-{mac}")),
        };
        assert!(self.tftp(&missing).await.is_err(), "{missing} would be taken for the script");
        let Ok(text) = self.tftp(&script).await else { return Booted::OwnDisk };
        assert_eq!(self.tftp(&script).await.as_ref(), Ok(&text), "asked for again it is the same");
        self.follow_by_tftp(String::from_utf8(text).unwrap(), acked.ip).await
    }

    async fn follow_by_tftp(&self, text: String, ip: Ipv4Addr) -> Booted {
        if text.contains(" boots its own disk") {
            return Booted::OwnDisk;
        }
        let words = || text.split(|c: char| c.is_whitespace() || "'\";".contains(c));
        let Some(answer_url) = words().find_map(|word| word.strip_prefix("kickstand.answer=")).map(str::to_owned)
        else {
            return Booted::Told(text);
        };
        for (file, size) in [("vmlinuz", 70_000), ("initrd.img", 90_000)] {
            let path = words()
                .find_map(|word| word.ends_with(file).then(|| word.find("files/").and_then(|at| word.get(at..)))?);
            let path = path.unwrap_or_else(|| panic!("no {file} in {text}"));
            assert_eq!(self.tftp(&format!("/{path}")).await.map(|bytes| bytes.len()), Ok(size), "{path}");
        }
        let server = answer_url.split("/answer/").next().unwrap().to_owned();
        Booted::Installer(Installer { ip, script: text, answer_url, server })
    }

    /// What iPXE makes of a script: an installer fetches its kernel and initrd, anything else ends at the disk.
    async fn follow(&self, script: Answer, ip: Ipv4Addr) -> Booted {
        let text = script.text();
        if script.status != 200 || text.contains("echo Kickstand: ") && text.contains(" boots its own disk\n") {
            return Booted::OwnDisk;
        }
        assert!(text.starts_with("#!ipxe\n"), "{text}");
        let word_after =
            |mark: &str| text.split(mark).nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
        let Some(answer_url) = word_after("kickstand.answer=") else { return Booted::Told(text) };
        for (mark, size) in [("kernel ", 70_000), ("initrd.img http", 90_000)] {
            let url = word_after(mark)
                .map(|url| url.replacen("://", "http://", usize::from(!url.starts_with("http"))))
                .unwrap();
            let file = get(ip, &url, "").await;
            assert_eq!((file.status, file.body.len()), (200, size), "{url}");
        }
        let server = answer_url.split("/answer/").next().unwrap().to_owned();
        Booted::Installer(Installer { ip, script: text, answer_url, server })
    }

    /// The installer of a machine that must be given one.
    pub async fn installer(&mut self) -> Installer {
        match self.power_on().await {
            Booted::Installer(installer) => installer,
            other => panic!("{} was not given an installer: {other:?}", self.mac),
        }
    }

    /// The address that the installed system gets.
    pub async fn system_address(&mut self) -> Option<Acked> {
        self.dhcp(Who::System).await
    }

    /// Registers from the installed disk with the key that the answer file left there.
    pub async fn register(&mut self, installer: &Installer, key: &str) -> Answer {
        self.register_as(installer, key, &CREDENTIAL.repeat(32)).await
    }

    pub async fn register_as(&mut self, installer: &Installer, key: &str, credential: &str) -> Answer {
        let ip = self.system_address().await.expect("the installed system gets its address").ip;
        let inventory = json!({"hostname": "web-1", "cpus": 2});
        let body = json!({"key": key, "credential": credential, "inventory": inventory});
        post(ip, &format!("{}/agent/register", installer.server), "", &body).await
    }

    async fn dhcp(&mut self, who: Who) -> Option<Acked> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let offer = self.exchange(&socket, who, None).await?;
        assert_eq!(offer.opts().msg_type(), Some(MessageType::Offer));
        let ack = self.exchange(&socket, who, Some(&offer)).await?;
        assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack), "a REQUEST for the offered address is granted");
        assert_eq!(ack.yiaddr(), offer.yiaddr());
        assert_eq!(file(&ack), file(&offer), "firmware reads the file from either");
        self.ip = Some(ack.yiaddr());
        assert!(ack.opts().get(OptionCode::AddressLeaseTime).is_some(), "a lease has an end");
        Some(Acked { ip: ack.yiaddr(), file: file(&ack) })
    }

    async fn exchange(&mut self, socket: &UdpSocket, who: Who, offer: Option<&Message>) -> Option<Message> {
        self.xid += u32::from(offer.is_none());
        socket.send_to(&self.request(who, offer).to_vec().unwrap(), self.dhcp).await.unwrap();
        let mut buffer = [0u8; 1500];
        let size = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await.ok()?.unwrap();
        assert!(size >= 300, "relays and clients drop shorter answers");
        let message = Message::decode(&mut Decoder::new(&buffer[..size])).unwrap();
        assert_eq!(message.xid(), self.xid);
        Some(message)
    }

    fn request(&self, who: Who, offer: Option<&Message>) -> Message {
        let mut message = Message::default();
        message.set_opcode(Opcode::BootRequest).set_xid(self.xid).set_chaddr(&self.mac.0);
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(if offer.is_some() {
            MessageType::Request
        } else {
            MessageType::Discover
        }));
        if let Some(offer) = offer {
            options.insert(DhcpOption::RequestedIpAddress(offer.yiaddr()));
            options.insert(offer.opts().get(OptionCode::ServerIdentifier).expect("an offer names its server").clone());
        }
        let (arch, number) = match self.rom {
            Rom::Uefi | Rom::Grub => (Architecture::X64, 7),
            Rom::UBoot => (Architecture::from(0x16), 0x16),
            _ => (Architecture::X86_Bios, 0),
        };
        if who != Who::System {
            options.insert(DhcpOption::ClassIdentifier(format!("PXEClient:Arch:{number:05}:UNDI:003000").into_bytes()));
            options.insert(DhcpOption::ClientSystemArchitecture(arch));
        }
        if who == Who::Ipxe {
            options.insert(DhcpOption::UserClass(b"iPXE".to_vec()));
            options.insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::Unknown(175), vec![0x13, 1, 1])));
        }
        if who == Who::System {
            // An installed system's identifier differs from the firmware's: its address must not.
            options.insert(DhcpOption::ClientIdentifier(vec![255, 1, 2, 3, 4, 5, 6, 7]));
        }
        message
    }

    /// UEFI asks for the size first, gives up that transfer, and asks again.
    pub async fn tftp(&self, name: &str) -> Result<Vec<u8>, String> {
        let ip = self.ip.expect("a file is asked for with an address");
        if self.rom == Rom::Uefi {
            let probe = UdpSocket::bind((ip, 0)).await.unwrap();
            probe.send_to(&read_request(name, &["tsize", "0", "blksize", "1468"]), self.tftp).await.unwrap();
            let (bytes, from) = receive(&probe).await;
            if bytes[1] == 5 {
                return Err(String::from_utf8_lossy(&bytes[4..]).into_owned());
            }
            probe.send_to(b"\0\x05\0\x08User aborted the transfer\0", from).await.unwrap();
        }
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        socket.send_to(&read_request(name, &["blksize", "1432"]), self.tftp).await.unwrap();
        let mut file = Vec::new();
        loop {
            let (bytes, from) = receive(&socket).await;
            match bytes[1] {
                3 => {
                    file.extend_from_slice(&bytes[4..]);
                    socket.send_to(&[0, 4, bytes[2], bytes[3]], from).await.unwrap();
                    if bytes.len() < 1436 {
                        return Ok(file);
                    }
                }
                6 => drop(socket.send_to(&[0, 4, 0, 0], from).await.unwrap()),
                _ => return Err(String::from_utf8_lossy(&bytes[4..]).into_owned()),
            }
        }
    }
}

fn file(message: &Message) -> String {
    String::from_utf8_lossy(message.fname().unwrap_or_default()).trim_end_matches('\0').to_owned()
}

fn read_request(name: &str, options: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0, 1];
    for word in [&[name, "octet"], options].concat() {
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(0);
    }
    bytes
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0u8; 2000];
    let (size, from) =
        tokio::time::timeout(Duration::from_secs(3), socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    (buffer[..size].to_vec(), from)
}

impl Installer {
    pub async fn fetch(&self) -> Answer {
        get(self.ip, &self.answer_url, "").await
    }

    /// The answer file that must be given.
    pub async fn answer(&self) -> String {
        let answer = self.fetch().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    pub async fn report(&self, answer: &str, report: serde_json::Value) -> Answer {
        let url = answer.split("# kickstand-report: ").nth(1).unwrap().split_whitespace().next().unwrap();
        post(self.ip, url, "", &report).await
    }

    /// Plays the installer to its last step. The key that it left on the disk.
    pub async fn install(&self) -> String {
        let answer = self.answer().await;
        for report in [
            json!({"stage": "started"}),
            json!({"stage": "progress", "percent": 40, "message": "unpacking"}),
            json!({"stage": "done"}),
        ] {
            assert_eq!(self.report(&answer, report).await.status, 204);
        }
        key(&answer)
    }
}

/// The single-use key that an answer file carries.
pub fn key(answer: &str) -> String {
    answer.split(r#""key": ""#).nth(1).unwrap().split('"').next().unwrap().to_owned()
}
