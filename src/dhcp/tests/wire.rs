//! Our replies through somebody else's eyes: dhcproto's decoder.

use super::*;
use crate::boot::loader::First;
use crate::boot::offer::OfferReply;
use crate::dhcp::reply::reply;
use dhcproto::v4::{DhcpOption, HType, Message, Opcode};
use dhcproto::{Decodable, Decoder};

fn seen(request: &Packet, decided: OfferReply) -> Message {
    let out = reply(request, &decided, &[&network()], HERE).unwrap();
    Message::decode(&mut Decoder::new(&out.bytes)).unwrap()
}

fn offer() -> OfferReply {
    OfferReply::Offer(granted(First::Tftp("snponly.efi".into())))
}

#[test]
fn dhcproto_reads_the_header_that_we_write() {
    let request = captured("ovmf-pxe-discover");
    let message = seen(&request, offer());
    assert_eq!((message.opcode(), message.htype(), message.hlen()), (Opcode::BootReply, HType::Eth, 6));
    assert_eq!((message.xid(), message.flags().broadcast()), (request.xid, true));
    assert_eq!((message.yiaddr(), message.siaddr()), (IP, HERE.ip));
    assert_eq!(message.chaddr(), &request.chaddr[..6]);
    assert_eq!(message.fname_str().unwrap().unwrap().trim_end_matches('\0'), "snponly.efi");
}

#[test]
fn dhcproto_reads_the_options_that_we_write() {
    let message = seen(&captured("ovmf-pxe-discover"), offer());
    let expected = [
        DhcpOption::MessageType(MessageType::Offer),
        DhcpOption::ServerIdentifier(HERE.ip),
        DhcpOption::AddressLeaseTime(3600),
        DhcpOption::Renewal(1800),
        DhcpOption::Rebinding(3150),
        DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)),
        DhcpOption::Router(vec![Ipv4Addr::new(10, 9, 0, 1)]),
        DhcpOption::DomainNameServer(vec![HERE.ip, OTHER]),
        DhcpOption::DomainName("lab.example".into()),
        DhcpOption::BroadcastAddr(Ipv4Addr::new(10, 9, 0, 255)),
        DhcpOption::ClassIdentifier(b"PXEClient".to_vec()),
        DhcpOption::VendorExtensions(vec![6, 1, 8, 255]),
        DhcpOption::TFTPServerName(b"10.9.0.2\0".to_vec()),
        DhcpOption::BootfileName(b"snponly.efi\0".to_vec()),
    ];
    for option in &expected {
        assert_eq!(message.opts().get(dhcproto::v4::OptionCode::from(option)), Some(option));
    }
    let with_echo = expected.len() + 1;
    assert_eq!(message.opts().iter().count(), with_echo, "{:?}", message.opts());
}
