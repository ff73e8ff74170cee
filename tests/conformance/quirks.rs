//! What firmware, relays and switches do against the texts, by its number in `docs/quirks.md`, and what we do then.

use super::script::play;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn quirk_01_one_card_has_one_address_whatever_identifier_it_sends() {
    play(
        "> discover 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7 97=0x00*17
        < offer yiaddr=10.9.0.15
        > request 54=10.9.0.2 50=10.9.0.15 77=iPXE 61=0x01525400000001
        < ack yiaddr=10.9.0.15
        > discover 61=0xff00000001000200000000525400000001
        < offer yiaddr=10.9.0.15
        > request 54=10.9.0.2 50=10.9.0.15 61=0xffcafe0001
        < ack yiaddr=10.9.0.15
        = lease 10.9.0.15 of=01
        = lease 10.9.0.16 none",
    );
}

#[test]
fn quirk_02_what_was_offered_to_one_is_offered_to_nobody_else() {
    play(
        "> discover mac=01
        < offer yiaddr=10.9.0.15
        > discover mac=02
        < offer yiaddr=10.9.0.16
        > request mac=02 54=10.9.0.2 50=10.9.0.16
        < ack
        > request mac=01 54=10.9.0.2 50=10.9.0.15
        < ack yiaddr=10.9.0.15",
    );
}

#[test]
fn quirk_03_a_storm_of_restarts_takes_one_address_for_each_card() {
    let storm: String =
        (0..200).map(|n| format!("> discover xid={n} 61=0x{n:08x}\n< offer yiaddr=10.9.0.15\n")).collect();
    play(&format!(
        "network lab pool=10.9.0.15-10.9.0.16
        {storm}
        > discover mac=02
        < offer yiaddr=10.9.0.16"
    ));
    // Who does not come back gives its address away at last.
    play(
        "network lab pool=10.9.0.15-10.9.0.15
        > request mac=01 54=10.9.0.2 50=10.9.0.15
        < ack
        wait 3601
        > discover mac=02
        < offer yiaddr=10.9.0.15",
    );
}

#[test]
fn quirk_04_a_raspberry_pi_keeps_an_offer_that_it_never_asks_for() {
    play(
        "network lab pool=10.9.0.15-10.9.0.16
        machine pi b8:27:eb:00:00:01
        machine pc 01
        > discover mac=b8:27:eb:00:00:01 93=0
        < offer yiaddr=10.9.0.15
        > discover mac=01
        < offer yiaddr=10.9.0.16
        wait 600
        > discover mac=02
        < offer yiaddr=10.9.0.16
        > discover mac=03
        < nothing silence
        wait 3001
        > discover mac=03
        < offer",
    );
}

#[test]
fn a_raspberry_pi_that_says_it_is_a_bios_is_given_no_file_of_a_bios() {
    play(
        "profile base
        machine pi b8:27:eb:00:00:01 state=armed profile=base
        > discover mac=b8:27:eb:00:00:01 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0
        < nothing silence
        = told refused \"no boot loader for boot ROM, Raspberry Pi\"",
    );
}

#[test]
fn quirk_44_uefi_http_boot_is_told_no_name_server() {
    play(
        "network lab cidr=10.9.0.0/24 dns=10.9.0.3 pool=10.9.0.15-10.9.0.24
        profile base
        machine web 01 state=armed profile=base
        > discover 60=\"HTTPClient:Arch:00016:UNDI:003001\" 93=16
        < offer 60=HTTPClient no=6
        > discover 60=\"PXEClient:Arch:00007:UNDI:003001\" 93=7
        < offer 6=10.9.0.3",
    );
}

#[test]
fn quirk_05_a_rom_that_is_named_a_file_is_told_to_ask_nobody_else() {
    play(
        "profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < offer 60=PXEClient 43=0x060108ff
        > request 54=10.9.0.2 50=10.9.0.15 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < ack 60=PXEClient 43=0x060108ff
        network lab placement=proxy
        > request port=4011 ciaddr=10.9.0.77 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < ack file=snponly.efi 43=0x060108ff to=sender",
    );
}

