//! Questions as bytes, written by hand, and answers read byte by byte: no code of the server's own.

use std::net::Ipv4Addr;

pub const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A packet before it is bytes: whatever a client could send, sane or not.
#[derive(Debug, Clone)]
pub struct Question {
    pub op: u8,
    pub htype: u8,
    pub hlen: u8,
    pub hops: u8,
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    /// ciaddr, yiaddr, siaddr, giaddr.
    pub addresses: [Ipv4Addr; 4],
    pub chaddr: [u8; 16],
    pub sname: Vec<u8>,
    pub file: Vec<u8>,
    pub cookie: [u8; 4],
    /// In this order, each as it is: also twice, also empty.
    pub options: Vec<(u8, Vec<u8>)>,
    /// Behind the options and before END.
    pub raw: Vec<u8>,
    pub end: bool,
    pub length: usize,
}

impl Default for Question {
    fn default() -> Self {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&[0x52, 0x54, 0, 0, 0, 1]);
        Question {
            op: 1,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid: 0x0bad_cafe,
            secs: 0,
            flags: 0,
            addresses: [Ipv4Addr::UNSPECIFIED; 4],
            chaddr,
            sname: Vec::new(),
            file: Vec::new(),
            cookie: COOKIE,
            options: Vec::new(),
            raw: Vec::new(),
            end: true,
            length: 0,
        }
    }
}

impl Question {
    /// A packet of tests/packets/, to be changed.
    pub fn captured(name: &str) -> Question {
        let bytes = captured(name);
        let ip = |at: usize| <[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap().into();
        let two = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let mut question = Question {
            htype: bytes[1],
            hlen: bytes[2],
            xid: u32::from_be_bytes(bytes[4..8].try_into().unwrap()),
            secs: two(8),
            flags: two(10),
            addresses: [ip(12), ip(16), ip(20), ip(24)],
            chaddr: bytes[28..44].try_into().unwrap(),
            length: bytes.len(),
            ..Question::default()
        };
        let mut rest = &bytes[240..];
        while let [code @ 1..=254, len, tail @ ..] = rest {
            question.options.push((*code, tail[..usize::from(*len)].to_vec()));
            rest = &tail[usize::from(*len)..];
        }
        question
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![self.op, self.htype, self.hlen, self.hops];
        out.extend(self.xid.to_be_bytes());
        out.extend(self.secs.to_be_bytes());
        out.extend(self.flags.to_be_bytes());
        self.addresses.iter().for_each(|ip| out.extend(ip.octets()));
        out.extend(self.chaddr);
        out.extend(field::<64>(&self.sname));
        out.extend(field::<128>(&self.file));
        out.extend(self.cookie);
        self.options.iter().for_each(|(code, value)| out.extend(tlv(*code, value)));
        out.extend(&self.raw);
        out.extend(self.end.then_some(255));
        out.resize(out.len().max(self.length), 0);
        out
    }
}

fn field<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out[..text.len()].copy_from_slice(text);
    out
}

