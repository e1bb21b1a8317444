//! Rust's text in as much detail as imports need: words, marks, and what stands in quotes. Comments are
//! left out, and so is all that is built for tests only.

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword; a number counts as one.
    Word(String),
    /// One character of punctuation; a path's `::` is one, `':'`, twice.
    Mark(char),
    /// What a literal says, without its quotes; escapes are left as they are.
    Text(String),
}

impl Token {
    /// The word, if it is one.
    pub fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }

    /// Whether it is this mark, or this word.
    pub fn is(&self, what: &str) -> bool {
        match self {
            Self::Word(word) => word == what,
            Self::Mark(mark) => what.chars().eq([*mark]),
            Self::Text(_) => false,
        }
    }
}

/// The tokens of what ships of a file.
pub fn shipped(text: &str) -> Vec<Token> {
    without_tests(&tokens(text))
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let (mut all, mut n) = (Vec::new(), 0);
    while n < chars.len() {
        let c = at(n);
        if c == '/' && at(n + 1) == '/' {
            while n < chars.len() && at(n) != '\n' {
                n += 1;
            }
        } else if c == '/' && at(n + 1) == '*' {
            n = end_of_comment(&chars, n);
        } else if let Some((said, end)) = literal(&chars, n) {
            all.push(Token::Text(said));
            n = end;
        } else if is_name(c) {
            let start = n;
            while is_name(at(n)) {
                n += 1;
            }
            all.push(Token::Word(chars[start..n].iter().collect()));
        } else {
            if !c.is_whitespace() {
                all.push(Token::Mark(c));
            }
            n += 1;
        }
    }
    all
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn end_of_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut n) = (0_usize, start);
    while n < chars.len() {
        match chars.get(n..n + 2) {
            Some(['/', '*']) => (depth, n) = (depth + 1, n + 2),
            Some(['*', '/']) => (depth, n) = (depth - 1, n + 2),
            _ => n += 1,
        }
        if depth == 0 {
            break;
        }
    }
    n
}

/// A string or a character that begins here, and where it ends. A lifetime is neither.
fn literal(chars: &[char], start: usize) -> Option<(String, usize)> {
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let mut n = start;
    while matches!(at(n), 'b' | 'c' | 'r') && n - start < 2 {
        n += 1;
    }
    let raw = n > start && at(n - 1) == 'r';
    let hashes = if raw { (n..chars.len()).take_while(|n| at(*n) == '#').count() } else { 0 };
    n += hashes;
    let quote = at(n);
    let is_text = quote == '"';
    let is_char = quote == '\'' && !raw && (at(n + 1) == '\\' || at(n + 2) == '\'');
    if !is_text && !is_char {
        return None;
    }
    n += 1;
    let from = n;
    while n < chars.len() {
        if !raw && at(n) == '\\' {
            n += 2;
        } else if at(n) == quote && (1..=hashes).all(|h| at(n + h) == '#') {
            break;
        } else {
            n += 1;
        }
    }
    let said = chars.get(from..n).unwrap_or_default().iter().collect();
    Some((said, n + 1 + hashes))
}

/// Leaves out every item under `#[cfg(test)]` or `#[test]`.
fn without_tests(all: &[Token]) -> Vec<Token> {
    let (mut kept, mut n) = (Vec::new(), 0);
    while n < all.len() {
        if all[n].is("#") && all.get(n + 1).is_some_and(|next| next.is("[")) {
            let end = end_of_group(all, n + 1);
            let says: Vec<&str> = all[n + 2..end].iter().filter_map(Token::word).collect();
            if matches!(says[..], ["test"] | ["cfg", "test"] | ["cfg", "all", "test", ..]) {
                n = end_of_item(all, end);
            } else {
                kept.extend_from_slice(&all[n..end]);
                n = end;
            }
        } else {
            kept.push(all[n].clone());
            n += 1;
        }
    }
    kept
}

/// Where an item ends: behind its semicolon or comma, or its braces.
fn end_of_item(all: &[Token], start: usize) -> usize {
    let mut n = start;
    while n < all.len() {
        if all[n].is("{") {
            return end_of_group(all, n);
        }
        if all[n].is(";") || all[n].is(",") {
            return n + 1;
        }
        if all[n].is("}") {
            return n;
        }
        n = if all[n].is("(") || all[n].is("[") { end_of_group(all, n) } else { n + 1 };
    }
    n
}

/// Behind the bracket that closes the one at `start`.
pub fn end_of_group(all: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    for (n, token) in all.iter().enumerate().skip(start) {
        if ["(", "[", "{"].iter().any(|open| token.is(open)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|close| token.is(close)) {
            depth -= 1;
            if depth == 0 {
                return n + 1;
            }
        }
    }
    all.len()
}
