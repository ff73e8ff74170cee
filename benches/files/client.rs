//! Those who ask: curl for one large file, wrk for many small ones, and a crowd that asks and takes nothing.

use crate::net::{CLIENTS, SERVER, client};
use crate::{Lab, SMALL_FILES};
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

fn url(path: &str) -> String {
    format!("http://{SERVER}/files/{path}")
}

pub fn answers(lab: &Lab) -> Result<bool> {
    let mut command = lab.net.beside_clients("curl");
    let done =
        command.args(["--silent", "--fail", "--max-time", "5", "--output", "/dev/null", &url("small/0")]).status();
    Ok(done.context("cannot run curl: install it")?.success())
}

/// The large file once, in MB/s.
pub fn curl(lab: &Lab) -> Result<f64> {
    let mut command = lab.net.beside_clients("curl");
    command.args(["--silent", "--show-error", "--fail", "--output", "/dev/null", "--write-out", "%{speed_download}"]);
    let done = command.arg(url("large.img")).output()?;
    ensure!(done.status.success(), "curl: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(String::from_utf8_lossy(&done.stdout).trim().parse::<f64>()? / 1e6)
}

/// Small files for so long: requests a second.
pub fn wrk(lab: &Lab, secs: u32) -> Result<f64> {
    let script = lab.folder.join("wrk.lua");
    let next = format!(
        "local at = 0\nrequest = function()\n  at = (at + 7) % {SMALL_FILES}\n  \
         return wrk.format('GET', '/files/small/' .. at)\nend\n"
    );
    std::fs::write(&script, next)?;
    let mut command = lab.net.beside_clients("wrk");
    command.args(["-t2", "-c64", &format!("-d{secs}s"), "--script"]).arg(script).arg(url("small/0"));
    let done = command.output().context("cannot run wrk: install it")?;
    let text = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&done.stderr));
    ensure!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "not all was answered: {text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).context("wrk says no rate")?;
    Ok(line.trim().parse()?)
}

/// A program that holds the connections.
pub struct Crowd(Child);

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// So many clients have asked for the large file, taken 1 KiB, and stopped.
pub fn stalled(lab: &Lab, count: usize) -> Result<Crowd> {
    let mut command = lab.net.beside_clients(std::env::current_exe()?);
    command.args(["role", "stalled", &count.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let out = child.stdout.take().context("a pipe was asked for")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    let crowd = Crowd(child);
    ensure!(line.trim() == "stalled", "the crowd did not gather: {line}");
    Ok(crowd)
}

/// The parts that run in the clients' namespace.
pub fn role(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["installers", tokens, same] = words.as_slice() {
        return crate::answers::print_rate(tokens, same);
    }
    let ["stalled", count] = words.as_slice() else { bail!("no such role: {words:?}") };
    let mut held = Vec::new();
    for number in 0..count.parse::<usize>()? {
        let from = client(u8::try_from(number % usize::from(CLIENTS))?);
        held.push(stall(SocketAddr::from((from, 0))).with_context(|| format!("client {number} of the crowd"))?);
    }
    println!("stalled");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn stall(from: SocketAddr) -> Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_recv_buffer_size(4096)?;
    socket.bind(&from.into())?;
    socket.connect(&SocketAddr::from((SERVER, 80)).into())?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET /files/large.img HTTP/1.1\r\nHost: x\r\n\r\n")?;
    stream.read_exact(&mut [0; 1024])?;
    Ok(stream)
}
