//! Who asks: the credential of a request, looked for in the configured places, in order.
//!
//! A key that is malformed is turned away here, without asking the ledger. A place that holds something
//! which isn't a Faregate key at all (a bearer token meant for the service, say) is passed over, and only
//! counts against the caller when no other place holds a key.
//!
//! Whom this worker sells to from a sublease, or refused a moment ago, is known by the very bytes of its key, so those are not
//! checked again: sublease and refusal are of a key that had been.

use super::recent::RefusalCache;
use super::subject::{self, Subject};
use crate::decide::base::head::Head;
use crate::decide::base::sorted_map::Handle;
use crate::decide::lease::credential::Credential;
use crate::decide::lease::shared::Names;
use crate::decide::refusal::Refusal;
use crate::decide::settings::Identity;
use crate::decide::settlement::Settlements;
use faregate_protocol::{RefusalCode, api_key};

/// The caller, as the request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller<'a> {
    shown: Shown<'a>,
    /// Where its sublease is, if it has one.
    pub sublease: Handle,
    /// Where its refusal is, if it has no sublease, and is known to have been refused.
    pub refused: Handle,
    /// What a later place holds, behind a subject.
    fallback: Option<Shown<'a>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown<'a> {
    /// A well-formed API key, so it is ASCII.
    Key(&'a [u8]),
    Subject(String),
}

impl Shown<'_> {
    fn kept(self) -> Credential {
        match self {
            Self::Key(key) => Credential::Key(String::from_utf8(key.to_vec()).unwrap_or_default()),
            Self::Subject(subject) => Credential::Subject(subject),
        }
    }
}

impl Caller<'_> {
    /// What it shows, to be kept, and what is behind that.
    pub fn credentials(self) -> (Credential, Option<Credential>) {
        (self.shown.kept(), self.fallback.map(Shown::kept))
    }
}

/// Those who are known.
#[derive(Clone, Copy)]
pub struct KnownCallers<'a> {
    /// Who has a sublease.
    pub subleases: &'a Settlements,
    /// Who was refused.
    pub refused: &'a RefusalCache,
    /// What their leases are called.
    pub names: &'a Names,
}

/// Why a request has no usable credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCredential {
    /// None in any of the places.
    Missing,
    /// The value is not a key: wrong length, alphabet or checksum.
    Malformed,
    /// The same place holds more than one.
    Twice,
}

enum Found<'a> {
    Nothing,
    NoKey,
    Twice,
    Caller(Caller<'a>),
}

/// Looks in each place in turn; `property` reads an attribute of Envoy's.
///
/// # Errors
/// Says why there is no usable credential.
pub fn find<'a>(
    places: &[Identity],
    head: &Head<'a>,
    property: impl Fn(&[String]) -> Option<Vec<u8>>,
    known: KnownCallers<'_>,
) -> Result<Caller<'a>, NoCredential> {
    let mut verdict = NoCredential::Missing;
    let mut subject_found: Option<Caller<'a>> = None;
    for place in places {
        let found = match place {
            Identity::Header(name) => only(head.values(name), known),
            Identity::Bearer => bearer(head, known),
            Identity::Query(name) => only(parameters(head, name), known),
            Identity::Cookie(name) => only(cookies(head, name), known),
            Identity::Property(path) => subject(subject::read(path, &property), known),
        };
        match found {
            Found::Caller(caller) => match (&mut subject_found, &caller.shown) {
                // A caller with a sublease is known and needs no other credential.
                (None, Shown::Subject(_)) if caller.sublease == Handle::default() => {
                    subject_found = Some(caller);
                }
                (None, _) => return Ok(caller),
                (Some(subject), _) => {
                    subject.fallback = Some(caller.shown);
                    break;
                }
            },
            Found::Twice if subject_found.is_none() => return Err(NoCredential::Twice),
            Found::NoKey => verdict = NoCredential::Malformed,
            Found::Twice | Found::Nothing => {}
        }
    }
    subject_found.ok_or(verdict)
}

fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>, known: KnownCallers<'_>) -> Found<'a> {
    match (values.next(), values.next()) {
        (None, _) => Found::Nothing,
        (Some(_), Some(_)) => Found::Twice,
        (Some(value), None) => key(value, known, true),
    }
}

