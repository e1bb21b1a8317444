//! The description of the portal's API (OpenAPI 3.1): what the handlers say of themselves, and around it what holds for all of them.

use crate::api::{IDEMPOTENCY_KEY_HEADER, Problem, REPLAYED_HEADER};
use crate::http::admin::openapi::{MAX_KEY_BYTES, parameter};
use crate::http::admin::routes::operations;
use crate::http::codes::Code;
use std::collections::BTreeSet;
use utoipa::PartialSchema as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response};

const BEARER: &str = "bearer";
const COOKIE: &str = "cookie";
/// The one operation that needs no authentication.
const OPEN: &str = "begin_session";
/// The one that answers nothing that could be replayed.
const END: &str = "end_session";

const DESCRIPTION: &str = "\
The API of a Faregate portal: what a customer sees and may do. Which account it is about follows from the session or the key.

- **Amounts** are credits, as decimal strings with at most six digits behind the point, such as `\"12.5\"`.
- **Times** are RFC 3339 in UTC.
- **Writes** need a session, and an `Idempotency-Key`, fresh for each new request. A request that is repeated with the same key within \
24 hours changes nothing: it gets the first answer again, with `idempotency-replayed: true`.
- **Requests** are JSON of at most 16 KiB and refuse unknown fields. **Answers** may get new fields in later versions: ignore those \
that you don't know.
- **Lists** come in pages of at most 1000 rows: pass `next` of an answer as `after` for the following page.
- **Errors** are `application/problem+json` (RFC 9457) with a stable `code`.";

/// Completes what the handlers say.
pub fn complete(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(operation, path, method != "GET");
        }
    }
    let components = api.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "A session, which `begin_session` gives for a link of the admin API; or an API key, which may only read.",
    ));
    let cookie = ApiKeyValue::with_description(
        "faregate_portal",
        "The session of a browser that is signed in to the portal; `__Host-faregate_portal` under TLS. Writes with it must come from the portal's own origin.",
    );
    components.security_schemes.insert(BEARER.to_owned(), SecurityScheme::Http(bearer.build()).into());
    components
        .security_schemes
        .insert(COOKIE.to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into());
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.responses.insert("Problem".to_owned(), problem().into());
    api.info = InfoBuilder::new()
        .title("Faregate portal API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    api
}

fn complete_operation(operation: &mut Operation, path: &str, writes: bool) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let none: [&str; 0] = [];
    operation.security = Some(match id.as_str() {
        OPEN => vec![SecurityRequirement::default()],
        _ => vec![SecurityRequirement::new(BEARER, none), SecurityRequirement::new(COOKIE, none)],
    });
    let is_replayed = writes && ![OPEN, END].contains(&id.as_str());
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            response.description = String::from(if writes { "Done" } else { "The answer" });
            if is_replayed {
                let replayed = HeaderBuilder::new()
                    .description(Some("`true` when this is the first answer again, to a repeated request."))
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
                response.headers.insert(REPLAYED_HEADER.to_owned(), replayed.build().into());
            }
        }
    }
    operation.responses.responses.insert("default".to_owned(), Ref::from_response_name("Problem").into());
    let mut parameters = Vec::new();
    if path.contains("{id}") {
        let what =
            if path.contains("/keys/") { "The key's identifier." } else { "The receipt's identifier." };
        let text = ObjectBuilder::new().schema_type(Type::String);
        parameters.push(parameter("id", ParameterIn::Path, what, text.into()));
    }
    if writes && id != OPEN {
        let key = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(MAX_KEY_BYTES))
            .pattern(Some("^[!-~]+$"));
        let what = "Visible ASCII characters, fresh for every new request and the same when it is repeated.";
        parameters.push(parameter(IDEMPOTENCY_KEY_HEADER, ParameterIn::Header, what, key.into()));
    }
    if !parameters.is_empty() {
        let all = operation.parameters.get_or_insert_default();
        all.splice(0..0, parameters.into_iter().map(Into::into));
    }
}

/// The errors, with their codes.
fn problem() -> Response {
    let unlike = [
        Code::AccountExists,
        Code::SubjectTaken,
        Code::ClosedTooLong,
        Code::NothingToVoid,
        Code::PlanInUse,
        Code::TeamExists,
        Code::PlanExists,
        Code::OperatorExists,
        Code::SubscriptionExists,
        Code::WrongState,
        Code::TooManyGrants,
        Code::PortalOff,
    ];
    let codes: BTreeSet<(u16, String)> = Code::ALL
        .iter()
        .filter(|code| !unlike.contains(code))
        .map(|code| (code.status().as_u16(), format!("- {} `{}`\n", code.status().as_u16(), code.name())))
        .collect();
    let codes: String = codes.into_iter().map(|(_, line)| line).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new()
        .description(format!("An error, with its status and its code:\n\n{}", codes.trim_end()))
        .content("application/problem+json", content)
        .build()
}
