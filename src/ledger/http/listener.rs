//! A listener, with TLS or without, and the stream of one of its connections.

use super::certificates::Certificates;
use super::handshake::{Duplex, Failures, Handshake};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// After so long without a sign of its client a connection is probed,
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// so often,
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// and given up when so many probes in a row are unanswered.
const KEEPALIVE_PROBES: u32 = 3;

/// How many connections wait to be accepted.
const BACKLOG: u32 = 1_024;

/// An address that is taken, on which nothing listens yet: connections are refused.
#[derive(Debug)]
pub struct ReservedAddress(TcpSocket);

impl ReservedAddress {
    /// Takes it, unless another program listens there.
    pub fn take(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of the process before may not have ended altogether.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket))
    }
}

/// The listener.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    certificates: Option<Arc<Certificates>>,
    failures: Arc<Failures>,
}

impl Listener {
    /// Listens there. With certificates it speaks TLS and nothing else.
    pub fn listen(address: ReservedAddress, certificates: Option<Arc<Certificates>>) -> io::Result<Self> {
        let inner = address.0.listen(BACKLOG)?;
        Ok(Self { inner, certificates, failures: Arc::default() })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (stream, address) = self.inner.accept().await?;
        // Answers are small and must not wait for more to come.
        let _ = stream.set_nodelay(true);
        let _ = probe(&stream);
        let stream = match &self.certificates {
            None => Stream::Open(Box::new(stream)),
            Some(certificates) => {
                let (acceptor, failures) = (certificates.current().into(), Arc::clone(&self.failures));
                Stream::Shakes(Box::new(Handshake::new(&acceptor, stream, address, failures)))
            }
        };
        Ok((stream, address))
    }
}

/// Has the system find out when the client's machine is gone.
fn probe(stream: &TcpStream) -> rustix::io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    sockopt::set_socket_keepalive(stream, true)
}

/// What a connection is read from and written to.
pub enum Stream {
    /// Its TLS handshake is under way.
    Shakes(Box<Handshake>),
    /// It is open.
    Open(Box<dyn Duplex>),
}

impl Stream {
    /// Whether its handshake is done, if it has any.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The stream, once its handshake is done.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut dyn Duplex>>> {
        if let Self::Shakes(handshake) = self {
            *self = Self::Open(ready!(handshake.poll(cx))?);
        }
        Poll::Ready(match self {
            Self::Open(stream) => Ok(Pin::new(stream.as_mut())),
            Self::Shakes(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    /// The stream, if its handshake is done.
    fn opened(&mut self) -> Option<Pin<&mut dyn Duplex>> {
        match self {
            Self::Open(stream) => Some(Pin::new(stream.as_mut())),
            Self::Shakes(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.open(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
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
