//! Removes the caller's key from a request's headers and cookies, so that the API never sees it.
//!
//! What must hold: a value that begins like our keys is removed, wherever the configuration looks for one, valid or not;
//! all else stays, because it may be the API's own credential. (A key in the query is always removed:
//! [`super::identity::without_key`].)

use super::identity::value_of;
use crate::decide::base::head::Head;
use crate::decide::settings::Identity;

/// The prefix of all our keys, of any kind.
const KEY: &[u8] = b"fg_";

/// A header to be replaced, or removed where there is no value.
pub type Change<'a> = (&'a str, Option<Vec<u8>>);

/// The changes that take keys out of this head.
pub fn without_keys<'a>(places: &'a [Identity], head: &Head<'_>) -> Vec<Change<'a>> {
    let mut changes: Vec<Change<'a>> = Vec::new();
    for place in places {
        match place {
            Identity::Header(name) if head.values(name).any(holds_key) => changes.push((name, None)),
            Identity::Bearer if head.values("authorization").any(is_bearer_of_key) => {
                changes.push(("authorization", None));
            }
            _ => {}
        }
    }
    changes.extend(cookies(places, head));
    changes
}

fn holds_key(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().starts_with(KEY))
}

fn is_bearer_of_key(value: &[u8]) -> bool {
    value.split_at_checked(7).is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && token.trim_ascii().starts_with(KEY)
    })
}

/// The other cookies, if any of them holds a key.
fn cookies(places: &[Identity], head: &Head<'_>) -> Option<Change<'static>> {
    let has_key = |pair: &[u8], name: &str| value_of(pair, name).is_some_and(|value| value.starts_with(KEY));
    let hidden = |pair: &[u8]| {
        places.iter().any(|place| matches!(place, Identity::Cookie(name) if has_key(pair, name)))
    };
    let (mut left, mut found) = (Vec::new(), false);
    for value in head.values("cookie") {
        for pair in value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            if hidden(pair) {
                found = true;
            } else if !pair.is_empty() {
                left.extend_from_slice(if left.is_empty() { b"" } else { b"; " });
                left.extend_from_slice(pair);
            }
        }
    }
    found.then(|| ("cookie", (!left.is_empty()).then_some(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(headers: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let places = [
            Identity::Header("x-api-key".into()),
            Identity::Bearer,
            Identity::Query("api_key".into()),
            Identity::Cookie("fg".into()),
            Identity::Cookie("old".into()),
        ];
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        let changes = without_keys(&places, &Head::new(&headers));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        changes.into_iter().map(|(name, value)| (name.to_owned(), value.map(text))).collect()
    }

    #[test]
    fn keys_are_removed_and_the_apis_own_credentials_are_kept() {
        let gone = |name: &str| vec![(name.to_owned(), None)];
        assert_eq!(hidden(&[("x-api-key", "fg_live_a")]), gone("x-api-key"));
        assert_eq!(hidden(&[("x-api-key", "own"), ("x-api-key", " fg_live_a")]), gone("x-api-key"));
        assert_eq!(hidden(&[("x-api-key", "own, fg_live_a")]), gone("x-api-key"));
        assert_eq!(hidden(&[("authorization", "bEARER  fg_live_a")]), gone("authorization"));
        for own in ["Bearer eyJ", "Basic fg_live_a", "fg_live_a", "Bearer"] {
            assert_eq!(hidden(&[("authorization", own), ("x-api-key", "own"), ("x-other", "fg_live_a")]), []);
        }
    }

    #[test]
    fn other_cookies_are_kept() {
        let left = |text: &str| vec![("cookie".to_owned(), Some(text.to_owned()))];
        assert_eq!(hidden(&[("cookie", "a=1; fg=fg_live_a;b=x=y")]), left("a=1; b=x=y"));
        assert_eq!(
            hidden(&[("cookie", "a=1"), ("cookie", "old=fg_x; fg=fg_live_a"), ("cookie", "b")]),
            left("a=1; b")
        );
        assert_eq!(hidden(&[("cookie", "fg=fg_live_a")]), [("cookie".to_owned(), None)]);
        for own in ["a=fg_live_a", "fg=own; xfg=fg_live", "fg", ""] {
            assert_eq!(hidden(&[("cookie", own)]), []);
        }
    }
}
