//! Reads a route's deprecation notice: RFC 9745 (`deprecation`), RFC 8594 (`sunset`) and a link.
//!
//! What must hold: the headers are made once, when the configuration is read; a request only copies them.

use super::reader::Field;
use crate::decide::base::calendar::{self, Date};
use crate::decide::base::text::joined;

const DATE: &str = "a date such as \"2026-12-01\" or \"2026-12-01T12:00:00Z\"";

/// The notice to callers of a deprecated route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deprecation {
    /// The headers of every answer; a header that isn't set is empty. `link` may appear beside others of its name, the rest
    /// only once.
    pub headers: [(&'static str, String); 3],
    /// Where it says what to use instead.
    pub link: Option<String>,
}

/// Reads `deprecated` of a rule or of `default`; `None` where a fault was noted.
#[inline(never)]
pub(super) fn read(field: &Field<'_>) -> Option<Deprecation> {
    let object = field.object(&["since", "sunset", "link"]);
    let begins = read_date(&object.required("since"))?.seconds;
    let since = joined(&["@", &begins.to_string()]);
    let headers = [("deprecation", since), ("sunset", String::new()), ("link", String::new())];
    let mut read = Deprecation { headers, link: None };
    let [_, (_, sunset), (_, to)] = &mut read.headers;
    for field in object.members() {
        match field.name() {
            "sunset" => {
                let ends = read_date(&field)?;
                if ends.seconds < begins {
                    field.wrong_value("a date that is not before since");
                }
                *sunset = ends.imf_fixdate();
            }
            "link" => {
                let url = read_link(&field);
                *to = joined(&["<", &url, ">; rel=\"deprecation\""]);
                read.link = Some(url);
            }
            _ => {}
        }
    }
    Some(read)
}

fn read_date<'a>(field: &Field<'a>) -> Option<Date<'a>> {
    let date = field.as_str().and_then(calendar::read);
    if date.is_none() {
        field.wrong_value(DATE);
    }
    date
}

/// It is the same for every caller, so it has no placeholders.
fn read_link(field: &Field<'_>) -> String {
    let url = field.url();
    if url.contains('{') {
        field.wrong_value("a URL without blanks such as {account}");
    }
    url
}

#[cfg(test)]
mod tests {
    use crate::decide::settings::Settings;
    use serde_json::{Value, json};

    fn read(rule: &Value) -> Result<Settings, String> {
        let settings = json!({
            "ledger": {"cluster": "ledger", "token": {"env": "T"}},
            "identities": [{"bearer": true}],
            "rules": [rule],
            "default": "free"
        });
        Settings::from_value(&settings).map_err(|why| why.to_string())
    }

    #[test]
    fn deprecation_headers_are_built_when_the_configuration_is_read() {
        let deprecated = json!({"since": "2026-12-01", "sunset": "2027-06-30T12:00:00Z", "link": "https://example.com/migrate"});
        let settings = read(&json!({"price": "1", "deprecated": deprecated})).unwrap();
        let read_one = settings.rules[0].deprecated.as_ref().unwrap();
        assert_eq!(
            read_one.headers,
            [
                ("deprecation", "@1796083200".to_owned()),
                ("sunset", "Wed, 30 Jun 2027 12:00:00 GMT".to_owned()),
                ("link", "<https://example.com/migrate>; rel=\"deprecation\"".to_owned()),
            ]
        );
        assert_eq!(settings.default.deprecated, None);
        let least = read(&json!({"price": "1", "deprecated": {"since": "1970-01-02"}})).unwrap();
        assert_eq!(
            least.rules[0].deprecated.as_ref().unwrap().headers,
            [("deprecation", "@86400".to_owned()), ("sunset", String::new()), ("link", String::new())]
        );
        let same = json!({"since": "2026-12-01", "sunset": "2026-12-01T00:00:00Z"});
        assert!(read(&json!({"price": "1", "deprecated": same})).is_ok(), "on the same day");
    }

    #[test]
    fn an_invalid_date_is_reported_with_its_location_and_what_is_allowed() {
        let date = "allowed is a date such as \"2026-12-01\" or \"2026-12-01T12:00:00Z\"";
        for (deprecated, message) in [
            (
                json!({"since": "2026-02-30"}),
                format!("rules[0].deprecated.since: found string \"2026-02-30\"; {date}"),
            ),
            (
                json!({"since": 1_796_083_200}),
                format!("rules[0].deprecated.since: found number 1796083200; {date}"),
            ),
            (
                json!({"since": "2026-12-01", "sunset": "soon"}),
                format!("rules[0].deprecated.sunset: found string \"soon\"; {date}"),
            ),
            (
                json!({"since": "2026-12-01", "sunset": "2026-11-30T23:59:59Z"}),
                "rules[0].deprecated.sunset: found string \"2026-11-30T23:59:59Z\"; allowed is a date that is not before since".to_owned(),
            ),
            (
                json!({"sunset": "2026-12-01"}),
                "rules[0].deprecated.since: found nothing; allowed is this field; it is required".to_owned(),
            ),
            (
                json!({"since": "2026-12-01", "link": "/migrate"}),
                "rules[0].deprecated.link: found \"/migrate\"; allowed is an absolute URL such as \"https://example.com/topup\"".to_owned(),
            ),
            (
                json!({"since": "2026-12-01", "link": "https://example.com/{account}"}),
                "rules[0].deprecated.link: found string \"https://example.com/{account}\"; allowed is a URL without blanks such as {account}".to_owned(),
            ),
            (json!("2026-12-01"), "rules[0].deprecated: found string \"2026-12-01\"; allowed is an object with since, sunset, link".to_owned()),
            (json!({"since": "2026-12-01", "until": "x"}), "rules[0].deprecated.until: found an unknown field; allowed is one of since, sunset, link".to_owned()),
        ] {
            assert_eq!(read(&json!({"price": "1", "deprecated": deprecated})).unwrap_err(), message);
        }
    }

    #[test]
    fn only_a_retired_rule_may_omit_its_price() {
        let retired = read(&json!({"retired": true})).unwrap();
        assert_eq!((retired.rules[0].price, retired.rules[0].retired), (None, true));
        assert!(read(&json!({"retired": true, "price": "2"})).is_ok());
        for rule in [json!({}), json!({"retired": false})] {
            let why = read(&rule).unwrap_err();
            assert_eq!(why, "rules[0].price: found nothing; allowed is this field; it is required");
        }
        let why = read(&json!({"retired": "yes"})).unwrap_err();
        assert_eq!(why, "rules[0].retired: found string \"yes\"; allowed is true or false");
    }
}