/// Classifies a value found in a key's place; `joined` if a comma in it separates two of them.
fn key<'a>(value: &'a [u8], known: KnownCallers<'_>, joined: bool) -> Found<'a> {
    let sublease = known.subleases.of_key(known.names, value);
    let has_sublease = sublease != Handle::default();
    let refused = if has_sublease { Handle::default() } else { known.refused.of_key(known.names, value) };
    if !has_sublease && refused == Handle::default() {
        // Envoy joins a header that is sent twice; each half would pass for a key of its own.
        if joined && value.contains(&b',') {
            return Found::Twice;
        }
        if !api_key::is_well_formed(value) {
            return Found::NoKey;
        }
    }
    Found::Caller(Caller { shown: Shown::Key(value), sublease, refused, fallback: None })
}

fn bearer<'a>(head: &Head<'a>, known: KnownCallers<'_>) -> Found<'a> {
    let mut values = head.values("authorization");
    let value = match (values.next(), values.next()) {
        (None, _) => return Found::Nothing,
        (Some(_), Some(_)) => return Found::Twice,
        (Some(value), None) => value,
    };
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            key(token.trim_ascii(), known, token.starts_with(b"fg_"))
        }
        _ => Found::Nothing,
    }
}

fn parameters<'a, 'n>(head: &Head<'a>, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    let pairs = head.query().unwrap_or_default().split(|b| *b == b'&');
    pairs.filter_map(move |pair| value_of(pair, name))
}

fn cookies<'a, 'n>(head: &Head<'a>, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
    let pairs = head.values("cookie").flat_map(|value| value.split(|b| *b == b';'));
    pairs.filter_map(move |pair| value_of(pair.trim_ascii(), name))
}

/// The value of a pair `name=value`, if that is its name.
pub(super) fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, value) = pair.split_at_checked(name.len())?;
    if found != name.as_bytes() {
        return None;
    }
    match value.split_first() {
        Some((b'=', value)) => Some(value),
        None => Some(value),
        Some(_) => None,
    }
}

fn subject<'a>(subject: Subject, known: KnownCallers<'_>) -> Found<'a> {
    match subject {
        Subject::Absent => Found::Nothing,
        Subject::Unfit => Found::NoKey,
        Subject::Text(text) => {
            let sublease = known.subleases.of_subject(known.names, &text);
            Found::Caller(Caller {
                shown: Shown::Subject(text),
                sublease,
                refused: Handle::default(),
                fallback: None,
            })
        }
    }
}

/// The path without the query parameters that may hold a key; `None` when it holds none of them.
pub fn without_key(places: &[Identity], path: &[u8]) -> Option<Vec<u8>> {
    if !places.iter().any(|place| matches!(place, Identity::Query(_))) {
        return None;
    }
    let at = path.iter().position(|b| *b == b'?')?;
    let (before, query) = path.split_at_checked(at)?;
    let is_key = |pair: &&[u8]| {
        places.iter().any(|place| matches!(place, Identity::Query(name) if value_of(pair, name).is_some()))
    };
    let pairs = || query.get(1..).unwrap_or_default().split(|b| *b == b'&');
    if !pairs().any(|pair| is_key(&pair)) {
        return None;
    }
    let mut path = before.to_vec();
    for pair in pairs().filter(|pair| !is_key(pair)) {
        path.push(if path.len() == at { b'?' } else { b'&' });
        path.extend(pair);
    }
    Some(path)
}

