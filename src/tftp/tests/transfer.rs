//! One transfer, packet by packet and moment by moment.

use super::talk::Talk;
use super::{content, read};
use crate::tftp::packet::Packet;
use crate::tftp::transfer::Action;
use crate::tftp::{Ending, Limits};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Options as a client or the server writes them.
type Options<'a> = &'a [(&'a str, &'a str)];

fn start(size: usize, options: Options) -> (Talk, Vec<Action>, Instant) {
    let now = Instant::now();
    let (transfer, actions) = Talk::start(&read("x", options), content(size), Limits::default(), now);
    (transfer, actions, now)
}

fn data(block: u16, payload: Bytes) -> Vec<Action> {
    vec![Action::Send(Packet::Data { block, payload })]
}

fn end(ending: Ending) -> Vec<Action> {
    vec![Action::End(ending)]
}

fn option_ack(options: Options) -> Vec<Action> {
    vec![Action::Send(Packet::OptionAck(read("", options).options))]
}

/// The last block is shorter than the others, so a file of whole blocks ends with an empty one.
#[test]
fn a_file_of_any_size_ends_with_a_short_block() {
    for (size, blocks) in [(0, 1), (1, 1), (511, 1), (512, 2), (513, 2), (1024, 3), (1025, 3)] {
        let (mut transfer, mut actions, now) = start(size, &[]);
        for block in 1..=blocks {
            let from = (usize::from(block) - 1) * 512;
            assert_eq!(actions, data(block, content(size).slice(from..size.min(from + 512))), "{size} bytes");
            actions = transfer.on_packet(&Packet::Ack(block), now);
        }
        assert_eq!(actions, end(Ending::Complete), "{size} bytes");
        assert_eq!(transfer.bytes_acknowledged(), size as u64);
    }
}

#[test]
fn options_are_answered_by_this_table() {
    let table: &[(Options, Options)] = &[
        (&[("tsize", "0")], &[("tsize", "9000")]),
        (&[("TSIZE", "0")], &[("TSIZE", "9000")]),
        (&[("tsize", "77")], &[("tsize", "9000")]),
        (&[("blksize", "8")], &[("blksize", "8")]),
        (&[("blksize", "1432")], &[("blksize", "1432")]),
        (&[("blksize", "1469")], &[("blksize", "1468")]),
        (&[("blksize", "65464")], &[("blksize", "1468")]),
        (&[("blksize", "99999999999999999999")], &[("blksize", "1468")]),
        (&[("timeout", "1")], &[("timeout", "1")]),
        (&[("timeout", "255")], &[("timeout", "255")]),
        (&[("tsize", "0"), ("multicast", ""), ("blksize", "1024")], &[("tsize", "9000"), ("blksize", "1024")]),
        (&[("tsize", "0"), ("windowsize", "16")], &[("tsize", "9000"), ("windowsize", "16")]),
        (&[("windowsize", "1")], &[("windowsize", "1")]),
        (&[("windowsize", "65535")], &[("windowsize", "64")]),
        (&[("tsize", "0"), ("windowsize", "0")], &[("tsize", "9000")]),
        (&[("tsize", "0"), ("windowsize", "65536")], &[("tsize", "9000")]),
        (&[("blksize", "1024"), ("BLKSIZE", "600")], &[("blksize", "1024")]),
    ];
    for (asked, wanted) in table {
        assert_eq!(start(9000, asked).1, option_ack(wanted), "{asked:?}");
    }
}

/// Whatever the settings say.
#[test]
fn no_window_is_a_danger_to_the_numbers() {
    let limits = Limits { max_windowsize: u16::MAX, ..Limits::default() };
    let asked = read("x", &[("windowsize", "65535")]);
    let (_, actions) = Talk::start(&asked, content(9000), limits, Instant::now());
    assert_eq!(actions, option_ack(&[("windowsize", "1024")]));
}

