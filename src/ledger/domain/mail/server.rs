//! Where the mail server is, and how it is spoken to.

/// How a connection is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte.
    Tls,
    /// TLS after the greeting, or no mail at all.
    StartTls,
    /// None.
    Plain,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// How it is spoken to.
    pub encryption: Encryption,
    /// Its name or its address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// As whom to sign in, if at all.
    pub user: Option<String>,
}

/// Why a URL names no mail server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; give one such as smtp://user@mail.example.com:587 or smtps://mail.example.com")]
pub struct InvalidUrl(String);

impl SmtpServer {
    /// Reads `smtp://` (which begins TLS with STARTTLS) or `smtps://`. With `plain` there is no TLS: then the URL must begin with
    /// `smtp://`.
    pub fn parse(url: &str, plain: bool) -> Result<Self, InvalidUrl> {
        let wrong = |why: &str| InvalidUrl(why.to_owned());
        let (encryption, usual_port, rest) = match (url.strip_prefix("smtps://"), url.strip_prefix("smtp://"))
        {
            (Some(_), _) if plain => {
                return Err(wrong("smtps:// is TLS, and so contradicts the wish for none"));
            }
            (Some(rest), _) => (Encryption::Tls, 465, rest),
            (_, Some(rest)) if plain => (Encryption::Plain, 25, rest),
            (_, Some(rest)) => (Encryption::StartTls, 587, rest),
            _ => return Err(wrong("it begins neither with smtp:// nor with smtps://")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty()
            || !rest.bytes().all(|byte| byte.is_ascii_graphic())
            || rest.contains(['/', '?', '#'])
        {
            return Err(wrong("it has no host, or more than a user, a host and a port"));
        }
        // A user name may be an address.
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(wrong(
                "it has a password in it, which others could see; set FAREGATE_SMTP_PASSWORD instead",
            ));
        }
        if user.is_some_and(str::is_empty) {
            return Err(wrong("there is no user before the @"));
        }
        let (host, port) = split(host).ok_or_else(|| wrong("its host or its port is none"))?;
        Ok(Self {
            encryption,
            host: host.to_owned(),
            port: port.unwrap_or(usual_port),
            user: user.map(str::to_owned),
        })
    }
}

/// The host and the port.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port)
        }
        None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return None;
    }
    let port = match port {
        "" => None,
        port => Some(port.strip_prefix(':')?.parse().ok().filter(|port: &u16| *port > 0)?),
    };
    Some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_the_server_is_and_how_it_is_spoken_to() {
        let read = |url: &str, plain| SmtpServer::parse(url, plain).map_err(|why| why.to_string());
        let server = |encryption, host: &str, port, user: Option<&str>| {
            Ok(SmtpServer { encryption, host: host.into(), port, user: user.map(Into::into) })
        };
        assert_eq!(read("smtp://mail", false), server(Encryption::StartTls, "mail", 587, None));
        assert_eq!(read("smtps://u@m.x/", false), server(Encryption::Tls, "m.x", 465, Some("u")));
        assert_eq!(
            read("smtp://a@b.c@m:2525", false),
            server(Encryption::StartTls, "m", 2_525, Some("a@b.c"))
        );
        assert_eq!(read("smtp://[::1]:25", true), server(Encryption::Plain, "::1", 25, None));
        assert!(read("smtp://u:secret@m", false).unwrap_err().contains("FAREGATE_SMTP_PASSWORD"));
        for bad in [
            "",
            "mail",
            "http://m",
            "smtp://",
            "smtp://m:0",
            "smtp://m:x",
            "smtp://@m",
            "smtp://m/x",
            "smtp://m x",
            "smtp://[::g]",
        ] {
            assert!(read(bad, false).unwrap_err().contains("such as"), "{bad}");
        }
        assert!(read("smtps://m", true).is_err());
    }
}
