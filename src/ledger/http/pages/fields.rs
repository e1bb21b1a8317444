//! What a query or a form of a page says.

use super::show::encoded;
use crate::http::codes::Code;
use crate::http::connections::ConnectionSlot;
use crate::http::problem::Failure;
use axum::Form;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use std::fmt::Write as _;
use std::sync::Arc;

/// What a query or a form says.
#[derive(Clone, Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a query; what is empty isn't there.
    pub fn parse(query: &str) -> Self {
        let uri = format!("/?{query}").parse();
        let fields = uri.ok().and_then(|uri| {
            let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri);
            read.ok().map(|fields| fields.0)
        });
        Self::of(fields.unwrap_or_default())
    }

    fn of(fields: Vec<(String, String)>) -> Self {
        let trimmed = fields.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
        Self(trimmed.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A field's value, or nothing.
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// A field's value, which is not there any more.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let value = self.get(name).map(str::to_owned);
        self.0.retain(|(known, _)| known != name);
        value
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As a query: these fields and no others, with this many rows and the beginning of a page.
    pub fn query(&self, names: &[&str], limit: usize) -> String {
        let mut query = format!("limit={limit}");
        for (name, value) in self.iter().filter(|(name, _)| names.contains(name) || *name == "after") {
            let _ = write!(query, "&{name}={}", encoded(value));
        }
        query
    }

    /// As the query of a page's link, with one field changed or taken out.
    pub fn with(&self, changed: &str, value: Option<&str>) -> String {
        let kept =
            self.iter().filter(|(name, _)| *name != changed && (*name != "after" || changed == "after"));
        let all = kept.chain(value.map(|value| (changed, value)));
        all.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
    }
}

/// The fields of a form, which the router has limited in size.
pub async fn read_form(request: Request) -> Result<Fields, Failure> {
    let seat = request.extensions().get::<Arc<ConnectionSlot>>().cloned();
    let read = Form::<Vec<(String, String)>>::from_request(request, &()).await;
    let Form(fields) = read.map_err(|error| {
        let status = error.status();
        let code =
            if status == StatusCode::PAYLOAD_TOO_LARGE { Code::TooLarge } else { Code::InvalidRequest };
        Failure::new(code, error.body_text())
    })?;
    if let Some(seat) = seat {
        seat.connection.body_read();
    }
    Ok(Fields::of(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_without_what_is_empty_and_written_again() {
        let fields = Fields::parse("name=%20a%26b%20&plan=&after=x&evil=1");
        assert_eq!((fields.get("name"), fields.get("plan")), (Some("a&b"), None));
        assert_eq!(fields.query(&["name", "plan"], 50), "limit=50&name=a%26b&after=x");
        assert_eq!(fields.with("name", None), "evil=1", "another filter begins at the first page");
        assert_eq!(fields.with("after", Some("y z")), "name=a%26b&evil=1&after=y%20z");
    }
}
