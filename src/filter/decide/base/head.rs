//! A request's headers as the gate reads them: once, and as bytes, because they need not be UTF-8.

use super::bytes::{HIGHEST, is_byte, pack_bytes, same};

/// Headers of this prefix are ours alone: a client's are removed, and those that an API could take for them.
const OURS: &[u8] = b"x-faregate-";
/// How the names begin that are looked for in every head.
const METHOD: u32 = u32::from_le_bytes(*b":met");
const PATH: u32 = u32::from_le_bytes(*b":pat");
const AUTHORITY: u32 = u32::from_le_bytes(*b":aut");
const OUR: u32 = u32::from_le_bytes(*b"x\0fa");
/// All but the second byte, which may be any separator.
const OUR_MASK: u32 = u32::from_le_bytes(*b"\xff\0\xff\xff");
/// A size as a header map encodes it.
type Size = [u8; 4];

/// A request's pseudo-headers and headers. Names are lower case, as Envoy gives them.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    headers: Walk<'a>,
    method: &'a [u8],
    path: &'a [u8],
    /// Where the query begins, or the path ends.
    query_at: usize,
    /// Whether there is a path, without escapes and without anything beyond ASCII.
    is_plain: bool,
    authority: &'a [u8],
    /// Whether there are headers of ours.
    ours: bool,
    /// Whether there is nothing behind the head, no body and no trailers, as it is taken for unless something else is said.
    pub ends: bool,
}

impl<'a> Head<'a> {
    /// Over a header map as Envoy hands it over, read in place: how many pairs, the two sizes of each, and then names and
    /// values, each with a zero behind. Of bytes that are something else nothing is read.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is cut off is past the end, and then nothing is read"
    )]
    pub fn read(map: &'a [u8]) -> Self {
        let walk = Walk::over(map).unwrap_or_default();
        let mut head = Self::over(walk);
        let mut at = 0_u64;
        for [name, value] in walk.sizes {
            let (from, name, value) =
                (at as usize, u32::from_le_bytes(*name) as usize, u32::from_le_bytes(*value) as usize);
            // Of all others nothing has to be known now.
            if let Some(four) = walk.four(from)
                && (matches!(four, METHOD | PATH | AUTHORITY) || four & OUR_MASK == OUR)
                && let Some((name, value)) = walk.pair(from, name, value)
            {
                head.see(name, value);
            }
            at += name as u64 + value as u64 + 2;
        }
        // Only now is it known that all of it is there.
        if at > walk.texts.len() as u64 {
            return Self::over(Walk::default());
        }
        head.find_query();
        head
    }

    /// Over headers that come from elsewhere.
    pub fn new(headers: &'a [(String, Vec<u8>)]) -> Self {
        let mut head = Self::over(Walk { list: headers, ..Walk::default() });
        for (name, value) in headers {
            head.see(name.as_bytes(), value);
        }
        head.find_query();
        head
    }

    fn over(headers: Walk<'a>) -> Self {
        Self {
            headers,
            method: b"",
            path: b"",
            query_at: 0,
            is_plain: false,
            authority: b"",
            ours: false,
            ends: true,
        }
    }

    /// Keeps what is looked for in every head. Byte by byte: the compiler compares a whole name by a call.
    fn see(&mut self, name: &[u8], value: &'a [u8]) {
        match name {
            [b':', b'm', b'e', b't', b'h', b'o', b'd'] => self.method = value,
            [b':', b'p', b'a', b't', b'h'] => self.path = value,
            [b':', b'a', b'u', b't', b'h', b'o', b'r', b'i', b't', b'y'] => self.authority = value,
            [b'x', _, b'f', ..] => self.ours |= is_reserved(name),
            _ => {}
        }
    }

    fn find_query(&mut self) {
        let (mut at, mut odd) = (0, 0);
        for chunk in self.path.chunks(8) {
            let eight = pack_bytes(chunk);
            let ends = is_byte(eight, b'?');
            // Of eight bytes those before the query; all of them if it doesn't begin here.
            let path = (ends & ends.wrapping_neg()).wrapping_sub(1);
            odd |= (is_byte(eight, b'%') | (eight & HIGHEST)) & path;
            if ends != 0 {
                at += ends.trailing_zeros() as usize / 8;
                break;
            }
            at += chunk.len();
        }
        self.query_at = at;
        self.is_plain = at > 0 && odd == 0;
    }

    /// The method, such as `GET`.
    pub fn method(&self) -> &'a [u8] {
        self.method
    }

    /// The path with its query.
    pub fn path_and_query(&self) -> &'a [u8] {
        self.path
    }

    /// The path without its query.
    pub fn path(&self) -> &'a [u8] {
        self.path.get(..self.query_at).unwrap_or_default()
    }

    /// Whether there is a path, and in canonical form already: it has no escapes, and nothing that would have to be escaped.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The query behind the first `?`, without it.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.path.get(self.query_at + 1..)
    }

    /// The host that is asked, as the client wrote it, perhaps with a port.
    pub fn authority(&self) -> &'a [u8] {
        self.authority
    }

    /// The same request with another method.
    #[must_use]
    pub fn with_method(&self, method: &'a [u8]) -> Self {
        Self { method, ..self.clone() }
    }

    /// Every value of a header, in order.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let mut rest = self.headers;
        std::iter::from_fn(move || rest.find(name.as_bytes()))
    }

    /// The first value of a header.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        let mut rest = self.headers;
        rest.find(name.as_bytes())
    }

    /// Whether there are headers that are ours alone.
    pub fn has_reserved(&self) -> bool {
        self.ours
    }

    /// The names of headers that are ours alone, which no client may send.
    pub fn ours(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = if self.ours { self.headers } else { Walk::default() };
        std::iter::from_fn(move || rest.next(None)).map(|(name, _)| name).filter(|name| is_reserved(name))
    }

    /// Headers whose names begin with four bytes of these, in order. Others cost a look at their sizes and their first bytes.
    pub fn beginning<F: Fn([u8; 4]) -> bool>(
        &self,
        these: F,
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a, F> {
        let mut rest = self.headers;
        std::iter::from_fn(move || {
            rest.next_where(|walk, from, _| walk.four(from).is_some_and(|four| these(four.to_le_bytes())))
        })
    }

    /// All headers, in order.
    pub fn all(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.headers;
        std::iter::from_fn(move || rest.next(None))
    }
}