#[test]
fn options_that_are_all_unknown_or_nonsense_are_answered_with_data() {
    let options = [("blksize", "7"), ("blksize", "0"), ("blksize", "-1"), ("blksize", "1k"), ("blksize", "")];
    let others = [("timeout", "0"), ("timeout", "256"), ("utimeout", "3"), ("windowsize", "0"), ("tsize", "+1")];
    for option in options.iter().chain(&others) {
        assert_eq!(start(600, &[*option]).1, data(1, content(600).slice(..512)), "{option:?}");
    }
}

#[test]
fn after_the_option_ack_blocks_have_the_size_agreed_on() {
    let (mut transfer, _, now) = start(2000, &[("blksize", "9000")]);
    assert_eq!(transfer.on_packet(&Packet::Ack(0), now), data(1, content(2000).slice(..1468)));
    assert_eq!(transfer.on_packet(&Packet::Ack(1), now), data(2, content(2000).slice(1468..)));
    assert_eq!(transfer.on_packet(&Packet::Ack(2), now), end(Ending::Complete));
}

#[test]
fn the_size_probe_of_uefi_ends_in_silence() {
    let (mut transfer, actions, now) = start(9000, &[("tsize", "0")]);
    assert_eq!(actions, option_ack(&[("tsize", "9000")]));
    let abort = Packet::Error { code: 8, message: "User aborted the transfer".into() };
    let wanted = Ending::AbortedByClient { code: 8, message: "User aborted the transfer".into() };
    assert_eq!(transfer.on_packet(&abort, now), end(wanted));
    assert_eq!(transfer.bytes_acknowledged(), 0);
}

#[test]
fn a_doubled_acknowledgement_is_not_answered_twice() {
    let (mut transfer, _, now) = start(5000, &[]);
    transfer.on_packet(&Packet::Ack(1), now);
    let resend_at = transfer.deadline();
    for stray in [0, 1, 1, 3, 65535] {
        assert_eq!(transfer.on_packet(&Packet::Ack(stray), now + SECOND / 2), vec![], "ACK {stray}");
    }
    assert_eq!(transfer.deadline(), resend_at, "nor does it put the next try off");
    assert_eq!(transfer.on_timeout(resend_at), data(2, content(5000).slice(512..1024)));
}

/// A window of four in a file of ten blocks and a short one, with its first four sent.
fn windowed() -> (Talk, Instant) {
    let (mut transfer, actions, now) = start(5130, &[("windowsize", "4")]);
    assert_eq!(actions, option_ack(&[("windowsize", "4")]));
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(0), now)), [1, 2, 3, 4]);
    (transfer, now)
}

fn blocks(actions: &[Action]) -> Vec<u16> {
    let block = |action: &Action| match action {
        Action::Send(Packet::Data { block, .. }) => *block,
        other => panic!("{other:?}"),
    };
    actions.iter().map(block).collect()
}

#[test]
fn a_window_goes_on_when_its_last_block_is_acknowledged() {
    let (mut transfer, now) = windowed();
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(4), now)), [5, 6, 7, 8]);
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(8), now)), [9, 10, 11], "no more than there are");
    assert_eq!(transfer.bytes_acknowledged(), 8 * 512);
    assert_eq!(transfer.on_packet(&Packet::Ack(11), now), end(Ending::Complete));
    assert_eq!(transfer.bytes_acknowledged(), 5130);
}

/// RFC 7440 §4: what is behind the acknowledged block was lost, and more of the window may go.
#[test]
fn an_acknowledgement_inside_the_window_brings_the_rest_at_once() {
    for (acknowledged, wanted) in [(1, [2, 3, 4, 5]), (2, [3, 4, 5, 6]), (3, [4, 5, 6, 7])] {
        let (mut transfer, now) = windowed();
        assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(acknowledged), now)), wanted);
        assert_eq!(transfer.on_packet(&Packet::Ack(acknowledged), now), vec![], "nor its copy a second time");
    }
}

