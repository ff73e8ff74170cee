//! The sockets of virtual clients: datagrams that may be lost, and one request of HTTP or HTTPS on one connection.

use super::loss::Loss;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// A file that fits into a datagram of TFTP's largest window would not: firmware has small buffers as well.
const BUFFER: usize = 2048;
/// How long a request may take.
const HTTP_LIMIT: Duration = Duration::from_secs(30);
/// What is read of an answer: more than any loader has.
const MOST: usize = 64 << 20;

/// A UDP socket of one client, on a way that loses datagrams to both sides.
pub struct Post<'a> {
    socket: UdpSocket,
    loss: &'a mut Loss,
    buffer: Vec<u8>,
}

impl Post<'_> {
    pub async fn open(ip: Ipv4Addr, loss: &mut Loss) -> io::Result<Post<'_>> {
        Ok(Post { socket: UdpSocket::bind((ip, 0)).await?, loss, buffer: vec![0; BUFFER] })
    }

    /// A full buffer of the kernel is one more way to lose it.
    pub async fn send(&mut self, bytes: &[u8], to: SocketAddr) {
        if !self.loss.takes() {
            let _ = self.socket.send_to(bytes, to).await;
        }
    }

    /// The next datagram that arrives until then.
    pub async fn receive(&mut self, until: Instant) -> Option<(&[u8], SocketAddr)> {
        loop {
            let received = timeout_at(until, self.socket.recv_from(&mut self.buffer)).await.ok()?;
            let Ok((size, from)) = received else {
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            };
            if !self.loss.takes() {
                return self.buffer.get(..size).map(|bytes| (bytes, from));
            }
        }
    }
}

/// What an HTTP server said.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// One request, and by whom the server is known where it goes by HTTPS.
pub struct Request<'a> {
    pub from: Ipv4Addr,
    pub connector: Option<&'a TlsConnector>,
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a str,
    pub body: &'a str,
}

/// The error says what went wrong with the connection, and not of which URL: they hold tokens.
pub async fn ask(request: Request<'_>) -> Result<Answer, String> {
    match timeout(HTTP_LIMIT, ask_patiently(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no whole answer in {} seconds", HTTP_LIMIT.as_secs())),
    }
}

async fn ask_patiently(request: Request<'_>) -> Result<Answer, String> {
    let Request { from, connector, url, .. } = request;
    let (is_secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err("a rehearsal speaks HTTP and HTTPS alone".into()),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let usual = if is_secure { 443 } else { 80 };
    let to = address(host, usual).ok_or_else(|| format!("{host} is no address of the server"))?;
    let stream = connect(from, to).await.map_err(|error| error.to_string())?;
    if !is_secure {
        return exchange(stream, &request, (host, path)).await;
    }
    let connector = connector.ok_or("it was told no CA, and asks nobody by HTTPS")?;
    let name = ServerName::IpAddress(to.ip().into());
    let stream = connector.connect(name, stream).await.map_err(|error| format!("by HTTPS: {error}"))?;
    exchange(stream, &request, (host, path)).await
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &Request<'_>,
    (host, path): (&str, &str),
) -> Result<Answer, String> {
    let Request { method, headers, body, .. } = request;
    let length = body.len();
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    stream.take(MOST as u64).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    read(bytes).ok_or_else(|| "the answer is no HTTP".into())
}

/// Nothing leaves this host: whoever is told of another server is told so.
fn address(host: &str, usual: u16) -> Option<SocketAddr> {
    let to = host.parse().ok().or_else(|| host.parse::<IpAddr>().ok().map(|ip| (ip, usual).into()));
    to.filter(|to: &SocketAddr| to.ip().is_loopback())
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

fn read(mut bytes: Vec<u8>) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let body = bytes.split_off(end + 4);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { status, head, body })
}

/// Where the server of the rehearsal listens: the same port at each of its addresses.
pub async fn listen_tcp(ips: &[Ipv4Addr]) -> io::Result<(u16, Vec<TcpListener>)> {
    const TRIES: usize = 8;
    let first = *ips.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut failed = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let listener = TcpListener::bind((first, 0)).await?;
        let port = listener.local_addr()?.port();
        let mut all = vec![listener];
        for ip in ips.iter().skip(1) {
            match TcpListener::bind((*ip, port)).await {
                Ok(listener) => all.push(listener),
                Err(error) => failed = error,
            }
        }
        if all.len() == ips.len() {
            return Ok((port, all));
        }
    }
    Err(failed)
}

pub async fn listen_udp(ip: Ipv4Addr) -> io::Result<UdpSocket> {
    UdpSocket::bind((ip, 0)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_leaves_this_host() {
        assert_eq!(address("127.1.0.1:8080", 80), Some("127.1.0.1:8080".parse().unwrap()));
        assert_eq!(address("127.1.0.1", 443), Some("127.1.0.1:443".parse().unwrap()));
        for host in ["10.0.0.1", "10.0.0.1:80", "mirror.example", ""] {
            assert_eq!(address(host, 80), None, "{host}");
        }
    }

    #[test]
    fn an_answer_is_read_with_its_headers() {
        let answer = read(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\n\r\nab".to_vec()).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (206, "ab"));
        assert_eq!(answer.header("content-range"), Some("bytes 0-1/9"));
        assert!(read(b"nonsense".to_vec()).is_none());
    }
}
