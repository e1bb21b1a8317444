//! Addresses of this machine, and whether they are free.

use faregate_client::Failure;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Refuses an address on which something listens.
pub fn require_free(address: SocketAddr) -> Result<(), Failure> {
    TcpListener::bind(address).map(drop).map_err(|error| {
        Failure::new("listen", format!("can't listen on {address}: {error}"))
            .cure("is another gate running? Stop it, or choose another address: --listen 127.0.0.1:8081 (make run LISTEN=…)")
    })
}

/// Whether the address is free.
pub fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// An address of this machine that no other can reach.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
