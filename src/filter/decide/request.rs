//! The head of a request as the gate reads it: once, as bytes, because nothing promises UTF-8.

/// A request's pseudo-headers and headers. Names are lower case, as Envoy gives them.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    headers: &'a [(String, Vec<u8>)],
    method: &'a [u8],
    path: &'a [u8],
    /// Where the query begins, or the path ends.
    query_at: usize,
    authority: &'a [u8],
}

impl<'a> Head<'a> {
    /// Over the header map of one request.
    pub fn new(headers: &'a [(String, Vec<u8>)]) -> Self {
        let mut head = Self { headers, method: b"", path: b"", query_at: 0, authority: b"" };
        for (name, value) in headers {
            match name.as_str() {
                ":method" => head.method = value,
                ":path" => head.path = value,
                ":authority" => head.authority = value,
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
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    /// The first value of a header.
    pub fn value(&self, name: &'a str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The names of all headers.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }
}
