//! The zone in which times are shown, and in which a date that is typed begins: `--zone`, else `TZ`, else UTC.
//!
//! What must hold: a time that is shown can be typed as it is. JSON has UTC always, as the API sends it.

use jiff::{Timestamp, tz::TimeZone};
use std::ffi::OsString;

/// A chosen zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone of this IANA name.
    ///
    /// # Errors
    /// Says what was found, and what is allowed.
    pub fn named(name: &str) -> Result<Self, String> {
        let zone = TimeZone::get(name);
        zone.map(Self)
            .map_err(|_| format!("{name:?} is no time zone; give an IANA name such as Europe/Berlin, or UTC"))
    }

    /// The zone that the variable `TZ` names; UTC where it names none, as everywhere on Unix.
    pub fn of_environment(variable: Option<OsString>) -> Self {
        let name = variable.and_then(|name| name.into_string().ok()).unwrap_or_default();
        let name = name.strip_prefix(':').unwrap_or(&name);
        let posix = || TimeZone::posix(name).map(Self).map_err(|error| error.to_string());
        Self::named(name).or_else(|_| posix()).unwrap_or_default()
    }

    /// The zone itself.
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }

    /// The name that has to be shown beside times; those in UTC end with a `Z`.
    pub fn to_be_named(&self) -> Option<&str> {
        self.0.iana_name().filter(|name| *name != "UTC")
    }

    /// A time in this zone, such as `2027-01-31T01:00:00+01:00`; what is no time stays as it is.
    pub fn without_name(&self, text: &str) -> String {
        if self.0 == TimeZone::UTC {
            return text.to_owned();
        }
        text.parse::<Timestamp>().map_or_else(
            |_| text.to_owned(),
            |time| {
                let zoned = time.to_zoned(self.0.clone());
                time.display_with_offset(zoned.offset()).to_string()
            },
        )
    }

    /// The same with the zone's name behind it, as RFC 9557 has it.
    pub fn with_name(&self, text: &str) -> String {
        let time = self.without_name(text);
        match self.to_be_named().filter(|_| time.parse::<Timestamp>().is_ok()) {
            Some(name) => format!("{time}[{name}]"),
            None => time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_zone_with_its_name() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        for (utc, local) in [
            ("2027-01-31T00:00:00Z", "2027-01-31T01:00:00+01:00[Europe/Berlin]"),
            ("2027-07-31T23:30:00Z", "2027-08-01T01:30:00+02:00[Europe/Berlin]"),
            ("2027-07-31T23:30:00.5Z", "2027-08-01T01:30:00.5+02:00[Europe/Berlin]"),
            ("-", "-"),
            ("soon", "soon"),
        ] {
            assert_eq!(berlin.with_name(utc), local);
            assert_eq!(Zone::default().with_name(utc), utc);
        }
        assert_eq!(berlin.without_name("2027-01-31T00:00:00Z"), "2027-01-31T01:00:00+01:00");
        assert_eq!((berlin.to_be_named(), Zone::default().to_be_named()), (Some("Europe/Berlin"), None));
    }

    #[test]
    fn tz_names_a_zone_in_each_of_its_forms() {
        let of = |text: &str| Zone::of_environment(Some(text.into()));
        assert_eq!(of(":Europe/Berlin"), Zone::named("Europe/Berlin").unwrap());
        assert_eq!(of("CET-1").with_name("2027-01-31T00:00:00Z"), "2027-01-31T01:00:00+01:00");
        for nothing in ["", "Nowhere/At_All", "UTC"] {
            assert_eq!(of(nothing), Zone::default(), "{nothing}");
        }
        assert_eq!(Zone::of_environment(None), Zone::default());
        assert!(Zone::named("Berlin").unwrap_err().contains("Europe/Berlin"));
    }
}
