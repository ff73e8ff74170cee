//! Who asks, and what.

use super::*;
use crate::boot::offer::{Message, OfferAsk};
use crate::dhcp::ask::{Ignored, ask};
use crate::model::{Arch, Client, Mac, Program};

fn client(packet: &Packet) -> Client {
    ask(packet, &to_all()).unwrap().client
}

fn message(packet: &Packet) -> Result<Message, Ignored> {
    ask(packet, &to_all()).map(|ask| ask.message)
}

#[test]
fn the_cards_own_ipxe_is_ipxe_though_it_speaks_pxe() {
    for name in ["ipxe-rom-discover", "ipxe-rom-discover-again"] {
        let mac: Mac = "52:54:00:12:34:57".parse().unwrap();
        let expected = OfferAsk {
            message: Message::Discover { wants: None },
            holder: "52:54:00:12:34:57".parse().unwrap(),
            client: Client { program: Program::Ipxe, arch: Some(Arch::BIOS) },
            vendor: "PXEClient:Arch:00000:UNDI:002001".into(),
            uuid: Some("33221100554477668899aabbccddeeff".into()),
            hostname: None,
            user_classes: vec!["iPXE".into()],
            client_id: Some([&[1], &mac.0[..]].concat().into()),
            circuit: None,
            relayed: false,
        };
        assert_eq!(ask(&captured(name), &to_all()), Ok(expected), "{name}");
    }
    let chosen = ask(&captured("ipxe-rom-request"), &to_all()).unwrap();
    assert_eq!(chosen.message, Message::Select { server: HERE.ip, ip: IP });
    assert_eq!(chosen.client.program, Program::Ipxe);
}

#[test]
fn ovmf_by_pxe_is_a_rom() {
    let asked = ask(&captured("ovmf-pxe-discover"), &to_all()).unwrap();
    assert_eq!(asked.client, Client { program: Program::Rom, arch: Some(Arch::X64_UEFI) });
    assert_eq!(asked.holder.to_string(), "52:54:00:12:34:56");
    assert_eq!(asked.vendor, "PXEClient:Arch:00007:UNDI:003000");
    assert_eq!(asked.message, Message::Discover { wants: None });
    let chosen = ask(&captured("ovmf-pxe-request"), &to_all()).unwrap();
    assert_eq!(chosen.message, Message::Select { server: HERE.ip, ip: IP });
    assert_eq!(chosen.client, asked.client);
}

#[test]
fn ovmf_by_http_wants_a_url() {
    for again in ["", "-again-4s", "-again-12s", "-again-28s"] {
        let asked = ask(&captured(&format!("ovmf-http-discover{again}")), &to_all()).unwrap();
        assert_eq!(asked.client, Client { program: Program::Http, arch: Some(Arch::X64_UEFI_HTTP) });
        assert_eq!(asked.vendor, "HTTPClient:Arch:00016:UNDI:003000");
        assert_eq!(asked.uuid.as_deref(), Some("33221100554477668899aabbccddeeff"));
    }
}

#[test]
fn ipxe_is_known_by_its_class_in_either_form_or_by_its_features() {
    let rom = || captured("ovmf-pxe-discover");
    let program = |code: OptionCode, value: &[u8]| client(&rom().with(code, value)).program;
    let own = OptionCode::from(175);
    assert_eq!(program(OptionCode::UserClass, b"iPXE"), Program::Ipxe);
    assert_eq!(program(OptionCode::UserClass, b"\x04iPXE"), Program::Ipxe);
    assert_eq!(program(OptionCode::UserClass, b"\x03abc\x04iPXE"), Program::Ipxe);
    assert_eq!(program(OptionCode::UserClass, b"\x04iPXE\x09abc"), Program::Rom);
    assert_eq!(program(OptionCode::UserClass, b"linux"), Program::Rom);
    assert_eq!(program(own, &[0x13, 1, 1, 0x24, 1, 1]), Program::Ipxe);
    assert_eq!(program(own, &[0xeb, 3, 1, 0, 0]), Program::Rom);
    assert_eq!(program(own, &[]), Program::Rom);
}

