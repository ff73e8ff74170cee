//! Lists of packages that a tree hands in, however they are packed, and the paths that they name.

#![no_main]

use kickstand::import::repository::{debian, rpm, unpack};
use libfuzzer_sys::fuzz_target;
use std::io::Read;

/// What is unpacked of one input.
const MOST: u64 = 1 << 20;

fn inside(path: Option<String>) {
    let is_plain = |path: String| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    assert!(path.is_none_or(is_plain));
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let mut bytes = bytes;
    let mut hear = |package: Option<_>| {
        let package: Option<kickstand::import::repository::Package> = package;
        package.into_iter().for_each(|package| inside(rpm::resolved("a/b", &package.path)));
        Ok(())
    };
    match kind % 7 {
        0 => {
            let files = rpm::repomd(&String::from_utf8_lossy(bytes)).unwrap_or_default();
            files.into_iter().for_each(|data| {
                let _ = hear(data.file);
            });
        }
        1 => drop(rpm::primary("list", &mut bytes, &mut hear)),
        2 => drop(debian::packages("list", &mut bytes, &mut hear)),
        packed => {
            let name = ["a.gz", "a.zst", "a.xz", "a.xml"][usize::from(packed - 3)];
            let unpacked = unpack::unpacked(name, &mut bytes).expect("it is read here");
            let _ = rpm::primary("list", &mut unpack::Bounded::new(unpacked, MOST).take(MOST), &mut hear);
        }
    }
});