#[test]
fn quirk_06_the_ack_names_the_boot_file_as_the_offer_does() {
    play(
        "profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < offer file=snponly.efi 67=\"snponly.efi\\0\" 66=\"10.9.0.2\\0\" siaddr=10.9.0.2
        > request 54=10.9.0.2 50=10.9.0.15 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < ack file=snponly.efi 67=\"snponly.efi\\0\" 66=\"10.9.0.2\\0\" siaddr=10.9.0.2",
    );
}

#[test]
fn quirk_07_the_names_in_options_end_in_a_nul() {
    play(
        "profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0
        < offer 66=\"10.9.0.2\\0\" 67=\"undionly.kpxe\\0\"
        > discover 60=\"HTTPClient:Arch:00016:UNDI:003000\" 93=16
        < offer 67=\"http://10.9.0.2/loader/snponly.efi\\0\"",
    );
}

#[test]
fn quirk_08_server_and_file_stand_in_the_header_too_which_is_never_overloaded() {
    play(
        "network lab option.224=0xaa*200 option.225=0xbb*200
        profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < offer siaddr=10.9.0.2 sname=10.9.0.2 file=snponly.efi has=66,67 no=52",
    );
}

#[test]
fn quirk_09_beside_another_server_an_offer_has_all_that_a_rom_looks_at_and_no_address() {
    play(
        "network lab placement=proxy
        profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0
        < offer yiaddr=0.0.0.0 siaddr=10.9.0.2 sname=10.9.0.2 file=undionly.kpxe 54=10.9.0.2 60=PXEClient has=43,66,67 no=51,1,3",
    );
}

#[test]
fn quirk_13_the_first_packets_may_be_lost_and_a_late_one_is_answered_the_same() {
    play(
        "> discover secs=28 xid=4
        < offer yiaddr=10.9.0.15
        > discover secs=60 xid=5
        < offer yiaddr=10.9.0.15
        > request secs=64 xid=5 54=10.9.0.2 50=10.9.0.15
        < ack yiaddr=10.9.0.15",
    );
}

#[test]
fn quirk_16_urls_hold_an_address_so_that_no_name_server_is_needed() {
    play(
        "network lab dns=
        profile base
        machine web 01 state=armed profile=base
        > discover 60=\"HTTPClient:Arch:00016:UNDI:003000\" 93=16
        < offer no=6 67=\"http://10.9.0.2/loader/snponly.efi\\0\" 60=HTTPClient",
    );
}

#[test]
fn quirk_20_a_uuid_is_kept_in_the_order_of_the_wire() {
    play(
        "network lab unknown=ignore
        > captured ovmf-pxe-discover
        = seen 52:54:00:12:34:56 uuid=33221100554477668899aabbccddeeff",
    );
}

#[test]
fn quirk_21_a_uuid_that_many_share_is_no_key() {
    play(
        "> discover mac=01 97=0x00+0x00*16
        < offer yiaddr=10.9.0.15 same=97
        > discover mac=02 97=0x00+0x00*16
        < offer yiaddr=10.9.0.16 same=97
        > discover mac=03 97=0x00+0xff*16
        < offer yiaddr=10.9.0.17
        > discover mac=04 97=0x00+0xff*16
        < offer yiaddr=10.9.0.18",
    );
}

#[test]
fn quirk_22_no_uuid_is_no_harm() {
    play(
        "profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0
        < offer no=97 file=undionly.kpxe
        > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0 97=0x
        < offer file=undionly.kpxe",
    );
}