#[test]
fn an_ipxe_without_http_is_no_better_than_a_rom() {
    let mut rom = captured("ipxe-rom-discover").with(OptionCode::from(175), [0x15, 1, 1, 0x21, 1, 1]);
    assert_eq!(client(&rom), Client { program: Program::Rom, arch: Some(Arch::BIOS) });
    rom.options.set(175u8, [0x15, 1, 1, 0x13, 1, 1]);
    assert_eq!(client(&rom).program, Program::Ipxe);
}

#[test]
fn whoever_does_not_speak_pxe_is_an_operating_system() {
    let linux = system(MessageType::Discover).with(OptionCode::ClassIdentifier, b"dhcpcd-9.4.1:Linux");
    assert_eq!(client(&linux), Client { program: Program::System, arch: None });
    assert_eq!(client(&system(MessageType::Discover)).program, Program::System);
}

#[test]
fn the_first_known_architecture_speaks_then_the_vendor_class() {
    let arch = |list: &[u8], vendor: &str| {
        let packet = system(MessageType::Discover)
            .with(OptionCode::ClientSystemArchitecture, list)
            .with(OptionCode::ClassIdentifier, vendor);
        client(&packet).arch
    };
    assert_eq!(arch(&[0, 7], "PXEClient"), Some(Arch(7)));
    assert_eq!(arch(&[0xff, 0, 0, 9, 0, 0], "PXEClient"), Some(Arch(9)));
    assert_eq!(arch(&[], "PXEClient:Arch:00007:UNDI:003000"), Some(Arch(7)));
    assert_eq!(arch(&[7], "HTTPClient:Arch:00016"), Some(Arch(16)));
    assert_eq!(arch(&[0xff, 0], "PXEClient:Arch:00011:UNDI:003000"), Some(Arch(11)));
    assert_eq!(arch(&[0xff, 0], "PXEClient"), Some(Arch(0xff00)));
    assert_eq!(arch(&[], "PXEClient:Arch:99999"), None);
    assert_eq!(arch(&[], "PXEClient:Arch"), None);
}

#[test]
fn seven_and_nine_are_the_same_machine() {
    let nine = captured("ovmf-pxe-discover").with(OptionCode::ClientSystemArchitecture, [0, 9]);
    let (seven, nine) = (client(&captured("ovmf-pxe-discover")), client(&nine));
    assert!(nine.arch.is_some_and(Arch::is_x64_uefi));
    assert_eq!(seven.to_string(), nine.to_string());
}

#[test]
fn a_request_is_told_apart_by_what_it_carries() {
    let request = || system(MessageType::Request);
    let (server, wish) = (OptionCode::ServerIdentifier, OptionCode::RequestedIpAddress);
    let cases = [
        (request().with(server, OTHER.octets()).with(wish, IP.octets()), Message::Select { server: OTHER, ip: IP }),
        (request().with(wish, IP.octets()), Message::Reboot { ip: IP }),
        (request().using(IP), Message::Rebind { ip: IP }),
        (request().using(IP).with(wish, OTHER.octets()), Message::Rebind { ip: IP }),
        (request().using(IP).with(server, HERE.ip.octets()), Message::Rebind { ip: IP }),
        (request().with(server, [0; 4]).with(wish, IP.octets()), Message::Reboot { ip: IP }),
        (request().with(wish, [IP.octets(), IP.octets()].concat()), Message::Reboot { ip: IP }),
    ];
    for (packet, expected) in cases {
        assert_eq!(message(&packet), Ok(expected), "{:?}", packet.options);
    }
    for packet in [request(), request().with(server, HERE.ip.octets()), request().with(wish, [0; 4])] {
        assert_eq!(message(&packet), Err(Ignored::NoAddress("REQUEST")));
    }
}

#[test]
fn renewing_is_sent_to_us_and_rebinding_to_all_or_through_a_relay() {
    let request = system(MessageType::Request).using(IP);
    assert_eq!(ask(&request, &to_us()).unwrap().message, Message::Renew { ip: IP });
    assert_eq!(ask(&request, &to_all()).unwrap().message, Message::Rebind { ip: IP });
    assert_eq!(ask(&request.through(RELAY), &to_us()).unwrap().message, Message::Rebind { ip: IP });
}

