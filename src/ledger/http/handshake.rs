//! A TLS handshake that takes place when its connection is first read from or written to.
//!
//! So it runs in the connection's own task, never in the one that accepts. What must hold: it ends within
//! [`PATIENCE`], and those who fail can't fill the log.

use crate::log_limit::LogLimit;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::{Accept, TlsAcceptor};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something to read from and write to.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A handshake under way.
pub struct Handshake {
    accept: Accept<TcpStream>,
    deadline: Pin<Box<Sleep>>,
    peer: SocketAddr,
    failures: Arc<Failures>,
}

impl Handshake {
    pub fn new(acceptor: &TlsAcceptor, stream: TcpStream, peer: SocketAddr, failures: Arc<Failures>) -> Self {
        let deadline = Box::pin(tokio::time::sleep(PATIENCE));
        Self { accept: acceptor.accept(stream), deadline, peer, failures }
    }

    /// Goes on with it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Duplex>>> {
        let done = match Pin::new(&mut self.accept).poll(cx) {
            Poll::Ready(done) => done,
            Poll::Pending => {
                std::task::ready!(self.deadline.as_mut().poll(cx));
                Err(io::Error::new(io::ErrorKind::TimedOut, format!("not done within {PATIENCE:?}")))
            }
        };
        Poll::Ready(match done {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => {
                self.failures.note(self.peer, &error);
                Err(error)
            }
        })
    }
}

/// The failed handshakes of one listener.
#[derive(Debug, Default)]
pub struct Failures(LogLimit);

impl Failures {
    fn note(&self, peer: SocketAddr, error: &io::Error) {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            // Somebody who looks whether the port is open.
            tracing::debug!(%peer, "a connection was closed before its TLS handshake was done");
            return;
        }
        if let Some(others) = self.0.permits(Instant::now()) {
            tracing::warn!(%peer, cause = %error, others, "a client was turned away: its TLS handshake failed");
        }
    }
}