/// Whether a header is ours, or becomes one of ours for an API that knows headers as CGI does: there every character
/// that is neither a letter nor a digit is an underscore.
pub fn is_reserved(name: &[u8]) -> bool {
    let same = |(ours, byte): (&u8, &u8)| match ours {
        b'-' => !byte.is_ascii_alphanumeric(),
        letter => letter == byte,
    };
    name.len() >= OURS.len() && OURS.iter().zip(name).all(same)
}

/// A walk over headers, wherever they are: what of them is ahead. A header map's sizes are looked at first, so that a
/// header of another name costs a comparison of two numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walk<'a> {
    sizes: &'a [[Size; 2]],
    /// All names and values of the map, and where those ahead begin.
    texts: &'a [u8],
    at: usize,
    list: &'a [(String, Vec<u8>)],
}

impl<'a> Walk<'a> {
    /// Over a header map as [`Head::read`] takes it.
    pub fn over(map: &'a [u8]) -> Option<Self> {
        let (count, rest) = map.split_first_chunk()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (sizes, texts) = rest.split_at_checked(count.checked_mul(8)?)?;
        Some(Self { sizes: sizes.as_chunks().0.as_chunks().0, texts, ..Self::default() })
    }

    /// The name that begins here, and its value.
    fn pair(&self, from: usize, name: usize, value: usize) -> Option<(&'a [u8], &'a [u8])> {
        let behind = from.wrapping_add(name);
        let at = behind.wrapping_add(1);
        Some((self.texts.get(from..behind)?, self.texts.get(at..at.wrapping_add(value))?))
    }

    /// The four bytes that begin here, as one number.
    fn four(&self, from: usize) -> Option<u32> {
        self.texts.get(from..from.wrapping_add(4))?.first_chunk().map(|four| u32::from_le_bytes(*four))
    }

    /// Shows the headers of a map whose names have a wanted length: all others cost next to nothing.
    #[inline]
    pub fn each(&self, wanted: impl Fn(u32) -> bool, mut see: impl FnMut(&'a [u8], &'a [u8])) {
        let mut at = 0_usize;
        for [name, value] in self.sizes {
            let (name, value) = (u32::from_le_bytes(*name), u32::from_le_bytes(*value) as usize);
            if wanted(name)
                && let Some((name, value)) = self.pair(at, name as usize, value)
            {
                see(name, value);
            }
            at = at.wrapping_add(name as usize).wrapping_add(value).wrapping_add(2);
        }
    }

    /// The next header: in a map, the next whose name has this length, if one is given.
    fn next(&mut self, len: Option<usize>) -> Option<(&'a [u8], &'a [u8])> {
        self.next_where(|_, _, name| len.is_none_or(|len| len == name))
    }