#[test]
fn a_window_that_lost_its_first_block_is_sent_again_and_once_for_each_pause() {
    let (mut transfer, now) = windowed();
    let pause = Limits::default().window_pause;
    assert_eq!(transfer.on_packet(&Packet::Ack(0), now + pause / 2), vec![], "a copy of what was answered");
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(0), now + pause)), [1, 2, 3, 4]);
    assert_eq!(transfer.on_packet(&Packet::Ack(0), now + pause), vec![]);
    for stray in [5, 11, 65535] {
        assert_eq!(transfer.on_packet(&Packet::Ack(stray), now + 2 * pause), vec![], "ACK {stray}");
    }
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(3), now + 2 * pause)), [4, 5, 6, 7]);
}

/// Nobody can miss a block before it was there.
#[test]
fn on_a_long_way_what_comes_too_soon_is_a_copy() {
    let way = Duration::from_millis(100);
    let (mut transfer, _, now) = start(5130, &[("windowsize", "4")]);
    let sent_at = now + way;
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(0), sent_at)), [1, 2, 3, 4]);
    assert_eq!(transfer.on_packet(&Packet::Ack(0), sent_at + way / 2), vec![]);
    assert_eq!(blocks(&transfer.on_packet(&Packet::Ack(0), sent_at + way)), [1, 2, 3, 4]);
}

#[test]
fn a_window_that_nobody_acknowledges_is_sent_again_when_its_time_comes() {
    let (mut transfer, _) = windowed();
    let again = transfer.deadline();
    assert_eq!(blocks(&transfer.on_timeout(again)), [1, 2, 3, 4]);
}

/// Windows over the place where the number of a block begins anew.
#[test]
fn windows_roll_over_with_the_number_of_their_blocks() {
    let (mut transfer, _, now) = start(70_000 * 8, &[("blksize", "8"), ("windowsize", "64")]);
    let mut actions = transfer.on_packet(&Packet::Ack(0), now);
    let (mut sent, mut size) = (0u64, 0);
    while let [.., Action::Send(Packet::Data { block, .. })] = actions[..] {
        for action in &actions {
            let Action::Send(Packet::Data { block, payload }) = action else { panic!("{action:?}") };
            sent += 1;
            assert_eq!(u64::from(*block), sent % 65_536);
            size += payload.len();
        }
        actions = transfer.on_packet(&Packet::Ack(block), now);
    }
    assert_eq!((actions, sent, size), (end(Ending::Complete), 70_001, 560_000));
}

#[test]
fn what_does_not_belong_to_a_read_is_passed_over() {
    let (mut transfer, _, now) = start(5000, &[]);
    let strays = [Packet::Write, Packet::Read(read("y", &[])), Packet::OptionAck(vec![])];
    for stray in strays.iter().chain([&Packet::Data { block: 1, payload: content(9) }]) {
        assert_eq!(transfer.on_packet(stray, now), vec![], "{stray:?}");
    }
    assert_eq!(transfer.on_packet(&Packet::Ack(1), now), data(2, content(5000).slice(512..1024)));
}

/// Lets the clock run without a word from the client: milliseconds of each send, and seconds of the end.
fn silent_run(mut transfer: Talk, since: Instant) -> (Vec<u128>, u64) {
    let mut sent = Vec::new();
    for _ in 0..100 {
        let now = transfer.deadline();
        match transfer.on_timeout(now).as_slice() {
            [Action::Send(_)] => sent.push((now - since).as_millis()),
            [Action::End(Ending::TimedOut)] => return (sent, (now - since).as_secs()),
            other => panic!("{other:?}"),
        }
    }
    panic!("never ends: {sent:?}");
}

/// T7: a forged address hears of us four times, and no more.
#[test]
fn who_never_acknowledges_is_sent_three_repetitions() {
    let (transfer, _, now) = start(5000, &[]);
    assert_eq!(silent_run(transfer, now), (vec![1000, 3000, 7000], 15));
}

