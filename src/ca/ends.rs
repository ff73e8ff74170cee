//! When a certificate ends and who issued it: the fields of X.509 that we read ourselves (RFC 5280 §4.1).

use std::time::SystemTime;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// None for what is no certificate.
pub fn ends_at(der: &[u8]) -> Option<SystemTime> {
    let Fields { validity, .. } = fields(der)?;
    let (_, rest) = moment(validity)?;
    moment(rest).map(|(ends, _)| ends)
}

/// Whether it is its own issuer, as a root is: an intermediate is not, and what is no certificate neither.
pub fn is_root(der: &[u8]) -> bool {
    fields(der).is_some_and(|fields| fields.issuer == fields.subject)
}

/// Of a certificate, what is looked at here.
struct Fields<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
}

fn fields(der: &[u8]) -> Option<Fields<'_>> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    // Serial number, algorithm.
    for tag in [INTEGER, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    let (issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, rest) = element(rest, SEQUENCE)?;
    let (subject, _) = element(rest, SEQUENCE)?;
    Some(Fields { issuer, validity, subject })
}

/// What an element of this tag holds, and what is behind it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = length(rest)?;
    (*first == tag).then(|| rest.split_at_checked(length)).flatten()
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match usize::from(*first) {
        short @ 0..=0x7f => Some((short, rest)),
        // As many bytes as the rest of it says; four are 4 GiB.
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(long & 0x7f)?;
            Some((digits.iter().fold(0, |length: usize, digit| length << 8 | usize::from(*digit)), rest))
        }
        _ => None,
    }
}

fn moment(bytes: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (text, rest, century) = match (element(bytes, UTC_TIME), element(bytes, GENERALIZED_TIME)) {
        // Two digits: 50 to 99 are of the last century (§4.1.2.5.1).
        (Some((text, rest)), _) => (text, rest, Some(if text.first()? >= &b'5' { "19" } else { "20" })),
        (None, general) => general.map(|(text, rest)| (text, rest, None))?,
    };
    let digits = format!("{}{}", century.unwrap_or_default(), std::str::from_utf8(text).ok()?);
    let part = |from: usize, to: usize| digits.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    Some((humantime::parse_rfc3339(&text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn certificate(year: i32) -> Vec<u8> {
        let mut wanted = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(year, 3, 4);
        wanted.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_ways_of_writing_it() {
        for (year, secs) in [(2031, 1_930_348_800), (2061, 2_877_120_000)] {
            let end = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
            assert_eq!(ends_at(&certificate(year)), Some(end), "{year}");
        }
    }

    #[test]
    fn a_root_is_its_own_issuer_and_an_intermediate_is_not() {
        let [root, between] = super::super::testing::chain();
        assert!(is_root(&root.0) && !is_root(&between.0));
        assert!(!is_root(b"nonsense") && !is_root(&[]));
    }

    #[test]
    fn what_is_cut_or_spoilt_is_no_certificate_and_no_panic() {
        let whole = certificate(2031);
        for length in 0..whole.len() {
            assert_eq!(ends_at(&whole[..length]), None, "{length}");
        }
        for at in 0..120 {
            for byte in [0, 0x80, 0x84, 0xff] {
                let mut spoilt = whole.clone();
                spoilt[at] = byte;
                let _ = (ends_at(&spoilt), is_root(&spoilt));
            }
        }
    }
}
