//! An advertisement is as RFC 4861 writes it and makes nobody a router; a whole rack is told ten times a second at most.

use crate::dhcp::advert::*;
use crate::model::Mac;
use std::time::Duration;
use tokio::time::Instant;

const CARD: Mac = Mac([0x52, 0x54, 0, 1, 2, 3]);

#[test]
fn an_advertisement_is_as_the_rfcs_write_it() {
    let text = concat!(
        "6000 0000 0018 3a ff",                    // RFC 8200: 24 bytes of ICMPv6, hop limit 255
        "fe80 0000 0000 0000 004b 53ff fe01 0203", // nobody's own address
        "ff02 0000 0000 0000 0000 0000 0000 0001",
        "86 00 d27f",                     // RFC 4861 §4.2
        "00 00 0000 0000 0000 0000 0000", // not managed, nothing else by DHCPv6, no router
        "01 01 5254 0001 0203",
    );
    assert_eq!(hex::encode(advertisement(CARD).unwrap()), text.replace(' ', ""));
}

/// When advertisements go out, in milliseconds, for somebody who asks at each of these moments.
fn sent(asked: &[u64]) -> Vec<u64> {
    let (start, mut times, mut sent) = (Instant::now(), Timetable::default(), vec![]);
    for ms in 0..=asked.last().unwrap() + 2000 {
        let now = start + Duration::from_millis(ms);
        asked.iter().filter(|at| **at == ms).for_each(|_| times.ask(now));
        let due = times.next().is_some_and(|next| next <= now);
        assert_eq!(times.take(now), due, "at {ms} ms");
        sent.extend(due.then_some(ms));
    }
    assert_eq!(times.next(), None, "it ends");
    sent
}

#[test]
fn who_boots_is_told_at_once_and_twice_more() {
    assert_eq!(sent(&[5]), [5, 305, 1005]);
    assert_eq!(sent(&[5, 5000]), [5, 305, 1005, 5000, 5300, 6000]);
}

#[test]
fn who_comes_just_after_one_has_the_next() {
    assert_eq!(sent(&[0, 1]), [0, 100, 300, 400, 1000, 1100]);
    let close = sent(&[0, 1001]);
    assert_eq!(close[..4], [0, 300, 1000, 1100], "never sooner than that after the last");
}

#[test]
fn a_storm_is_told_ten_times_a_second() {
    let sent = sent(&(0..5000).collect::<Vec<_>>());
    assert!(sent.windows(2).all(|pair| pair[1] - pair[0] >= 100), "{sent:?}");
    assert_eq!(sent.len(), 61, "and no less while it lasts: {sent:?}");
}

#[test]
fn what_is_late_is_sent_once() {
    let (start, mut times) = (Instant::now(), Timetable::default());
    times.ask(start);
    let late = start + Duration::from_secs(10);
    assert!(times.take(late));
    assert!(!times.take(late + Duration::from_secs(1)));
}
