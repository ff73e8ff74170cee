//! A line to PostgreSQL that can fall silent or be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    Open,
    /// Nothing comes through, and nobody is told.
    Silent,
    /// Connections are reset, and new ones with them.
    Cut,
}

pub struct Line {
    pub port: u16,
    state: Arc<AtomicU8>,
}

impl Line {
    /// To the server that lab/postgres.sh started.
    pub fn lay(server: &str) -> Line {
        let socket = server.split_once("host=").map(|(_, folder)| format!("{folder}/.s.PGSQL.5432"));
        let socket = socket.expect("lab/postgres.sh gives a URL with host=FOLDER");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let line = Line { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = line.state.clone();
        spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                near.set_nodelay(true).unwrap();
                if read(&state) == State::Cut {
                    continue;
                }
                let far = UnixStream::connect(&socket).unwrap();
                let (one, two) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (up, down) = (state.clone(), state.clone());
                spawn(move || carry(one, two, &up));
                spawn(move || carry(far, near, &down));
            }
        });
        line
    }

    pub fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::SeqCst);
    }
}

fn read(state: &AtomicU8) -> State {
    [State::Open, State::Silent, State::Cut][usize::from(state.load(Ordering::SeqCst))]
}

/// As much as a TCP or a Unix stream does for us.
trait Stream: Read + Write {
    fn wait(&self);
    fn end(&self);
}

const LOOK: Option<Duration> = Some(Duration::from_millis(50));

impl Stream for TcpStream {
    fn wait(&self) {
        self.set_read_timeout(LOOK).unwrap();
    }
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Stream for UnixStream {
    fn wait(&self) {
        self.set_read_timeout(LOOK).unwrap();
    }
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// Both ends are closed when one is, or the line is cut.
fn carry(mut from: impl Stream, mut to: impl Stream, state: &AtomicU8) {
    let mut buffer = [0; 1 << 16];
    from.wait();
    loop {
        match read(state) {
            State::Cut => break,
            State::Silent => {
                sleep(Duration::from_millis(5));
                continue;
            }
            State::Open => {}
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(size) => {
                // What was under way when the line fell silent does not arrive either.
                while read(state) == State::Silent {
                    sleep(Duration::from_millis(5));
                }
                if to.write_all(&buffer[..size]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    from.end();
    to.end();
}
