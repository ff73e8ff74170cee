//! A virtual client asks for an address: DISCOVER, OFFER, REQUEST, ACK, with the options and the patience of firmware.

use super::cast::{Actor, Manner};
use super::client::{Client, Fault, Leg};
use super::firmware::{Firmware, Voice};
use super::post::Post;
use crate::dhcp::packet::{BROADCAST, Packet, REQUEST, WIRE_BYTES};
use crate::dhcp::tlv::Options;
use dhcproto::v4::{MessageType, OptionCode};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Firmware waits for 4, 8, 16 and 32 s: a tenth of that, since nothing here is far away.
const WAITS: [Duration; 4] =
    [Duration::from_millis(400), Duration::from_millis(800), Duration::from_millis(1600), Duration::from_millis(3200)];
/// What firmware asks for (captured of OVMF).
const WISHES: &[u8] = &[
    1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130,
    131, 132, 133, 134, 135,
];
/// What an iPXE of Debian's says in option 175: that it has HTTP, among others.
const FEATURES: &[u8] =
    &[0xb1, 5, 1, 0x1a, 0xf4, 0x10, 0, 0x17, 1, 1, 0x22, 1, 1, 0x13, 1, 1, 0x11, 1, 1, 0x27, 1, 1, 0x19, 1, 1];

/// What an acknowledgement said.
#[derive(Debug, Clone, PartialEq)]
pub struct Acked {
    pub ip: Ipv4Addr,
    /// Empty where nothing is to be booted.
    pub file: String,
    /// Where TFTP is.
    pub server: Ipv4Addr,
}

impl Client<'_> {
    /// The whole dialogue. A refusal ends it, silence is waited for.
    pub async fn address(&mut self, voice: Voice) -> Result<Acked, Fault> {
        let began = Instant::now();
        let (mut loss, actor) = (self.loss.clone(), self.actor);
        let xid = loss.next() as u32;
        let mut repeats = 0;
        let acked = async {
            let broken = |error: std::io::Error| Fault::new(Leg::Address, format!("no socket for a client: {error}"));
            let mut post = Post::open(Ipv4Addr::LOCALHOST, &mut loss).await.map_err(broken)?;
            let discover = packet(actor, voice, xid, None);
            let offer = exchange(&mut post, actor, discover, MessageType::Offer, &mut repeats).await;
            let offer = offer.map_err(|error| error.told("DISCOVER"))?;
            let request = packet(actor, voice, xid, Some(&offer));
            let ack = exchange(&mut post, actor, request, MessageType::Ack, &mut repeats).await;
            ack.map_err(|error| error.told("REQUEST"))
        };
        let acked = acked.await;
        (self.loss, self.repeats) = (loss, self.repeats + repeats);
        let acked = acked?;
        self.ip = acked.yiaddr;
        self.took(Leg::Address, began);
        let server = [acked.siaddr, acked.options.ip(OptionCode::ServerIdentifier).unwrap_or(acked.siaddr)];
        let server = server.into_iter().find(|ip| !ip.is_unspecified()).unwrap_or(acked.siaddr);
        Ok(Acked { ip: acked.yiaddr, file: file(&acked), server })
    }
}

/// Why there was no answer.
enum NoAnswer {
    Silence,
    Refused(String),
}

impl NoAnswer {
    fn told(self, asked: &str) -> Fault {
        match self {
            NoAnswer::Silence => {
                Fault::silence(Leg::Address, format!("nobody answered a {asked}, asked {} times", WAITS.len()))
            }
            NoAnswer::Refused(text) => Fault::new(Leg::Address, format!("the {asked} was refused: {text}")),
        }
    }
}

