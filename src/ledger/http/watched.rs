//! A connection's stream that notes what the client does, for the deadlines in [`super::connection`].
//!
//! It ends gently: when a request was refused before all of it was read, the rest is read and dropped for a moment. A
//! socket that is closed with bytes unread takes the answer away from its client.

use super::connection::{Connection, Phase};
use super::listener::Stream;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of a refused body is dropped at once, in bytes.
const DROPPED_BYTES: usize = 4_096;

/// The stream.
pub struct Watched {
    stream: Stream,
    connection: Arc<Connection>,
    is_shut: bool,
}

impl Watched {
    /// Of this connection.
    pub fn new(stream: Stream, connection: Arc<Connection>) -> Self {
        Self { stream, connection, is_shut: false }
    }

    fn note_write<T>(&self, written: Poll<T>) -> Poll<T> {
        self.connection.writes(written.is_pending(), Instant::now());
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let was_open = self.stream.is_open();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if !was_open && self.stream.is_open() {
            self.connection.turn(Phase::Handshake, Phase::Head, Instant::now());
        }
        if buf.filled().len() > before {
            self.connection.turn(Phase::Idle, Phase::Head, Instant::now());
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.note_write(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_unread = self.connection.begin_close(Instant::now());
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        let mut dropped = [0; DROPPED_BYTES];
        // A handshake that has failed is over.
        while is_unread && self.stream.is_open() {
            let mut buf = ReadBuf::new(&mut dropped);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