#[test]
fn who_falls_silent_is_sent_repetitions_for_thirty_seconds() {
    let (mut transfer, _, now) = start(5000, &[]);
    transfer.on_packet(&Packet::Ack(1), now);
    assert_eq!(silent_run(transfer, now), (vec![300, 900, 2100, 4500, 9300, 18_900], 30));
}

/// Four times as long as it takes, but never shorter than that, and never longer than for who was not measured.
#[test]
fn the_wait_follows_the_length_of_the_way() {
    for (way_ms, wait_ms) in [(1, 300), (75, 300), (150, 600), (600, 1000)] {
        let (mut transfer, _, now) = start(50_000, &[]);
        let mut at = now;
        for block in 1..=40 {
            at += Duration::from_millis(way_ms);
            transfer.on_packet(&Packet::Ack(block), at);
        }
        assert_eq!((transfer.deadline() - at).as_millis(), wait_ms, "{way_ms} ms");
    }
}

/// Which of two equal packets was acknowledged nobody knows (Karn).
#[test]
fn what_was_sent_twice_is_not_measured() {
    let (mut transfer, _, now) = start(50_000, &[]);
    let again = transfer.deadline();
    transfer.on_timeout(again);
    transfer.on_packet(&Packet::Ack(1), again);
    assert_eq!(transfer.deadline() - again, SECOND);
    assert!(again > now);
}

/// The same where the client asked twice, and the first answer is acknowledged a moment after the second went out.
#[test]
fn what_was_asked_for_twice_is_not_measured() {
    let (mut transfer, _, now) = start(50_000, &[]);
    let again = now + SECOND / 2;
    transfer.on_repeat(again);
    transfer.on_packet(&Packet::Ack(1), again);
    assert_eq!(transfer.deadline() - again, SECOND);
}

/// RFC 2349: who asks for a time gets it.
#[test]
fn a_wait_that_was_asked_for_is_kept() {
    let (mut transfer, _, now) = start(50_000, &[("timeout", "1")]);
    transfer.on_packet(&Packet::Ack(0), now);
    transfer.on_packet(&Packet::Ack(1), now);
    assert_eq!(transfer.deadline() - now, SECOND);
}

/// All our blocks get lost, but its repeated acknowledgements do not.
#[test]
fn who_is_still_heard_is_not_given_up() {
    let (mut transfer, _, now) = start(5000, &[]);
    transfer.on_packet(&Packet::Ack(1), now);
    for second in 1..120 {
        let now = now + SECOND * second;
        assert!(!matches!(transfer.on_timeout(now).as_slice(), [Action::End(_)]), "given up after {second} s");
        transfer.on_packet(&Packet::Ack(1), now);
    }
}

#[test]
fn a_long_timeout_is_capped() {
    let (mut transfer, _, now) = start(5000, &[("timeout", "255")]);
    transfer.on_packet(&Packet::Ack(0), now);
    assert_eq!(silent_run(transfer, now), (vec![10_000], 30));
}

#[test]
fn a_timer_that_fires_early_does_nothing() {
    let (mut transfer, _, now) = start(5000, &[]);
    assert_eq!(transfer.on_timeout(now + SECOND / 2), vec![]);
    assert_eq!(transfer.on_timeout(now + SECOND), data(1, content(5000).slice(..512)));
}

/// F17: whoever reads a block each 20 seconds holds a place for a quarter of an hour, not for ever.
#[test]
fn a_reader_that_never_gets_done_is_ended() {
    let (mut transfer, _, mut now) = start(5_000_000, &[]);
    let started = now;
    for block in 1..1000 {
        now += SECOND * 20;
        let actions = transfer.on_packet(&Packet::Ack(block), now);
        if let Some(Action::End(ending)) = actions.last() {
            assert_eq!((ending, now - started), (&Ending::TimedOut, SECOND * 900));
            assert!(matches!(actions[0], Action::Send(Packet::Error { code: 0, .. })));
            return;
        }
    }
    panic!("never ended");
}

