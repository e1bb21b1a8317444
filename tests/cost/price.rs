//! What a step may cost, what it did cost, and what to say when these differ.

/// How far below its limit a count may be (percent) before the limit must follow.
const SLACK_PERCENT: u64 = 20;

/// What a step of a request's life may cost.
pub struct Price {
    /// The step.
    pub of: &'static str,
    /// How often Envoy enters the filter.
    pub entered: u64,
    /// The filter's calls to Envoy, in order.
    pub calls: &'static [&'static str],
    /// How often the filter allocates, be it for itself or for what Envoy hands it.
    pub allocations: u64,
    /// At most this many bytes are copied in and out.
    pub bytes: u64,
    /// At most this many WebAssembly instructions are executed, the allocator's included.
    pub instructions: u64,
}

/// What a step did cost; see [`Price`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub entered: u64,
    pub calls: Vec<String>,
    pub allocations: u64,
    pub bytes: u64,
    pub instructions: u64,
}

impl Price {
    /// What is wrong with what the step did cost.
    pub fn violations(&self, spent: &Spent) -> Vec<String> {
        let calls = other_calls(self.calls, &spent.calls).map(|said| format!("{}: {said}", self.of));
        let counts = [
            exactly(self.of, "entries into the filter", self.entered, spent.entered),
            exactly(self.of, "allocations", self.allocations, spent.allocations),
            at_most(self.of, "bytes copied", self.bytes, spent.bytes),
            at_most(self.of, "instructions", self.instructions, spent.instructions),
        ];
        calls.into_iter().chain(counts.into_iter().flatten()).collect()
    }
}

impl Spent {
    /// The entry of the table of prices that these counts would need, with limits a few percent above.
    pub fn entry(&self, of: &str) -> String {
        let Self { entered, calls, allocations, bytes, instructions } = self;
        let (bytes, instructions) =
            (readable(with_room(*bytes)), readable(with_room(*instructions).next_multiple_of(100)));
        let calls: Vec<String> = calls.iter().map(|name| format!("{name:?}")).collect();
        let calls: Vec<String> = calls.chunks(4).map(|some| some.join(", ")).collect();
        let calls = calls.join(",\n            ");
        format!(
            "    Price {{ of: {of:?}, entered: {entered}, allocations: {allocations}, bytes: {bytes}, instructions: {instructions},\n        calls: &[{calls}] }},"
        )
    }
}

/// An objection unless the count is what it was.
pub fn exactly(of: &str, what: &str, limit: u64, count: u64) -> Option<String> {
    (limit != count).then(|| moved(of, what, limit, count))
}

/// An objection if the count is above its limit, or so far below that the limit has lost its meaning.
pub fn at_most(of: &str, what: &str, limit: u64, count: u64) -> Option<String> {
    let far_below = count.saturating_mul(100 + SLACK_PERCENT) < limit.saturating_mul(100);
    (count > limit || far_below).then(|| moved(of, what, limit, count))
}

fn moved(of: &str, what: &str, limit: u64, count: u64) -> String {
    let by = limit.abs_diff(count);
    let percent = (by * 100).checked_div(limit).map_or_else(String::new, |percent| format!(", {percent} %"));
    if count > limit {
        format!("{of}: {what} rose from {limit} to {count} (by {by}{percent})")
    } else {
        format!("{of}: {what} fell from {limit} to {count} (by {by}{percent}): lower the limit")
    }
}

fn other_calls(limit: &[&str], calls: &[String]) -> Option<String> {
    if limit == calls {
        return None;
    }
    let mut more: Vec<&str> = calls.iter().map(String::as_str).collect();
    let mut fewer = limit.to_vec();
    fewer.retain(|name| match more.iter().position(|other| other == name) {
        Some(place) => {
            more.remove(place);
            false
        }
        None => true,
    });
    Some(match (more.join(", "), fewer.join(", ")) {
        (more, fewer) if more.is_empty() && fewer.is_empty() => "host calls come in another order".to_owned(),
        (more, fewer) if fewer.is_empty() => format!("host calls rose by {more}"),
        (more, fewer) if more.is_empty() => format!("host calls fell by {fewer}: shorten the list"),
        (more, fewer) => format!("host calls rose by {more} and fell by {fewer}"),
    })
}

fn with_room(count: u64) -> u64 {
    count + count / 33
}

/// A number as it is written in a table of this language.
pub fn readable(count: u64) -> String {
    match (count / 1_000, count % 1_000) {
        (0, count) => count.to_string(),
        (thousands, rest) => format!("{}_{rest:03}", readable(thousands)),
    }
}