#[test]
fn the_other_messages() {
    let wish = OptionCode::RequestedIpAddress;
    let discover = system(MessageType::Discover).with(wish, IP.octets());
    assert_eq!(message(&discover), Ok(Message::Discover { wants: Some(IP) }));
    let decline = system(MessageType::Decline).with(wish, IP.octets());
    assert_eq!(message(&decline), Ok(Message::Decline { ip: IP }));
    let release = system(MessageType::Release).using(IP).with(OptionCode::ServerIdentifier, HERE.ip.octets());
    assert_eq!(message(&release), Ok(Message::Release { ip: IP }));
    assert_eq!(message(&system(MessageType::Inform).using(IP)), Ok(Message::Inform { ip: IP }));
    for (kind, word) in
        [(MessageType::Decline, "DECLINE"), (MessageType::Release, "RELEASE"), (MessageType::Inform, "INFORM")]
    {
        assert_eq!(message(&system(kind)), Err(Ignored::NoAddress(word)));
    }
}

#[test]
fn what_is_meant_for_another_server_is_left_to_it() {
    let other = |kind| {
        system(kind)
            .using(IP)
            .with(OptionCode::RequestedIpAddress, IP.octets())
            .with(OptionCode::ServerIdentifier, OTHER.octets())
    };
    assert_eq!(message(&other(MessageType::Decline)), Err(Ignored::OtherServer(OTHER)));
    assert_eq!(message(&other(MessageType::Release)), Err(Ignored::OtherServer(OTHER)));
    // This one is a question: the address that was kept for the client is free again.
    assert_eq!(message(&other(MessageType::Request)), Ok(Message::Select { server: OTHER, ip: IP }));
}

#[test]
fn bootp_servers_and_unknown_messages_are_ignored() {
    let mut bootp = system(MessageType::Discover);
    bootp.options = Options::default();
    assert_eq!(message(&bootp), Err(Ignored::Bootp));
    assert_eq!(message(&bootp.with(OptionCode::MessageType, [])), Err(Ignored::Bootp));
    for kind in [0, 2, 5, 6, 9, 10, 13, 200] {
        let packet = system(MessageType::Discover).with(OptionCode::MessageType, [kind]);
        assert_eq!(message(&packet), Err(Ignored::Message(kind)));
    }
}

#[test]
fn a_hardware_address_that_no_card_has_is_ignored() {
    let with = |hlen: u8, chaddr: [u8; 6]| {
        let mut packet = system(MessageType::Discover);
        packet.hlen = hlen;
        packet.chaddr[..6].copy_from_slice(&chaddr);
        ask(&packet, &to_all()).map(|ask| ask.holder)
    };
    assert!(with(6, [0x52, 0x54, 0, 0, 0, 1]).is_ok());
    assert_eq!(with(6, [0; 6]), Err(Ignored::HardwareAddress));
    assert_eq!(with(6, [0xff; 6]), Err(Ignored::HardwareAddress));
    assert_eq!(with(6, [0x01, 0, 0x5e, 0, 0, 1]), Err(Ignored::HardwareAddress));
    assert_eq!(with(0, [0; 6]), Err(Ignored::HardwareAddress));
    assert_eq!(with(16, [0x52, 0x54, 0, 0, 0, 1]), Err(Ignored::HardwareAddress));
}

#[test]
fn names_and_uuids_are_tamed() {
    let said = |code: OptionCode, value: &[u8]| {
        let asked = ask(&system(MessageType::Discover).with(code, value), &to_all()).unwrap();
        (asked.hostname, asked.uuid, asked.vendor)
    };
    let (host, _, _) = said(OptionCode::Hostname, b"web\xff\n01\0");
    assert_eq!(host.as_deref(), Some("web??01"));
    assert_eq!(said(OptionCode::Hostname, b"\0").0, None);
    assert_eq!(said(OptionCode::Hostname, &[b'x'; 255]).0.unwrap().len(), 63);
    assert_eq!(said(OptionCode::ClassIdentifier, &[b'x'; 255]).2.len(), 64);
    assert_eq!(said(OptionCode::ClientMachineIdentifier, &[]).1, None);
    assert_eq!(said(OptionCode::ClientMachineIdentifier, &[1, 0xab]).1.as_deref(), Some("01ab"));
    assert_eq!(said(OptionCode::ClientMachineIdentifier, &[7; 255]).1.unwrap().len(), 64);
}
