//! The head of a request as the gate reads it: once, as bytes, because nothing promises UTF-8.

/// A name and a value.
type Header<'a> = (&'a [u8], &'a [u8]);

/// A request's pseudo-headers and headers. Names are lower case, as Envoy gives them.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    headers: Vec<Header<'a>>,
    method: &'a [u8],
    path: &'a [u8],
    /// Where the query begins, or the path ends.
    query_at: usize,
    authority: &'a [u8],
}

impl<'a> Head<'a> {
    /// Over a header map as Envoy hands it over, read in place: how many pairs, the two sizes of each, and then names and
    /// values, each with a zero behind. Of bytes that are something else nothing is read.
    pub fn read(map: &'a [u8]) -> Self {
        Self::over(pairs(map).unwrap_or_default())
    }

    /// Over headers that come from elsewhere.
    pub fn new(headers: &'a [(String, Vec<u8>)]) -> Self {
        Self::over(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect())
    }

    fn over(headers: Vec<Header<'a>>) -> Self {
        let mut head = Self { headers, method: b"", path: b"", query_at: 0, authority: b"" };
        for (name, value) in &head.headers {
            match *name {
                b":method" => head.method = value,
                b":path" => head.path = value,
                b":authority" => head.authority = value,
                _ => {}
            }
        }
        head.query_at = head.path.iter().position(|b| *b == b'?').unwrap_or(head.path.len());
        head
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

    /// The query behind the first `?`, without it.
    pub fn query(&self) -> Option<&'a [u8]> {
        self.path.get(self.query_at + 1..)
    }

    /// The host that is asked, without a port.
    pub fn host(&self) -> &'a [u8] {
        if self.authority.starts_with(b"[") {
            let end =
                self.authority.iter().position(|b| *b == b']').map_or(self.authority.len(), |at| at + 1);
            return self.authority.get(..end).unwrap_or_default();
        }
        self.authority.split(|b| *b == b':').next().unwrap_or_default()
    }

    /// Whether a browser asks what a page may do, as it does before a request that could be charged: no page has a key
    /// to send with it, so it is never charged and never refused.
    pub fn is_preflight(&self) -> bool {
        self.method == b"OPTIONS"
            && self.value("origin").is_some()
            && self.value("access-control-request-method").is_some()
    }

    /// Every value of a header, in order.
    pub fn values(&self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(other, _)| *other == name.as_bytes()).map(|(_, value)| *value)
    }

    /// The first value of a header.
    pub fn value(&self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// All headers, in order.
    pub fn all(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.headers.iter().copied()
    }

    /// The names of all headers.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().map(|(name, _)| *name)
    }
}

fn pairs(map: &[u8]) -> Option<Vec<Header<'_>>> {
    let (count, rest) = map.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (sizes, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut take = |size: &[u8; 4]| {
        let (text, behind) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*size)).ok()?)?;
        rest = behind.get(1..)?;
        Some(text)
    };
    let mut pairs = Vec::with_capacity(count);
    for [name, value] in sizes.as_chunks().0.as_chunks().0 {
        pairs.push((take(name)?, take(value)?));
    }
    Some(pairs)
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
        fn a_map_is_read_as_it_was_written(headers in proptest::collection::vec((":?[a-z-]{0,12}", proptest::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let map = written(&headers);
            let (read, new) = (Head::read(&map), Head::new(&headers));
            prop_assert_eq!(&read.headers, &new.headers);
            prop_assert_eq!((read.method(), read.path(), read.query()), (new.method(), new.path(), new.query()));
            // One that is cut off is none.
            prop_assert_eq!(Head::read(&map[..map.len() - 1]).headers.len(), 0);
        }

        #[test]
        fn no_bytes_make_it_panic(mut map in proptest::collection::vec(any::<u8>(), 0..200), count in any::<u32>()) {
            let _ = Head::read(&map);
            map.splice(..map.len().min(4), count.to_le_bytes());
            let _ = Head::read(&map);
        }
    }
}