/// The refusal of a request without a credential in any of these places.
pub(in crate::decide) fn no_credential(why: NoCredential, places: &[Identity]) -> Refusal {
    let trusted_identity = places.iter().all(|place| matches!(place, Identity::Property(_)));
    let (code, hint) = match why {
        NoCredential::Missing => (RefusalCode::MissingKey, None),
        NoCredential::Malformed => (
            RefusalCode::InvalidKey,
            Some("The API key is not one of ours: check that it was copied completely."),
        ),
        NoCredential::Twice => {
            (RefusalCode::InvalidKey, Some("The API key was sent more than once: send it once."))
        }
    };
    Refusal { hint, trusted_identity, ..Refusal::plain(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        api_key::compose(&[byte; api_key::SECRET_LEN]).unwrap()
    }

    fn places() -> Vec<Identity> {
        vec![
            Identity::Header("x-api-key".into()),
            Identity::Bearer,
            Identity::Query("api_key".into()),
            Identity::Cookie("fg".into()),
            Identity::Property(vec!["san".into()]),
        ]
    }

    fn look(headers: &[(&str, &str)]) -> Result<Credential, NoCredential> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        find_in(&headers, None)
    }

    /// By a worker that knows no callers.
    fn find_in(headers: &[(String, Vec<u8>)], subject: Option<&[u8]>) -> Result<Credential, NoCredential> {
        let (subleases, refused) = (Settlements::default(), RefusalCache::default());
        let names = Names::new("ledger", "ledger");
        let strangers = KnownCallers { subleases: &subleases, refused: &refused, names: &names };
        let property = |_: &[String]| subject.map(<[u8]>::to_vec);
        find(&places(), &Head::new(headers), property, strangers).map(|caller| caller.credentials().0)
    }

    #[test]
    fn a_key_is_found_in_each_configured_location() {
        let (a, b) = (key(1), key(2));
        let found = Ok(Credential::Key(a.clone()));
        assert_eq!(look(&[("x-api-key", &a)]), found);
        assert_eq!(look(&[("authorization", &format!("bearer {a}"))]), found);
        assert_eq!(look(&[(":path", &format!("/x?y=1&api_key={a}&z"))]), found);
        assert_eq!(look(&[("cookie", &format!("a=b; fg={a}; fgx=1"))]), found);
        assert_eq!(look(&[("x-api-key", &a), ("authorization", &format!("Bearer {b}"))]), found, "in order");
    }

    #[test]
    fn a_key_without_a_cell_is_accepted_in_every_location() {
        let old = "fg_live_EFGHIJKLMNOPQRSTUVWXYZabcdefghij1aG4n0";
        let found = Ok(Credential::Key(old.into()));
        assert_eq!(look(&[("x-api-key", old)]), found);
        assert_eq!(look(&[("authorization", &format!("Bearer {old}"))]), found);
        assert_eq!(look(&[(":path", &format!("/x?api_key={old}"))]), found);
        assert_eq!(look(&[("x-api-key", &old.replace('E', "F"))]), Err(NoCredential::Malformed));
    }

    #[test]
    fn a_foreign_bearer_token_does_not_hide_a_key() {
        let a = key(1);
        assert_eq!(
            look(&[("authorization", "Bearer eyJhbGciOi.J9"), ("cookie", &format!("fg={a}"))]),
            Ok(Credential::Key(a))
        );
        assert_eq!(look(&[("authorization", "Basic dTpw")]), Err(NoCredential::Missing));
    }

    #[test]
    fn missing_malformed_and_duplicate_keys_are_refused() {
        let a = key(1);
        assert_eq!(look(&[]), Err(NoCredential::Missing));
        assert_eq!(look(&[("x-api-key", a.trim_start_matches('f'))]), Err(NoCredential::Malformed));
        assert_eq!(look(&[("x-api-key", "")]), Err(NoCredential::Malformed));
        assert_eq!(look(&[("x-api-key", &a), ("x-api-key", &a)]), Err(NoCredential::Twice));
        assert_eq!(look(&[("x-api-key", &format!("{a},{a}"))]), Err(NoCredential::Twice));
        assert_eq!(look(&[(":path", &format!("/?api_key={a}&api_key={a}"))]), Err(NoCredential::Twice));
        let headers = [("x-api-key".to_owned(), vec![0xff, 0xfe])];
        assert_eq!(find_in(&headers, None), Err(NoCredential::Malformed));
    }

    #[test]
    fn a_trusted_subject_is_taken_from_an_attribute() {
        let look = |value: &[u8]| find_in(&[], Some(value));
        assert_eq!(look(b"spiffe://a/b"), Ok(Credential::Subject("spiffe://a/b".into())));
        assert_eq!(look(b""), Err(NoCredential::Missing));
        assert_eq!(look(&[0xff]), Err(NoCredential::Malformed));
        assert_eq!(look(&[b'x'; 2_000]), Err(NoCredential::Malformed));
    }

    #[test]
    fn the_key_is_removed_from_the_query() {
        let cut = |path: &str| without_key(&places(), path.as_bytes()).map(|p| String::from_utf8(p).unwrap());
        assert_eq!(cut("/x?api_key=secret"), Some("/x".into()));
        assert_eq!(cut("/x?a=1&api_key=secret&b=2"), Some("/x?a=1&b=2".into()));
        assert_eq!(cut("/x?a=1&api_key_not=2"), None);
        assert_eq!(cut("/x"), None);
    }
}