#[test]
fn quirk_24_infiniband_is_told_apart_by_its_identifier_and_answered_by_broadcast() {
    play(
        "> discover htype=32 hlen=0 chaddr=0x00 61=0xff01
        < offer yiaddr=10.9.0.15 to=broadcast same=61
        > discover htype=32 hlen=0 chaddr=0x00 61=0xff02
        < offer yiaddr=10.9.0.16 to=broadcast
        > discover htype=32 hlen=20 chaddr=0x80000208fe80000000000000 61=0xff03
        < offer yiaddr=10.9.0.17 to=broadcast
        > discover htype=32 hlen=8 chaddr=0x0002c90300001234 61=0xff04
        < offer yiaddr=10.9.0.18 to=broadcast",
    );
}

#[test]
fn quirk_25_a_relay_is_answered_at_its_address_and_port() {
    play(
        "network lab relays=10.9.0.254
        > discover giaddr=10.9.0.254
        < offer to=relay:10.9.0.254
        > discover giaddr=10.9.0.254 82.19=0x0000
        < offer to=relay:10.9.0.254:its-own-port",
    );
}

#[test]
fn quirk_26_option_82_comes_back_byte_for_byte_and_last() {
    play(
        "network lab relays=10.9.0.254
        > discover giaddr=10.9.0.254 82=0x0204+0x00ff0082+0x0104+\"eth1\"+0x9700
        < offer same=82 order=53,54,51,58,59,1,3,6,15,28,82
        > request giaddr=10.9.0.254 54=10.9.0.2 50=10.9.0.15 82=0x01fa+0xcc*250+0x02c8+0xdd*200
        < ack same=82",
    );
}

#[test]
fn quirk_27_short_answers_are_padded_to_300_bytes() {
    play(
        "network lab dns= domain=
        > discover
        < offer len=300
        > request 50=192.168.1.1
        < nak len=300
        > inform ciaddr=10.9.0.77
        < ack len=300",
    );
}

#[test]
fn quirk_28_ipxe_is_known_by_its_raw_class_and_by_the_list() {
    for class in ["77=\"iPXE\"", "77=0x04+\"iPXE\"", "77=0x03+\"lab\"+0x04+\"iPXE\""] {
        play(&format!(
            "profile base
            machine web 01 state=armed profile=base
            > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0 {class}
            < offer 67=\"http://10.9.0.2/boot/52-54-00-00-00-01/script.ipxe\\0\""
        ));
    }
}

#[test]
fn quirk_29_architectures_7_and_9_are_the_same() {
    for arch in ["7", "9"] {
        play(&format!(
            "profile base
            machine web 01 state=armed profile=base
            > discover 60=\"PXEClient:Arch:0000{arch}:UNDI:003000\" 93={arch}
            < offer file=snponly.efi"
        ));
    }
}

#[test]
fn quirk_30_who_is_not_known_is_refused_only_where_the_network_is_ours_alone() {
    play(
        "> request 50=10.9.0.15
        < nothing silence
        > request 54=10.9.0.99 50=10.9.0.15
        < nothing silence
        network lab authoritative
        > request 50=10.9.0.15
        < nak
        > request 54=10.9.0.99 50=10.9.0.15
        < nothing silence",
    );
}

#[test]
fn quirk_31_an_offer_to_firmware_carries_option_60() {
    play(
        "profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7 55=1,3
        < offer 60=PXEClient
        > discover 60=\"HTTPClient:Arch:00016:UNDI:003000\" 93=16 55=1,3
        < offer 60=HTTPClient",
    );
}

#[test]
fn quirk_32_broken_names_of_printers_and_bmcs_are_no_reason_for_silence() {
    play(
        "> request 54=10.9.0.2 50=10.9.0.15 12=0xff2e2e00 81=0x00 raw=0x51ff0102 no-end
        < ack yiaddr=10.9.0.15
        > discover mac=02 81=0xffffff+\"a.b.c.\"+0x00 12=\"name with spaces\"
        < offer yiaddr=10.9.0.16",
    );
}

#[test]
fn quirk_33_no_offer_waits_for_a_probe() {
    // Probes are on, nothing is in stock, and the clock stands still: the answer is there all the same.
    play(
        "> discover mac=01
        < offer yiaddr=10.9.0.15
        > discover mac=02
        < offer yiaddr=10.9.0.16",
    );
}

