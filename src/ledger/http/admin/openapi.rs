//! The description of the admin API (OpenAPI 3.1): what the handlers say of themselves, and around it what holds for all of them.
//!
//! It is the same for every ledger of a version, and tells nothing of one, so no token is needed to read it.

use super::routes::{operations, scope};
use crate::api::{IDEMPOTENCY_KEY_HEADER, Problem, REPLAYED_HEADER};
use crate::domain::access::AccessScope;
use crate::http::codes::Code;
use axum::http::StatusCode;
use std::collections::BTreeMap;
use utoipa::PartialSchema as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, Response};

/// By what operations refer to the token.
const TOKEN: &str = "admin_token";
/// The longest idempotency key, in characters.
pub const MAX_KEY_BYTES: usize = 255;
/// Operations without an identifier in their path that may find nothing all the same.
const ABOUT_SOMETHING: [&str; 9] = [
    "/admin/v1/portal-subjects",
    "/admin/v1/usage",
    "/admin/v1/usage/sums",
    "/admin/v1/usage/forecast",
    "/admin/v1/shadow",
    "/admin/v1/recall",
    "/admin/v1/events",
    "/admin/v1/webhooks",
    "/admin/v1/mail",
];

const DESCRIPTION: &str = "\
The API of a Faregate ledger for operators: accounts, keys, teams, budgets, grants, corrections, plans, prices, subscriptions, usage, leases, the audit, operators and the trail of what they did, events, webhooks and mail, links to the portal.

- **Amounts** are credits, as decimal strings with at most six digits behind the point, such as `\"12.5\"`.
- **Times** are RFC 3339 in UTC.
- **Writes** need an `Idempotency-Key`, fresh for each new request. A request that is repeated with the same key within 24 hours \
changes nothing: it gets the first answer again, with `idempotency-replayed: true`. Another request with the same key gets 409.
- **Requests** are JSON of at most 64 KiB and refuse unknown fields. **Answers** may get new fields in later versions: ignore those \
that you don't know.
- **Lists** come in pages of at most 1000 rows: pass `next` of an answer as `after` for the following page.
- **Errors** are `application/problem+json` (RFC 9457) with a stable `code`.";

/// Completes what the handlers that need the token say: the token, what is in paths and headers, and errors.
pub fn complete(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(operation, path, method != "GET", scope(method, path));
        }
    }
    let components = api.components.get_or_insert_default();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The token of an operator, or the admin token that the ledger was started with, as `Authorization: Bearer …`. An operation \
             names the least scope that the token must have: `read`, `support`, `billing` or `admin`, each of which includes those before it.",
        ))
        .build();
    components.security_schemes.insert(TOKEN.to_owned(), SecurityScheme::Http(scheme).into());
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.responses = problems();
    api.info = InfoBuilder::new()
        .title("Faregate admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    api
}

fn complete_operation(operation: &mut Operation, path: &str, writes: bool, scope: AccessScope) {
    operation.security = Some(vec![SecurityRequirement::new(TOKEN, [scope.as_str()])]);
    let needs = format!("Needs the scope `{}`.", scope.as_str());
    operation.description = Some(match operation.description.take() {
        Some(text) if !text.is_empty() => format!("{text}\n\n{needs}"),
        _ => needs,
    });
    let parameters = operation.parameters.get_or_insert_default();
    if path.contains("{id}") {
        parameters.insert(0, identifier(path).into());
    }
    if writes {
        parameters.push(idempotency_key().into());
    }
    let takes_something = !parameters.is_empty();
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            complete_answer(response, writes);
        }
    }
    let finds_something = path.contains("{id}") || ABOUT_SOMETHING.contains(&path);
    let errors = Code::ALL.iter().map(|code| code.status()).filter(|status| match *status {
        StatusCode::BAD_REQUEST => takes_something,
        StatusCode::NOT_FOUND => finds_something,
        StatusCode::CONFLICT | StatusCode::PAYLOAD_TOO_LARGE => writes,
        // The last one is the portal's.
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::TOO_MANY_REQUESTS => false,
        _ => true,
    });
    let errors =
        errors.map(|status| (status.as_str().to_owned(), Ref::from_response_name(name(status)).into()));
    operation.responses.responses.extend(errors);
}

fn complete_answer(answer: &mut Response, writes: bool) {
    answer.description = String::from(if writes { "Done" } else { "The answer" });
    if writes {
        let replayed = HeaderBuilder::new()
            .description(Some("`true` when this is the first answer again, to a repeated request."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        answer.headers.insert(REPLAYED_HEADER.to_owned(), replayed.build().into());
    }
}

/// What `{id}` is.
fn identifier(path: &str) -> Parameter {
    let what = match path.split('/').nth(3) {
        Some("keys") => "The key's identifier.",
        Some("grants") => "The grant's identifier.",
        Some("plans") => "The plan's name.",
        Some("prices") => "The model's name, with `/` as `%2F`.",
        Some("operators") => "The operator's name.",
        Some("mail") => "The identifier of the mail address.",
        Some("webhooks") => "The webhook's identifier.",
        Some("gateway-tokens") => "The name of the gateway token.",
        _ => "The account's identifier.",
    };
    parameter("id", ParameterIn::Path, what, ObjectBuilder::new().schema_type(Type::String).into())
}

fn idempotency_key() -> Parameter {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_KEY_BYTES))
        .pattern(Some("^[!-~]+$"));
    let what = "Visible ASCII characters, fresh for every new request and the same when it is repeated.";
    parameter(IDEMPOTENCY_KEY_HEADER, ParameterIn::Header, what, key.into())
}

/// A parameter that must be given.
pub fn parameter(name: &str, place: ParameterIn, what: &str, schema: Schema) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::True)
        .description(Some(what))
        .schema(Some(schema))
        .build()
}

/// The errors, by the names under which operations refer to them.
fn problems() -> BTreeMap<String, RefOr<Response>> {
    let mut found = BTreeMap::<StatusCode, String>::new();
    for code in Code::ALL.iter().filter(|code| **code != Code::TooManyRequests) {
        let text = found.entry(code.status()).or_default();
        let line = format!("- `{}`: {}\n", code.name(), code.meaning());
        text.push_str(&line);
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = |(status, codes): (StatusCode, String)| {
        let mut response = ResponseBuilder::new()
            .description(codes.trim_end())
            .content("application/problem+json", problem.clone());
        response = match header(status) {
            Some((header, what)) => {
                let schema = ObjectBuilder::new().schema_type(Type::String);
                response
                    .header(header, HeaderBuilder::new().description(Some(what)).schema(Some(schema)).build())
            }
            None => response,
        };
        (name(status), response.build().into())
    };
    found.into_iter().map(response).collect()
}

/// The header that comes with errors of this status.
fn header(status: StatusCode) -> Option<(&'static str, &'static str)> {
    match status {
        StatusCode::UNAUTHORIZED => Some(("www-authenticate", "Always `Bearer`.")),
        StatusCode::SERVICE_UNAVAILABLE => Some(("retry-after", "Seconds after which to try again.")),
        _ => None,
    }
}

fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("Error").replace(' ', "")
}
