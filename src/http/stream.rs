//! What hyper reads and writes: a connection of which something was read already, and which must get on.

use super::house::Seat;
use axum::body::HttpBody;
use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

/// A connection that can be ended without a word.
pub trait Reset {
    /// What the kernel has of it is not sent when it closes.
    fn reset(&self);
}

impl Reset for TcpStream {
    fn reset(&self) {
        let _ = self.set_zero_linger();
    }
}

impl Reset for TlsStream<TcpStream> {
    fn reset(&self) {
        self.get_ref().0.reset();
    }
}

/// A connection that ends when its client takes nothing for too long.
pub struct Watched<S: Reset> {
    stream: S,
    /// Read before hyper came.
    seen: Bytes,
    seat: Arc<Seat>,
    limit: Duration,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S: Reset> Watched<S> {
    pub fn new(stream: S, seen: Bytes, seat: Arc<Seat>, limit: Duration) -> Watched<S> {
        Watched { stream, seen, seat, limit, stalled: None }
    }

    fn watched<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let limit = self.limit;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: Reset> Drop for Watched<S> {
    /// Half of an answer that nobody takes would stay in the kernel for minutes.
    fn drop(&mut self) {
        if self.stalled.is_some() {
            self.stream.reset();
        }
    }
}

impl<S: AsyncRead + Reset + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.seen.is_empty() {
            let size = self.seen.len().min(buffer.remaining());
            buffer.put_slice(self.seen.get(..size).unwrap_or_default());
            self.seen.advance(size);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.seat.moved(buffer.filled().len().saturating_sub(before));
        read
    }
}

impl<S: AsyncWrite + Reset + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.counted(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.counted(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watched(cx, shut)
    }
}

impl<S: Reset> Watched<S> {
    fn counted(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.seat.moved(*bytes);
        }
        self.watched(cx, written)
    }
}

/// The body of a request that must be there in time.
pub struct Timely<B> {
    body: B,
    seat: Arc<Seat>,
    end: Pin<Box<Sleep>>,
}

impl<B> Timely<B> {
    pub fn new(body: B, seat: Arc<Seat>, limit: Duration) -> Timely<B> {
        Timely { body, seat, end: Box::pin(sleep(limit)) }
    }
}

impl<B: HttpBody<Data = Bytes, Error = hyper::Error> + Unpin> HttpBody for Timely<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, io::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            if frame.is_none() {
                // All of it is there: from now on we are the ones to wait for.
                self.seat.busy();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "the body takes too long"))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::house::{House, Limits};
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::net::TcpListener;

    impl Reset for DuplexStream {
        fn reset(&self) {}
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_comes_first_and_who_takes_nothing_for_a_minute_is_cut_off() {
        let house = House::new(Limits::default());
        let place = house.enter(Ipv4Addr::LOCALHOST.into()).unwrap();
        let (mut client, server) = duplex(10);
        let limit = Duration::from_secs(60);
        let mut watched = Watched::new(server, Bytes::from_static(b"POST "), place.seat.clone(), limit);
        client.write_all(b"/report").await.unwrap();
        let mut read = [0; 12];
        watched.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"POST /report");
        watched.write_all(b"0123456789").await.unwrap();
        let began = tokio::time::Instant::now();
        let error = watched.write_all(b"more").await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
        let mut taken = [0; 10];
        client.read_exact(&mut taken).await.unwrap();
        watched.write_all(b"0123456789").await.unwrap();
        let again = tokio::time::Instant::now();
        assert!(watched.write_all(b"more").await.is_err());
        assert_eq!(again.elapsed().as_secs(), 60, "who takes again has all of its time again");
    }

    #[tokio::test]
    async fn half_of_an_answer_is_thrown_away_and_a_whole_one_is_not() {
        let house = House::new(Limits::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (is_whole, end) in [(true, Ok(6)), (false, Err(io::ErrorKind::ConnectionReset))] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (server, from) = listener.accept().await.unwrap();
            let place = house.enter(from.ip()).unwrap();
            let mut watched = Watched::new(server, Bytes::new(), place.seat.clone(), Duration::from_secs(60));
            watched.write_all(b"answer").await.unwrap();
            // Nobody takes it: at some time the kernel is full.
            let mut is_full = is_whole;
            while !is_full {
                let more = std::future::poll_fn(|cx| {
                    Poll::Ready(Pin::new(&mut watched).poll_write(cx, &[0; 65536]).is_pending())
                });
                is_full = tokio::task::unconstrained(more).await;
            }
            drop(watched);
            assert_eq!(client.read_to_end(&mut Vec::new()).await.map_err(|error| error.kind()), end);
        }
    }
}
