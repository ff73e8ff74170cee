//! The log of everything in this process at its finest, for who looks what is in it.

use std::io;
use std::sync::{Mutex, PoisonError};
use tracing_subscriber::filter::LevelFilter;

static KEPT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keeper;

impl io::Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on all is kept, of the tests beside this one as well.
pub fn at_trace() {
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(|| Keeper).with_ansi(false);
    let _ = log.try_init();
}

pub fn logged() -> String {
    String::from_utf8_lossy(&KEPT.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
