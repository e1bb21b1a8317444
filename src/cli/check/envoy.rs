//! What Envoy's configuration says around a gate: its variables, the filters beside it, the connection manager, and the
//! clusters.
//!
//! Envoy reads members in two spellings, `http_filters` and `httpFilters`, and so do we. What isn't in the file, such as
//! clusters that Envoy discovers, isn't judged.

use super::problem::{Place, Problem};
use faregate::decide::settings::{Identity, Settings, Token};
use serde_json::{Map, Value};

/// Filters that turn requests away, by the ends of their types: they go before the gate.
const REFUSING: [&str; 10] = [
    "filters.http.api_key_auth.v3.ApiKeyAuth",
    "filters.http.basic_auth.v3.BasicAuth",
    "filters.http.csrf.v3.CsrfPolicy",
    "filters.http.ext_authz.v3.ExtAuthz",
    JWT,
    "filters.http.local_ratelimit.v3.LocalRateLimit",
    "filters.http.oauth2.v3.OAuth2",
    "filters.http.rate_limit_quota.v3.RateLimitQuotaFilterConfig",
    "filters.http.ratelimit.v3.RateLimit",
    "filters.http.rbac.v3.RBAC",
];
const JWT: &str = "filters.http.jwt_authn.v3.JwtAuthentication";
const ROUTER: &str = "filters.http.router.v3.Router";
const MANAGER: &str = "http_connection_manager.v3.HttpConnectionManager";
/// Where a verified JWT's claims are.
const JWT_CLAIMS: [&str; 3] = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn"];

/// The filters of a connection manager, and which of them is the gate.
#[derive(Clone)]
pub struct Chain<'a> {
    /// The whole document.
    pub bootstrap: &'a Value,
    /// The connection manager.
    pub manager: &'a Map<String, Value>,
    /// Its path in the document.
    pub place: String,
    /// Its filters.
    pub filters: &'a [Value],
    /// Which of them is the gate.
    pub at: usize,
}

/// The environment variables of a VM.
pub struct Variables<'a> {
    /// Their names.
    pub names: Vec<&'a str>,
    /// Where they are named.
    pub member: &'static str,
}

/// A member of an object by the name that is usual in YAML, or by the one that is usual in JSON.
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.get(&camel(name)))
}

/// [`member`] of what may be an object.
pub fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    member(value.as_object()?, name)
}

/// `http_filters` in JSON's spelling.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |camel, part| {
        let (head, tail) = part.split_at(part.len().min(1));
        camel + &head.to_ascii_uppercase() + tail
    })
}

/// The filters in this member of an object, if that is a connection manager.
pub fn filters<'a>(object: &Map<String, Value>, name: &str, member: &'a Value) -> Option<&'a [Value]> {
    // A cluster has `http_filters` as well.
    let is_manager = object.get("@type").and_then(Value::as_str).is_none_or(|kind| kind.ends_with(MANAGER));
    (is_manager && ["http_filters", "httpFilters"].contains(&name))
        .then(|| member.as_array().map(Vec::as_slice))?
}

/// `vm_config.environment_variables`
pub fn variables(said: Option<&Value>) -> Variables<'_> {
    let keys = said.and_then(|said| field(said, "host_env_keys")).and_then(Value::as_array);
    let values = said.and_then(|said| field(said, "key_values")).and_then(Value::as_object);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    let names = keys.chain(values.into_iter().flat_map(Map::keys).map(String::as_str)).collect();
    Variables { names, member: "vm_config.environment_variables (host_env_keys or key_values)" }
}

/// A variable that is named a second time. `place` is that of the plugin.
pub fn variable_twice(variables: &Variables<'_>, place: &str) -> Option<Problem> {
    let names = &variables.names;
    let twice =
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|other| other == *name));
    twice.map(|(_, name)| {
        Problem::error(
            Place::Plugin("vm_config.environment_variables", place),
            &format!("{name:?} a second time"),
            "each variable once; Envoy refuses it otherwise",
        )
    })
}

/// The token's variable, if the VM doesn't have it. `place` is that of the configuration.
pub fn missing_variable(settings: &Settings, variables: &Variables<'_>, place: &str) -> Option<Problem> {
    let Token::Env(name) = &settings.ledger.token else { return None };
    (!variables.names.contains(&name.as_str())).then(|| {
        Problem::error(
            Place::Configuration("ledger.token.env", place),
            &format!("{name:?}, a variable that the VM isn't given"),
            &format!("one that is in the plugin's {}", variables.member),
        )
    })
}

/// What is wrong around a gate. `settings` is what the gate reads, with its place, if that is known.
pub fn around(chain: &Chain<'_>, settings: Option<(&Settings, &str)>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some((settings, place)) = settings {
        problems.extend(unknown_cluster(chain, settings, place));
        problems.extend(unverified_claims(chain, settings, place));
    }
    problems.extend(order(chain));
    let by_path = |settings: &Settings| settings.rules.iter().any(|rule| rule.matches.path.is_some());
    if settings.is_none_or(|(settings, _)| by_path(settings)) {
        problems.extend(paths(chain));
    }
    problems.extend(underscores(chain));
    problems
}

