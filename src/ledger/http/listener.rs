//! A listener that holds at most so many connections, with TLS or without; further ones wait in the system's queue.

use super::certificates::Certificates;
use super::handshake::{Duplex, Failures, Handshake};
use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections of one listener.
const MAX_CONNECTIONS: usize = 1_024;

/// The listener.
#[derive(Debug)]
pub struct Limited {
    inner: TcpListener,
    free: Arc<Semaphore>,
    certificates: Option<Arc<Certificates>>,
    failures: Arc<Failures>,
}

impl Limited {
    /// Binds it. With certificates it speaks TLS and nothing else.
    pub async fn bind(address: SocketAddr, certificates: Option<Arc<Certificates>>) -> io::Result<Self> {
        let inner = TcpListener::bind(address).await?;
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        Ok(Self { inner, free, certificates, failures: Arc::default() })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        // The inner implementation waits a little when the process runs out of file descriptors.
        let (stream, address) = Listener::accept(&mut self.inner).await;
        // Answers are small and must not wait for more to come.
        let _ = stream.set_nodelay(true);
        let stream = match &self.certificates {
            None => Stream::Open(Box::new(stream)),
            Some(certificates) => {
                let (acceptor, failures) = (certificates.current().into(), Arc::clone(&self.failures));
                Stream::Shakes(Box::new(Handshake::new(&acceptor, stream, address, failures)))
            }
        };
        (Connection { stream, _place: place }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// A connection, which gives its place back when it ends.
pub struct Connection {
    stream: Stream,
    _place: Option<OwnedSemaphorePermit>,
}

enum Stream {
    Shakes(Box<Handshake>),
    Open(Box<dyn Duplex>),
}

impl Connection {
    /// The stream, once its handshake is done.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Duplex>>> {
        if let Stream::Shakes(handshake) = &mut self.stream {
            self.stream = Stream::Open(ready!(handshake.poll(cx))?);
        }
        Poll::Ready(match &mut self.stream {
            Stream::Open(stream) => Ok(Pin::new(stream.as_mut())),
            Stream::Shakes(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    /// The stream, if its handshake is done.
    fn opened(&mut self) -> Option<Pin<&mut dyn Duplex>> {
        match &mut self.stream {
            Stream::Open(stream) => Some(Pin::new(stream.as_mut())),
            Stream::Shakes(_) => None,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.open(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.open(cx))?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.open(cx))?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        // Plain and encrypted streams both take many pieces at once.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.opened().map_or(Poll::Ready(Ok(())), |stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.opened().map_or(Poll::Ready(Ok(())), |stream| stream.poll_shutdown(cx))
    }
}
