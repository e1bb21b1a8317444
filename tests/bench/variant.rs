//! What is compared.

use crate::limitador;
use harness::{LedgerProcess, filter};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A way to treat requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// Envoy without any filter.
    Bare,
    /// The same once more: how far two of the same differ is noise.
    BareAgain,
    /// A wasm filter that does nothing.
    Nothing,
    /// Faregate: the caller pays, whatever the upstream answers, and no header is added.
    Paid,
    /// The same as it is unless configured default: the upstream gets the account, and a charge is released when the answer is
    /// a gateway's failure.
    PaidByDefault,
    /// Faregate with refunds by status, and all that it can tell the upstream and the caller.
    PaidInFull,
    /// Faregate, and the caller has no credits.
    Refused,
    /// Envoy's own limit in the process, which knows no callers.
    LocalRateLimit,
    /// One call per request to a service that always agrees, over HTTP/1.1.
    ExtAuthz,
    /// The same over gRPC.
    ExtAuthzGrpc,
    /// One call per request to Limitador, through Envoy's ratelimit filter.
    RateLimit,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Bare,
        Self::BareAgain,
        Self::Nothing,
        Self::Paid,
        Self::PaidByDefault,
        Self::PaidInFull,
        Self::Refused,
        Self::LocalRateLimit,
        Self::ExtAuthz,
        Self::ExtAuthzGrpc,
        Self::RateLimit,
    ];

    /// Its name in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareAgain => "bare_again",
            Self::Nothing => "nothing",
            Self::Paid => "paid",
            Self::PaidByDefault => "paid_by_default",
            Self::PaidInFull => "paid_in_full",
            Self::Refused => "refused",
            Self::LocalRateLimit => "local_ratelimit",
            Self::ExtAuthz => "ext_authz",
            Self::ExtAuthzGrpc => "ext_authz_grpc",
            Self::RateLimit => "ratelimit",
        }
    }

    /// The status that its requests must get.
    pub const fn status(self) -> u16 {
        match self {
            Self::Refused => 402,
            _ => 200,
        }
    }

    /// Its HTTP filter, if it has one.
    pub fn filter(self, nothing: &Path) -> Option<Value> {
        match self {
            Self::Bare | Self::BareAgain => None,
            Self::Nothing => Some(wasm("nothing", nothing, &json!({}))),
            Self::Paid => Some(gate(&json!({"refund_on": [], "forward": []}))),
            Self::PaidByDefault | Self::Refused => Some(gate(&json!({}))),
            Self::PaidInFull => {
                let more = json!({
                    "refund_on": ["5xx"], "forward": ["account", "key", "charge"],
                    "response_headers": ["charge", "balance", "ratelimit"]
                });
                Some(gate(&more))
            }
            Self::LocalRateLimit => Some(json!({
                "name": "limit",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                    "stat_prefix": "limit",
                    "token_bucket": {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s"},
                    "filter_enabled": {"default_value": {"numerator": 100}},
                    "filter_enforced": {"default_value": {"numerator": 100}}
                }
            })),
            Self::ExtAuthz => Some(ext_authz(&json!({
                "http_service": {
                    "server_uri": {"uri": "http://authz", "cluster": "authz", "timeout": "1s"},
                    "authorization_request": {"allowed_headers": {"patterns": [{"exact": "x-api-key"}]}}
                }
            }))),
            Self::ExtAuthzGrpc => Some(ext_authz(&json!({
                "grpc_service": {"envoy_grpc": {"cluster_name": "grpc_authz"}, "timeout": "1s"},
                "transport_api_version": "V3"
            }))),
            Self::RateLimit => Some(json!({
                "name": "limits",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit",
                    "domain": limitador::NAMESPACE, "failure_mode_deny": true, "timeout": "1s",
                    "rate_limit_service": {
                        "grpc_service": {"envoy_grpc": {"cluster_name": "limits"}}, "transport_api_version": "V3"
                    }
                }
            })),
        }
    }
}

/// A call to a service with these fields; without them the filter would send no request.
fn ext_authz(members: &Value) -> Value {
    let mut config = members.clone();
    config["@type"] = json!("type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz");
    json!({"name": "ask", "typed_config": config})
}

/// Faregate, with these members of its configuration; a request costs the smallest amount there is.
pub fn gate(more: &Value) -> Value {
    wasm("faregate", &filter(), &settings(more))
}

/// The same where rules go by bodies.
pub fn metering_gate(more: &Value) -> Value {
    let mut gate = gate(more);
    gate["typed_config"]["config"]["allow_on_headers_stop_iteration"] = json!(true);
    gate
}

fn settings(more: &Value) -> Value {
    let mut settings = json!({
        "ledger": {"cluster": "ledger", "token": {"value": harness::GATEWAY_TOKEN}},
        "identities": [{"header": "x-api-key"}],
        "rules": [{"name": "health", "match": {"path": {"exact": "/healthz"}}, "price": "free"}],
        "default": {"price": "0.000001"}
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        settings[name] = value.clone();
    }
    settings
}

fn wasm(name: &str, file: &Path, settings: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name, "root_id": name, "failure_policy": "FAIL_RELOAD",
                "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": settings.to_string()},
                "vm_config": {"vm_id": name, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": file}}}
            }
        }
    })
}

/// The do-nothing filter, built by `make bench`. What exports no callback Envoy never enters, and it would measure nothing.
pub fn nothing() -> PathBuf {
    let file = filter().with_file_name("faregate_nothing.wasm");
    let module = std::fs::read(&file).expect("`make bench` builds the filter that does nothing");
    for callback in ["context_create", "request_headers", "response_headers", "log"] {
        let name = format!("proxy_on_{callback}").into_bytes();
        let is_there = module.windows(name.len()).any(|window| window == name);
        assert!(is_there, "{} doesn't export proxy_on_{callback}", file.display());
    }
    file
}

/// The caller's key for a variant: one that can pay, or one that can't.
pub async fn key(ledger: &LedgerProcess, variant: Variant) -> String {
    let balance = if variant == Variant::Refused { "0" } else { "1000000000" };
    ledger.account(variant.name().replace('_', "-").as_str(), balance).await
}