/// The ledger's cluster, if Envoy has none of this name and discovers none.
fn unknown_cluster(chain: &Chain<'_>, settings: &Settings, place: &str) -> Option<Problem> {
    let clusters = field(chain.bootstrap, "static_resources").and_then(|all| field(all, "clusters"));
    let discovered = field(chain.bootstrap, "dynamic_resources")
        .is_some_and(|all| field(all, "cds_config").is_some() || field(all, "ads_config").is_some());
    field(chain.bootstrap, "static_resources").filter(|_| !discovered)?;
    let names: Vec<&str> =
        clusters.and_then(Value::as_array).into_iter().flatten().filter_map(name).collect();
    let wanted = settings.ledger.cluster.as_str();
    (!names.contains(&wanted)).then(|| {
        let allowed = match names.as_slice() {
            [] => "a cluster in static_resources.clusters, where there is none".to_owned(),
            names => format!("one of the clusters in static_resources: {}", names.join(", ")),
        };
        let found = format!("{wanted:?}, a cluster that Envoy doesn't know: paid requests would get 503");
        Problem::error(Place::Configuration("ledger.cluster", place), &found, &allowed)
    })
}

fn name(named: &Value) -> Option<&str> {
    named.get("name").and_then(Value::as_str)
}

/// An identity in a JWT that no filter before the gate has verified.
fn unverified_claims(chain: &Chain<'_>, settings: &Settings, place: &str) -> Option<Problem> {
    let at = settings.identities.iter().position(
        |identity| matches!(identity, Identity::Property(path) if path.iter().take(3).eq(JWT_CLAIMS.iter())),
    )?;
    let verified = chain.filters.iter().take(chain.at).any(|filter| is(filter, JWT));
    (!verified).then(|| {
        Problem::error(
            Place::Configuration(&format!("identities[{at}].property"), place),
            "claims of a JWT, which no filter before the gate verifies: the place is always empty",
            "envoy.filters.http.jwt_authn before the gate",
        )
    })
}

/// Filters that are on the wrong side of the gate, and the router.
fn order(chain: &Chain<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let last = chain.filters.len().saturating_sub(1);
    let place = |at: usize| format!("http_filters[{at}]");
    let router = chain.filters.iter().position(|filter| is(filter, ROUTER));
    let router_last = "envoy.filters.http.router as the last filter; Envoy refuses any other order";
    match router {
        Some(at) if at < last => problems.push(Problem::error(
            Place::Manager(&place(at), &chain.place),
            "the router, with filters behind it",
            router_last,
        )),
        None if chain.at == last => problems.push(Problem::error(
            Place::Manager(&place(last), &chain.place),
            "the gate as the last filter",
            router_last,
        )),
        _ => {}
    }
    for (at, filter) in chain.filters.iter().enumerate().skip(chain.at.saturating_add(1)) {
        if REFUSING.iter().any(|kind| is(filter, kind)) {
            let found =
                format!("{} behind the gate", name(filter).unwrap_or("a filter that refuses requests"));
            problems.push(Problem::warning(
                Place::Manager(&place(at), &chain.place),
                &found,
                "before the gate: what it refuses then costs no credits, and the ledger isn't asked; behind it only if it \
                 depends on what the gate finds out",
            ));
        }
    }
    problems
}

/// Whether this is a filter of a type that ends so.
fn is(filter: &Value, kind: &str) -> bool {
    let config = field(filter, "typed_config");
    let named = ["@type", "type_url"].into_iter().filter_map(|name| config?.get(name));
    let discovered = field(filter, "config_discovery").and_then(|discovery| field(discovery, "type_urls"));
    let discovered = discovered.and_then(Value::as_array).into_iter().flatten();
    named.chain(discovered).filter_map(Value::as_str).any(|name| name.ends_with(kind))
}

/// Settings without which a path can be written so that another rule matches it.
fn paths(chain: &Chain<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (setting, bypass) in
        [("normalize_path", "/v1/x/../search and /v1/%73earch"), ("merge_slashes", "//v1/search")]
    {
        let said = member(chain.manager, setting);
        if said != Some(&Value::Bool(true)) {
            problems.push(Problem::warning(
                Place::Manager(setting, &chain.place),
                if said.is_some() { "false" } else { "nothing, so false" },
                &format!("true, or {bypass} can bypass a rule for /v1/search"),
            ));
        }
    }
    let setting = "path_with_escaped_slashes_action";
    let said = member(chain.manager, setting).and_then(Value::as_str);
    if said.is_none_or(|said| {
        !["REJECT_REQUEST", "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD"].contains(&said)
    }) {
        problems.push(Problem::warning(
            Place::Manager(setting, &chain.place),
            said.unwrap_or("nothing, so KEEP_UNCHANGED"),
            "REJECT_REQUEST, or UNESCAPE_AND_REDIRECT; else /v1%2Fsearch can bypass a rule for /v1/search",
        ));
    }
    problems
}

/// Headers that an API may take for the gate's. An explicit ALLOW is a decision, and isn't reported.
fn underscores(chain: &Chain<'_>) -> Option<Problem> {
    let options = member(chain.manager, "common_http_protocol_options");
    let said = options.and_then(|options| field(options, "headers_with_underscores_action"));
    said.is_none().then(|| {
        Problem::warning(
            Place::Manager("common_http_protocol_options.headers_with_underscores_action", &chain.place),
            "nothing, so ALLOW",
            "REJECT_REQUEST, or DROP_HEADER; many APIs read x_user_id and x-user-id as the same header. If yours doesn't, \
             write ALLOW",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_have_two_spellings() {
        let object = serde_json::json!({"normalizePath": true, "http_filters": []});
        assert_eq!(field(&object, "normalize_path"), Some(&Value::Bool(true)));
        assert!(field(&object, "http_filters").is_some() && field(&object, "merge_slashes").is_none());
        assert_eq!(camel("path_with_escaped_slashes_action"), "pathWithEscapedSlashesAction");
    }
}