    /// The next header: in a map, the next one that is wanted, by where it begins and the length of its name.
    fn next_where(&mut self, wanted: impl Fn(&Self, usize, usize) -> bool) -> Option<(&'a [u8], &'a [u8])> {
        let (mut sizes, mut from) = (self.sizes, self.at);
        while let Some(([name, value], rest)) = sizes.split_first() {
            let (name, value) = (u32::from_le_bytes(*name) as usize, u32::from_le_bytes(*value) as usize);
            let here = from;
            from = here.wrapping_add(name).wrapping_add(value).wrapping_add(2);
            sizes = rest;
            if wanted(self, here, name) {
                (self.sizes, self.at) = (rest, from);
                return self.pair(here, name, value);
            }
        }
        self.sizes = sizes;
        let ((name, value), rest) = self.list.split_first()?;
        self.list = rest;
        Some((name.as_bytes(), value))
    }

    /// The value of the next header of this name.
    #[inline(never)]
    pub fn find(&mut self, wanted: &[u8]) -> Option<&'a [u8]> {
        while let Some((name, value)) = self.next(Some(wanted.len())) {
            if same(name, wanted) {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the proxy-wasm ABI writes it.
    fn written(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
        let size = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
        let mut map = size(headers.len()).to_vec();
        for (name, value) in headers {
            map.extend(size(name.len()));
            map.extend(size(value.len()));
        }
        for (name, value) in headers {
            map.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
        }
        map
    }

    proptest! {
        #[test]
        fn a_header_map_round_trips(headers in proptest::collection::vec((":?[a-z-]{0,12}|:method|:path|:authority|x[-_.]faregate[-_]?[a-z]{0,3}|x-api-key|x-a", proptest::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let map = written(&headers);
            let (read, new) = (Head::read(&map), Head::new(&headers));
            let all = |head: &Head<'_>| {
                let mut rest = head.headers;
                std::iter::from_fn(|| rest.next(None)).map(|(name, value)| (name.to_vec(), value.to_vec())).collect::<Vec<_>>()
            };
            let sent: Vec<_> = headers.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect();
            prop_assert_eq!((all(&read), all(&new)), (sent.clone(), sent.clone()));
            for head in [&read, &new] {
                let last = |wanted: &[u8]| sent.iter().rfind(|(name, _)| name == wanted).map(|(_, value)| value.as_slice()).unwrap_or_default();
                prop_assert_eq!((head.method(), head.path_and_query(), head.authority), (last(b":method"), last(b":path"), last(b":authority")));
                for (name, _) in &headers {
                    let values: Vec<_> = headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_slice()).collect();
                    prop_assert_eq!(head.value(name), values.first().copied());
                    prop_assert_eq!(head.values(name).collect::<Vec<_>>(), values);
                }
                let ours: Vec<_> = sent.iter().map(|(name, _)| name.as_slice()).filter(|name| is_reserved(name)).collect();
                prop_assert_eq!(head.has_reserved(), !ours.is_empty());
                prop_assert_eq!(head.ours().collect::<Vec<_>>(), ours);
            }
            // One that is cut off is none.
            let cut = Head::read(&map[..map.len() - 1]);
            prop_assert_eq!(all(&cut).len(), 0);
            prop_assert_eq!((cut.method(), cut.path(), cut.query()), (&b""[..], &b""[..], None));
        }

        #[test]
        fn the_path_ends_at_the_query_and_is_plain_without_escapes(path in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'?'), Just(b'%'), Just(0xc3), Just(b'@')], 0..30)) {
            let headers = [(":path".to_owned(), path.clone())];
            let head = Head::new(&headers);
            let mut parts = path.splitn(2, |byte| *byte == b'?');
            let before = parts.next().unwrap_or_default();
            prop_assert_eq!((head.path(), head.query()), (before, parts.next()));
            let plain = !before.is_empty() && before.iter().all(|byte| *byte != b'%' && byte.is_ascii());
            prop_assert_eq!(head.is_plain(), plain);
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut map in proptest::collection::vec(any::<u8>(), 0..200), count in any::<u32>()) {
            let look = |map: &[u8]| {
                let head = Head::read(map);
                let _ = (head.ours().count(), head.values("").count(), head.value("a"), head.path(), head.query(), head.authority());
            };
            look(&map);
            map.splice(..map.len().min(4), count.to_le_bytes());
            look(&map);
        }
    }
}