#[test]
fn a_repeated_request_is_answered_again_until_the_transfer_runs() {
    let (mut transfer, first, now) = start(5000, &[("tsize", "0")]);
    assert_eq!(transfer.on_repeat(now), first, "the answer was lost");
    transfer.on_packet(&Packet::Ack(0), now);
    assert_eq!(transfer.on_repeat(now), vec![], "a late copy");
    assert_eq!(transfer.on_packet(&Packet::Ack(1), now), data(2, content(5000).slice(512..1024)));
}

/// A boot ROM that was reset uses the same port and the same name once more.
#[test]
fn a_machine_that_was_reset_begins_anew() {
    let (mut transfer, first, now) = start(5000, &[("tsize", "0")]);
    transfer.on_packet(&Packet::Ack(0), now);
    transfer.on_packet(&Packet::Ack(1), now);
    for seconds in [1, 3] {
        transfer.on_timeout(now + SECOND * seconds);
    }
    assert_eq!(transfer.on_repeat(now + SECOND * 4), first);
    assert_eq!(transfer.on_packet(&Packet::Ack(0), now + SECOND * 4), data(1, content(5000).slice(..512)));
}

/// 40 MB in blocks of 512 bytes are 81,921 blocks: past 65535 the number begins again at 0.
#[test]
fn block_numbers_roll_over() {
    let whole = content(40 * 1024 * 1024);
    let now = Instant::now();
    let (mut transfer, mut actions) = Talk::start(&read("x", &[]), whole.clone(), Limits::default(), now);
    let mut received = Vec::with_capacity(whole.len());
    let mut expected = 1_u16;
    while let [Action::Send(Packet::Data { block, payload })] = actions.as_slice() {
        assert_eq!(*block, expected);
        received.extend_from_slice(payload);
        expected = expected.wrapping_add(1);
        actions = transfer.on_packet(&Packet::Ack(*block), now);
    }
    assert_eq!(actions, end(Ending::Complete));
    assert_eq!(expected, (81_921_u32 + 1 - 65_536) as u16);
    assert!(received == whole);
}

fn event() -> impl Strategy<Value = (Option<Packet>, u64)> {
    let packet = prop_oneof![
        4 => (0..12_u16).prop_map(|block| Some(Packet::Ack(block))),
        1 => any::<u16>().prop_map(|block| Some(Packet::Ack(block))),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Packet::parse(&bytes).ok()),
        2 => Just(None),
    ];
    (packet, 0..4000_u64)
}

proptest! {
    /// What a reader puts together that takes each block once, in order, is the file's beginning; when the transfer is
    /// complete, it is the file.
    #[test]
    fn acknowledgements_in_any_order_never_spoil_the_file(size in 0..3000_usize, events in prop::collection::vec(event(), 0..200)) {
        let whole = content(size);
        let (mut transfer, mut actions, mut now) = start(size, &[]);
        let (mut received, mut next) = (Vec::new(), 1_u16);
        let mut events = events.into_iter();
        loop {
            for action in &actions {
                match action {
                    Action::Send(Packet::Data { block, payload }) if *block == next => {
                        received.extend_from_slice(payload);
                        next += 1;
                    }
                    Action::End(Ending::Complete) => prop_assert!(received == whole),
                    _ => {}
                }
            }
            prop_assert!(whole.starts_with(&received));
            prop_assert!(actions.len() <= 2);
            if matches!(actions.last(), Some(Action::End(_))) {
                break;
            }
            let Some((packet, millis)) = events.next() else { break };
            now += Duration::from_millis(millis);
            actions = match packet {
                Some(packet) => transfer.on_packet(&packet, now),
                None => transfer.on_timeout(now),
            };
        }
    }
}
