//! Keeps passwords out of what is printed: errors repeat what was typed, and that may be the URL of a database.

/// What is behind the scheme of a URL, and before a user and a password.
const SCHEME: &str = "://";
/// What our own advice has in their places.
const EXAMPLES: [&str; 2] = ["user", "user:password"];
/// What is before a password in other ways to name a database.
const OPTION: &str = "password=";

/// A text without the users and passwords of URLs in it.
///
/// All from a scheme to the last `@` before the next scheme, or before the end of the line, is left out, because a password
/// may have blanks or an `@` in it. So is the word behind `password=`.
pub fn without_passwords(text: &str) -> String {
    text.split_inclusive('\n').map(|line| without_option(&without_user(line))).collect()
}

fn without_user(line: &str) -> String {
    let Some((before, rest)) = line.split_once(SCHEME) else { return line.to_owned() };
    let (url, behind) = rest.split_at(rest.find(SCHEME).unwrap_or(rest.len()));
    let shown = match url.rfind('@').map(|at| url.split_at(at)) {
        Some((user, url)) if !EXAMPLES.contains(&user) => ["…", url].concat(),
        _ => url.to_owned(),
    };
    [before, SCHEME, &shown, &without_user(behind)].concat()
}

fn without_option(line: &str) -> String {
    let Some(begin) = line.find(OPTION).map(|at| at.saturating_add(OPTION.len())) else {
        return line.to_owned();
    };
    let (before, rest) = line.split_at(begin);
    let (quote, password) = rest.strip_prefix('\'').map_or(("", rest), |rest| ("'", rest));
    let ends = |c: char| if quote.is_empty() { c.is_whitespace() || "'\"`".contains(c) } else { c == '\'' };
    let rest = password.split_at(password.find(ends).unwrap_or(password.len())).1;
    [before, quote, "…", &without_option(rest)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_removed_from_any_text() {
        for (text, left) in [
            ("error: postgres://me:p@ss@h/db\nbye", "error: postgres://…@h/db\nbye"),
            ("'postgresql://me:p ss@h/db' found", "'postgresql://…@h/db' found"),
            ("postgres://me:p@h/a and postgres://me:p@h/b", "postgres://…@h/a and postgres://…@h/b"),
            (
                "neither postgres:// nor postgresql://; write postgres://user:password@host/database",
                "neither postgres:// nor postgresql://; write postgres://user:password@host/database",
            ),
            (
                "can't connect to postgres://h:5432/db: refused",
                "can't connect to postgres://h:5432/db: refused",
            ),
            ("host=h password=p@ss user=me", "host=h password=… user=me"),
            ("host=h password='p ss' user=me", "host=h password='…' user=me"),
            ("postgres://h/db?password=p&ss' found", "postgres://h/db?password=…' found"),
            ("mysql://me:p@h/db", "mysql://…@h/db"),
            ("password=", "password=…"),
            ("no secret\n", "no secret\n"),
        ] {
            assert_eq!(without_passwords(text), left);
        }
    }
}
