//! One canonical spelling for a path with escapes, and for the host of a request.
//!
//! The canonical form of a path has every visible ASCII character as itself, except `/`, `?`, `#`, `\` and `%`, and all else
//! as an escape in capital letters. What must hold: two spellings that an API treats as the same path have the same form,
//! whatever Envoy normalised before; escapes are decoded only once; and a path without escapes needs no work.

/// The longest authority that is taken apart, in bytes. No name in the DNS is as long as that.
const MOST_AUTHORITY: usize = 1_024;

/// The canonical form, of a path or of an authority. A `%` not followed by two digits is literal.
#[inline(never)]
pub fn canonical(raw: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let escaped = if byte == b'%' { escape(behind) } else { None };
        if escaped.is_some() {
            rest = behind.get(2..).unwrap_or_default();
        }
        let byte = match escaped {
            Some(decoded) if decoded.is_ascii_graphic() && !b"/?#\\%".contains(&decoded) => {
                form.push(decoded);
                continue;
            }
            Some(decoded) => decoded,
            // Left as it is, a `%` would make an escape with what is decoded behind it: `%2%32` would be `%22`.
            None if byte.is_ascii_graphic() && byte != b'%' => {
                form.push(byte);
                continue;
            }
            None => byte,
        };
        form.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
    }
    form
}

/// The byte that the two digits behind a `%` stand for.
pub fn escape(behind: &[u8]) -> Option<u8> {
    let [high, low] = *behind.first_chunk()?;
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(value(high)? << 4 | value(low)?)
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'A' - 10 + value }
}

/// What a request's authority says about the host. Envoy passes on what isn't a host alone, such as `user@a`, `a,b` (that is
/// what two `host` headers are joined to) and `a.`.
pub enum Hosts<'a> {
    /// One host.
    One(&'a [u8]),
    /// What different readers take for the host, with a comma behind each.
    Several(Vec<u8>),
    /// Longer than any host.
    Endless,
}

impl<'a> Hosts<'a> {
    /// Takes an authority apart.
    pub fn read(authority: &'a [u8]) -> Self {
        if authority.len() > MOST_AUTHORITY {
            return Self::Endless;
        }
        if !authority.iter().any(|byte| b"%,@".contains(byte)) {
            return Self::One(without_port(authority));
        }
        let mut hosts = Vec::new();
        for part in canonical(authority).split(|byte| *byte == b',') {
            let behind = part.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
            let (user, host) = part.split_at_checked(behind).unwrap_or_default();
            hosts.extend_from_slice(without_port(host));
            hosts.push(b',');
            // Who looks for a port only reads `a` in `a:80@b`.
            if user.contains(&b':') {
                hosts.extend_from_slice(without_port(user));
                hosts.push(b',');
            }
        }
        Self::Several(hosts)
    }
}

/// A host without its port, and without the dots at its end, which say only that its name is complete.
fn without_port(authority: &[u8]) -> &[u8] {
    let end = match authority.first() {
        Some(b'[') => authority.iter().position(|byte| *byte == b']').map(|at| at + 1),
        _ => authority.iter().position(|byte| *byte == b':'),
    };
    let mut host = authority.get(..end.unwrap_or(authority.len())).unwrap_or_default();
    while let Some(shorter) = host.strip_suffix(b".") {
        host = shorter;
    }
    host
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(raw: &str) -> String {
        String::from_utf8(canonical(raw.as_bytes())).unwrap()
    }

    #[test]
    fn spellings_of_one_path_share_a_canonical_form() {
        for (raw, same) in [
            ("/g%3AgenerateContent", "/g:generateContent"),
            ("/%40%2B%21%24%26%27%28%29%2a%2C%3B%3D", "/@+!$&'()*,;="),
            ("/gr%c3%b6%C3%9fe", "/gr%C3%B6%C3%9Fe"),
            ("/größe", "/gr%C3%B6%C3%9Fe"),
            ("/a%zz", "/a%25zz"),
            ("/a%4", "/a%254"),
            ("/a%", "/a%25"),
            ("/%2%32", "/%2522"),
            ("/%7euser/%5B1%5d/%7c%22%7B", "/~user/[1]/|\"{"),
        ] {
            assert_eq!(form(raw), same, "{raw}");
        }
    }

    #[test]
    fn different_paths_stay_different() {
        for raw in ["/a%2Fb", "/a%5Cb", "/a%3Fb", "/a%23b", "/a%00b", "/a%253Ab", "/a;b", "/A"] {
            assert_eq!(form(raw), raw);
        }
        assert_eq!(form("/a%2fb"), "/a%2Fb");
        assert_eq!(form("/a%2541"), "/a%2541", "escapes are decoded once");
    }

    #[test]
    fn a_host_is_read_in_every_way_an_upstream_may_read_it() {
        let hosts = |authority: &str| match Hosts::read(authority.as_bytes()) {
            Hosts::One(host) => vec![host.to_vec()],
            Hosts::Several(hosts) => hosts.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect(),
            Hosts::Endless => Vec::new(),
        };
        for (authority, read) in [
            ("a.example", vec!["a.example"]),
            ("a.example.", vec!["a.example"]),
            ("a.example.:80", vec!["a.example"]),
            ("a.example:80:90", vec!["a.example"]),
            ("[::1]:80", vec!["[::1]"]),
            ("[::1", vec!["[::1"]),
            ("user@a.example:80", vec!["a.example"]),
            ("user:secret@a.example", vec!["a.example", "user"]),
            ("a.example:80@b", vec!["b", "a.example"]),
            ("a.example,b:80", vec!["a.example", "b"]),
            ("a%2eexample", vec!["a.example"]),
            ("a%2Cb", vec!["a", "b"]),
            ("", vec![""]),
        ] {
            let read: Vec<_> = read.iter().map(|host| host.as_bytes().to_vec()).collect();
            let mut hosts = hosts(authority);
            if authority.contains(['%', ',', '@']) {
                assert_eq!(hosts.pop(), Some(Vec::new()), "behind the last comma");
            }
            assert_eq!(hosts, read, "{authority}");
        }
        assert_eq!(hosts(&"a".repeat(1_025)).len(), 0);
    }

    proptest! {
        #[test]
        fn canonicalization_is_idempotent(raw in proptest::collection::vec(prop_oneof![Just(b'%'), Just(b'2'), Just(b'f'), any::<u8>()], 0..40)) {
            let once = canonical(&raw);
            prop_assert_eq!(canonical(&once), once.clone());
            prop_assert!(once.iter().all(u8::is_ascii_graphic));
        }
    }
}
