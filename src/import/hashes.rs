//! The sums that distros write down of their files, taken while bytes pass by.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Finds damage, and keeps out nobody who means harm.
    Md5,
    Sha256,
    Sha512,
}

impl Algorithm {
    pub fn word(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// Whether it keeps out whoever means harm.
    pub fn is_strong(self) -> bool {
        self != Algorithm::Md5
    }

    /// The one with sums of so many hexadecimal digits. SHA-1 is passed over: whoever writes it writes SHA-256, too.
    pub fn of_digits(count: usize) -> Option<Algorithm> {
        match count {
            32 => Some(Algorithm::Md5),
            64 => Some(Algorithm::Sha256),
            128 => Some(Algorithm::Sha512),
            _ => None,
        }
    }
}

/// SHA-256 always, the others where something is to be compared with them.
pub struct Hashes {
    size: u64,
    sha256: Sha256,
    md5: Option<Md5>,
    sha512: Option<Sha512>,
}

impl Hashes {
    pub fn new(wanted: impl IntoIterator<Item = Algorithm>) -> Hashes {
        let mut hashes = Hashes { size: 0, sha256: Sha256::new(), md5: None, sha512: None };
        for algorithm in wanted {
            match algorithm {
                Algorithm::Md5 => hashes.md5 = Some(Md5::new()),
                Algorithm::Sha512 => hashes.sha512 = Some(Sha512::new()),
                Algorithm::Sha256 => {}
            }
        }
        hashes
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    pub fn done(self) -> Sums {
        let md5 = self.md5.map(|hash| hex::encode(hash.finalize()));
        let sha512 = self.sha512.map(|hash| hex::encode(hash.finalize()));
        Sums { size: self.size, sha256: hex::encode(self.sha256.finalize()), md5, sha512 }
    }

    pub fn of(bytes: &[u8]) -> Sums {
        let mut hashes = Hashes::new([Algorithm::Md5, Algorithm::Sha512]);
        hashes.update(bytes);
        hashes.done()
    }
}

/// Sums in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    pub size: u64,
    pub sha256: String,
    md5: Option<String>,
    sha512: Option<String>,
}

impl Sums {
    pub fn get(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Sha256 => Some(&self.sha256),
            Algorithm::Md5 => self.md5.as_deref(),
            Algorithm::Sha512 => self.sha512.as_deref(),
        }
    }
}