/// The bytes of a packet of tests/packets/.
pub fn captured(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/packets/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// One option; more than 255 bytes in several parts.
pub fn tlv(code: u8, value: &[u8]) -> Vec<u8> {
    let part = |part: &[u8]| [&[code, u8::try_from(part.len()).unwrap()], part].concat();
    if value.is_empty() { vec![code, 0] } else { value.chunks(255).flat_map(part).collect() }
}

/// An answer, as it stands on the wire.
#[derive(Debug, Clone)]
pub struct Answer {
    pub bytes: Vec<u8>,
    /// In the order of the wire, parts apart.
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Answer {
    pub fn read(bytes: &[u8]) -> Result<Answer, String> {
        let mut rest = bytes.get(240..).ok_or("shorter than a header")?;
        let mut options = Vec::new();
        loop {
            match rest {
                [255, pads @ ..] if pads.iter().all(|b| *b == 0) => break,
                [255, ..] => return Err("something follows END".into()),
                [code, len, tail @ ..] if tail.len() >= usize::from(*len) => {
                    options.push((*code, tail[..usize::from(*len)].to_vec()));
                    rest = &tail[usize::from(*len)..];
                }
                _ => return Err("an option is cut off".into()),
            }
        }
        Ok(Answer { bytes: bytes.to_vec(), options })
    }

    pub fn ip(&self, at: usize) -> Ipv4Addr {
        <[u8; 4]>::try_from(&self.bytes[at..at + 4]).unwrap().into()
    }

    pub fn text(&self, from: usize, to: usize) -> String {
        let field = &self.bytes[from..to];
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    }

    /// The parts of an option together.
    pub fn option(&self, code: u8) -> Option<Vec<u8>> {
        let parts: Vec<_> = self.options.iter().filter(|(c, _)| *c == code).map(|(_, part)| part.clone()).collect();
        (!parts.is_empty()).then(|| parts.concat())
    }

    /// Each code once, in the order of the wire.
    pub fn order(&self) -> Vec<u8> {
        let mut codes: Vec<u8> = self.options.iter().map(|(code, _)| *code).collect();
        codes.dedup();
        codes
    }
}

/// The option of a question, its parts together, read from its bytes without the server's code.
pub fn asked(question: &[u8], code: u8) -> Option<Vec<u8>> {
    let overload = within(&question[240..], 52).last().and_then(|value| value.first().copied()).unwrap_or(0);
    let fields = [(4, &question[240..]), (1, &question[108..236]), (2, &question[44..108])];
    let read = fields.iter().filter(|(bit, _)| (overload | 4) & bit != 0);
    let parts: Vec<_> = read.flat_map(|(_, field)| within(field, code)).collect();
    (!parts.is_empty()).then(|| parts.concat())
}

fn within(mut rest: &[u8], wanted: u8) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let [code, tail @ ..] = rest {
        match (*code, tail) {
            (0, _) => rest = tail,
            (1..=254, [len, tail @ ..]) if tail.len() >= usize::from(*len) => {
                let (value, tail) = tail.split_at(usize::from(*len));
                found.extend((*code == wanted).then_some(value));
                rest = tail;
            }
            _ => break,
        }
    }
    found
}

/// What every answer keeps, whatever was asked.
pub fn keeps_its_promises(question: &[u8], answer: &Answer) -> Result<(), String> {
    use dhcproto::{Decodable, Decoder, v4::Message};
    let Answer { bytes, .. } = answer;
    Message::decode(&mut Decoder::new(bytes)).map_err(|error| format!("another decoder can not read it: {error}"))?;
    let kind = answer.option(53);
    let nak = kind.as_deref() == Some(&[6]);
    let relayed = question[24..28] != [0; 4];
    let flags = if nak && relayed { [question[10] | 0x80, question[11]] } else { [question[10], question[11]] };
    let order = answer.order();
    let most = asked(question, 57).filter(|b| b.len() >= 2).map_or(576, |b| u16::from_be_bytes([b[0], b[1]]));
    let relay_bytes = asked(question, 82).map_or(0, |value| tlv(82, &value).len());
    let id = asked(question, 61);
    // What is echoed may leave no room for what is needed less.
    let cramped = [61, 97].iter().any(|code| asked(question, *code).is_some_and(|echo| echo.len() > 100));
    let once: std::collections::BTreeSet<_> = order.iter().collect();
    let place = |code: u8| order.iter().position(|c| *c == code);
    let rules = [
        ("op is 2", bytes[0] == 2),
        ("htype and hlen are the client's", bytes[1..3] == question[1..3]),
        ("hops is 0", bytes[3] == 0),
        ("xid is the client's", bytes[4..8] == question[4..8]),
        ("secs is 0", bytes[8..10] == [0, 0]),
        ("flags are the client's", bytes[10..12] == flags),
        ("giaddr is the relay's", bytes[24..28] == question[24..28]),
        ("chaddr is the client's", bytes[28..44] == question[28..44]),
        ("the cookie is there", bytes[236..240] == COOKIE),
        ("53 and 54 come first", order.starts_with(&[53, 54])),
        ("it is an OFFER, an ACK or a NAK", matches!(kind.as_deref(), Some([2 | 5 | 6]))),
        ("each option stands in one place", once.len() == order.len()),
        ("sname and file carry no options", place(52).is_none()),
        ("300 bytes or more", bytes.len() >= 300),
        (
            "no more than the client and a frame take",
            bytes.len() <= 1472.min(usize::from(most.max(576)) - 28 + relay_bytes),
        ),
        ("option 82 comes back as it was", answer.option(82) == asked(question, 82)),
        ("option 82 is last", place(82).is_none_or(|at| at + 1 == order.len())),
        ("option 61 comes back as it was", answer.option(61) == id || (place(61).is_none() && cramped)),
        ("the mask comes before the routers", place(3).is_none_or(|at| place(1).is_some_and(|mask| mask < at))),
        (
            "a lease has both its timers",
            place(58).is_some() == place(59).is_some() && (place(51).is_some() == place(58).is_some() || cramped),
        ),
        ("a NAK gives nothing", !nak || order.iter().all(|code| matches!(code, 53 | 54 | 56 | 61 | 82))),
        ("a NAK names no address", !nak || (bytes[12..24] == [0; 12] && bytes[44..236].iter().all(|b| *b == 0))),
    ];
    match rules.iter().find(|(_, kept)| !kept) {
        Some((rule, _)) => Err(format!("against the rule that {rule}: options {order:?}")),
        None => Ok(()),
    }
}