async fn exchange(
    post: &mut Post<'_>,
    actor: &Actor,
    mut question: Packet,
    wanted: MessageType,
    repeats: &mut u64,
) -> Result<Packet, NoAnswer> {
    for (tries, wait) in WAITS.iter().enumerate() {
        *repeats += u64::from(tries > 0);
        // Firmware counts the seconds that it has been asking for.
        question.secs = [0, 4, 12, 28].get(tries).copied().unwrap_or(60);
        let bytes = question.encode(WIRE_BYTES).unwrap_or_default();
        post.send(&bytes, actor.door).await;
        if actor.manner() == Manner::Twice {
            post.send(&bytes, actor.door).await;
        }
        let until = tokio::time::Instant::now() + *wait;
        while let Some((bytes, _)) = post.receive(until).await {
            let Ok(answer) = Packet::parse_reply(bytes) else { continue };
            let [kind] = answer.options.first(OptionCode::MessageType).unwrap_or_default();
            if answer.xid != question.xid || answer.chaddr != question.chaddr {
                continue;
            }
            match MessageType::from(kind) {
                MessageType::Nak => {
                    let text = answer.options.get(OptionCode::Message).unwrap_or(b"no reason was given");
                    return Err(NoAnswer::Refused(String::from_utf8_lossy(text).into_owned()));
                }
                kind if kind == wanted => return Ok(answer),
                _ => {}
            }
        }
    }
    Err(NoAnswer::Silence)
}

fn packet(actor: &Actor, voice: Voice, xid: u32, offer: Option<&Packet>) -> Packet {
    let mut chaddr = [0; 16];
    chaddr.iter_mut().zip(actor.mac.0).for_each(|(to, from)| *to = from);
    let mut options = Options::default();
    let kind = if offer.is_some() { MessageType::Request } else { MessageType::Discover };
    options.set(OptionCode::MessageType, [u8::from(kind)]);
    if let Some(offer) = offer {
        options.set(OptionCode::RequestedIpAddress, offer.yiaddr.octets());
        options.set(OptionCode::ServerIdentifier, offer.options.get(OptionCode::ServerIdentifier).unwrap_or_default());
    }
    match voice {
        Voice::System => system(&mut options, actor),
        Voice::Rom | Voice::Ipxe => firmware(&mut options, actor, voice),
    }
    Packet {
        op: REQUEST,
        htype: 1,
        hlen: 6,
        hops: u8::from(actor.relay.is_some()),
        xid,
        secs: 0,
        flags: if voice == Voice::Rom && actor.part.firmware.is_uefi() { BROADCAST } else { 0 },
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: actor.relay.unwrap_or(Ipv4Addr::UNSPECIFIED),
        chaddr,
        sname: [0; 64],
        file: [0; 128],
        options,
    }
}

fn firmware(options: &mut Options, actor: &Actor, voice: Voice) {
    let firmware = actor.part.firmware;
    options.set(OptionCode::MaxMessageSize, 1472u16.to_be_bytes());
    options.set(OptionCode::ParameterRequestList, WISHES);
    options.set(OptionCode::ClassIdentifier, firmware.vendor());
    options.set(OptionCode::ClientSystemArchitecture, firmware.arch().0.to_be_bytes());
    options.set(OptionCode::ClientNetworkInterface, if firmware.is_uefi() { [1, 3, 16] } else { [1, 2, 1] });
    options.set(OptionCode::ClientMachineIdentifier, [&[0][..], &actor.uuid].concat());
    if voice == Voice::Ipxe || firmware == Firmware::Ipxe {
        options.set(OptionCode::UserClass, b"iPXE");
        options.set(175u8, FEATURES);
        options.set(OptionCode::ClientIdentifier, [&[1][..], &actor.mac.0].concat());
    }
}

/// The identifier of an installed system differs from the firmware's: its address must not.
fn system(options: &mut Options, actor: &Actor) {
    options.set(OptionCode::ClientIdentifier, [&[255, 0, 0, 0, 1, 0, 4][..], &actor.uuid].concat());
    options.set(OptionCode::ParameterRequestList, [1, 3, 6, 12, 15, 26, 28, 42, 51, 54, 58, 59, 119, 121]);
}

fn file(ack: &Packet) -> String {
    let option = ack.options.get(OptionCode::BootfileName).unwrap_or_default();
    let bytes = if ack.file.first() == Some(&0) { option } else { &ack.file };
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}