#[test]
fn quirk_34_a_size_that_no_frame_has_is_cut_to_a_frame() {
    play(
        "network lab option.224=0xaa*700 option.225=0xbb*700
        > captured ovmf-pxe-request without=55
        < ack has=224 no=225
        > discover 57=65280
        < offer has=224 no=225",
    );
}

#[test]
fn quirk_35_rubbish_in_the_parameter_list_is_read_over() {
    play(
        "> captured ovmf-http-discover
        < offer has=1,3,15
        > discover 55=1,3,6,235,0,255,235
        < offer order=53,54,51,58,59,1,3,6,28",
    );
}

#[test]
fn quirk_38_a_bmc_and_a_host_on_one_port_are_two_clients_with_their_own_options() {
    play(
        "class bmc vendor=\"HPE-ILO\" option.224=0x01
        > discover mac=0a 60=\"HPE-ILO\"
        < offer yiaddr=10.9.0.15 224=0x01
        > discover mac=0b 60=\"PXEClient:Arch:00007:UNDI:003000\" 93=7
        < offer yiaddr=10.9.0.16 no=224",
    );
}

#[test]
fn quirk_40_servers_are_named_by_their_addresses() {
    play(
        "profile base
        machine web 01 state=armed profile=base
        > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0
        < offer sname=10.9.0.2 66=\"10.9.0.2\\0\"
        > discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0 77=iPXE
        < offer sname=10.9.0.2 67=\"http://10.9.0.2/boot/52-54-00-00-00-01/script.ipxe\\0\"",
    );
}

#[test]
fn quirk_41_ipxe_is_told_not_to_wait_for_a_proxy() {
    play(
        "> discover 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0 77=iPXE 55=1,3
        < offer 175=0xb00101
        > request 54=10.9.0.2 50=10.9.0.15 60=\"PXEClient:Arch:00000:UNDI:002001\" 93=0 77=iPXE
        < ack 175=0xb00101",
    );
}

#[test]
fn quirk_42_the_timers_of_a_lease_stand_in_the_offer() {
    play(
        "> discover 55=1,3
        < offer 51=3600 58=1800 59=3150",
    );
}

const ROWS: u32 = 45;

/// Each row of the page once; a test that a row names is here, and each test here is named by a row.
#[test]
fn the_page_and_these_tests_name_each_other() {
    let root = env!("CARGO_MANIFEST_DIR");
    let page = fs::read_to_string(format!("{root}/docs/quirks.md")).unwrap();
    let here = fs::read_to_string(format!("{root}/tests/conformance/quirks.rs")).unwrap();
    let is_row = |line: &&str| line.starts_with("| ") && line[2..].starts_with(char::is_numeric);
    let rows: Vec<Vec<&str>> =
        page.lines().filter(is_row).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
    let numbers: Vec<u32> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=ROWS).collect::<Vec<_>>(), "each row once, in order");
    let tests: BTreeSet<&str> =
        here.lines().filter_map(|line| line.strip_prefix("fn quirk_")?.split('(').next()).collect();
    let mut named = BTreeSet::new();
    for row in &rows {
        let [number, _, _, shown, _] = row[..] else { panic!("row {} has {} columns", row[0], row.len()) };
        let claims: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!claims.is_empty() || shown == "not yet" || shown == "operators", "row {number}: {shown}");
        for claim in claims {
            match claim.strip_prefix("quirk_") {
                Some(test) => {
                    assert!(test.starts_with(&format!("{number:0>2}_")), "row {number} names {claim}");
                    assert!(tests.contains(test), "row {number}: there is no test {claim}");
                    named.insert(test);
                }
                None => assert!(fs::exists(format!("{root}/{claim}")).unwrap(), "row {number}: {claim} is not there"),
            }
        }
    }
    assert_eq!(named, tests, "every test has its row");
}
