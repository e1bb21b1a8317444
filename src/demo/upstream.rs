//! The API behind the gate: its address, and whether it is reachable.

use faregate_client::Failure;
use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// The longest to wait for the upstream to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Where requests go that have paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// A name or an IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

impl Upstream {
    /// Reads `http://host:port` or `https://host:port`; the port may be left out.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::usage(format!("--upstream {url:?}: {what}"))
                .cure("give it as http://127.0.0.1:3000: scheme, host and port, no path")
        };
        let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(wrong("only a host and a port may follow the scheme; paths go through as they come"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| wrong("the port is no number from 1 to 65535"))?,
            None if tls => 443,
            None => 80,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty()
            || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte))
        {
            return Err(wrong("the host is no name or IP address"));
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }

    /// Tries one connection, so that a wrong address shows now and not as 503s.
    pub fn reach(&self) -> Result<(), Failure> {
        let place = format!("{}:{}", self.host, self.port);
        let unreachable = |why: String| {
            Failure::new("upstream", format!("the upstream {place} can't be reached: {why}"))
                .cure("start your API first, or leave --upstream out to try the gate with a sample API")
        };
        let addresses = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| unreachable(error.to_string()))?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(_) => return Ok(()),
                Err(error) => last = error.to_string(),
            }
        }
        Err(unreachable(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_url_has_only_a_scheme_a_host_and_a_port() {
        let parsed = |url| Upstream::parse(url).map(|up| (up.host, up.port, up.tls)).unwrap();
        assert_eq!(parsed("http://127.0.0.1:3000"), ("127.0.0.1".to_owned(), 3000, false));
        assert_eq!(parsed("http://[::1]:3000/"), ("::1".to_owned(), 3000, false));
        assert_eq!(parsed("https://api.example.com"), ("api.example.com".to_owned(), 443, true));
        for wrong in [
            "",
            "127.0.0.1:3000",
            "ftp://x",
            "http://",
            "http://x:0",
            "http://x:70000",
            "http://x/v1",
            "http://u@x",
            "http://x?y",
        ] {
            let failure = Upstream::parse(wrong).unwrap_err();
            assert!(failure.code == "usage" && failure.cure.is_some(), "{wrong}");
        }
    }

    #[test]
    fn an_unreachable_upstream_is_reported() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failure = Upstream::parse(&format!("http://{free}")).unwrap().reach().unwrap_err();
        assert!(failure.detail.contains(&free.to_string()), "{failure}");
    }
}
