//! The Envoy configuration that `up` writes. Pure: addresses in, JSON out.
//!
//! What must hold: it contains no secret (the VM takes the token from Envoy's environment), and a
//! broken filter refuses instead of letting requests pass (`FAIL_RELOAD`).

use crate::upstream::Upstream;
use faregate_protocol::Credits;
use serde_json::{Value, json};
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

/// How many connections there may be at once. A gate to try out needs few, and must not run out of file descriptors
/// where a process may have 1024 of them.
const MAX_CONNECTIONS: u32 = 400;

/// What the configuration depends on.
pub struct Site<'a> {
    /// Where Envoy accepts requests.
    pub listen: SocketAddr,
    /// The ledger's gateway API.
    pub ledger: SocketAddr,
    pub upstream: &'a Upstream,
    /// What each request costs.
    pub price: Credits,
    /// The filter, an absolute path.
    pub filter: &'a Path,
    /// Certificates to trust when the upstream speaks TLS.
    pub trusted_ca: Option<&'a Path>,
}

/// The whole configuration.
pub fn envoy_config(site: &Site<'_>) -> Value {
    json!({
        // Part of the name by which the ledger knows this gateway.
        "node": { "id": "up", "cluster": "faregate" },
        "admin": { "address": address("127.0.0.1", 0), "ignore_global_conn_limit": true },
        "overload_manager": { "resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": MAX_CONNECTIONS,
            },
        }] },
        "static_resources": {
            "listeners": [{
                "name": "gate",
                "address": address(&site.listen.ip().to_string(), site.listen.port()),
                // A connection on which no request begins is closed after this.
                "listener_filters_timeout": "10s",
                "listener_filters": [{
                    "name": "envoy.filters.listener.http_inspector",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
                    },
                }],
                "filter_chains": [{ "filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": connection_manager(site),
                }] }],
            }],
            "clusters": [
                cluster("upstream", &site.upstream.host, site.upstream.port, tls(site)),
                cluster("faregate_ledger", &site.ledger.ip().to_string(), site.ledger.port(), None),
            ],
        },
    })
}

/// The filter's own configuration: every request costs the same.
fn filter_config(price: Credits) -> Value {
    json!({
        "ledger": {
            "cluster": "faregate_ledger",
            "authority": "faregate-ledger",
            "token": { "env": "FAREGATE_GATEWAY_TOKEN" },
            "timeout_ms": 500,
        },
        "identities": [{ "header": "x-api-key" }, { "bearer": true }],
        "rules": [],
        "default": { "price": price.to_string() },
        "log_paid": true,
    })
}

fn connection_manager(site: &Site<'_>) -> Value {
    let mut route = json!({ "cluster": "upstream", "timeout": "0s" });
    if let (true, Some(route)) = (site.upstream.tls, route.as_object_mut()) {
        route.insert("host_rewrite_literal".to_owned(), site.upstream.host.clone().into());
    }
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gate",
        "use_remote_address": true,
        // Rules match on paths: the upstream must not read another path than the gate did.
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        // An API that reads `x_faregate_account` as `x-faregate-account` must not believe a client.
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "idle_timeout": "75s",
            "max_connection_duration": "3600s",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "access_log": [{
            "name": "envoy.access_loggers.stdout",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": { "json_format": {
                    "time": "%START_TIME%",
                    "method": "%REQ(:METHOD)%",
                    // Never the query, in which callers may put a key.
                    "path": "%PATH(NQ)%",
                    "status": "%RESPONSE_CODE%",
                    "duration_ms": "%DURATION%",
                    "details": "%RESPONSE_CODE_DETAILS%",
                    "gate": "%FILTER_STATE(wasm.faregate:PLAIN)%",
                } },
            },
        }],
        "route_config": { "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": route }],
        }] },
        "http_filters": [wasm_filter(site), {
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }],
    })
}

fn wasm_filter(site: &Site<'_>) -> Value {
    json!({
        "name": "envoy.filters.http.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "faregate",
                "root_id": "faregate",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": "faregate",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": site.filter } },
                    "environment_variables": { "host_env_keys": ["FAREGATE_GATEWAY_TOKEN"] },
                },
                // As text: a Struct reaches the filter as protobuf bytes (seen with Envoy 1.40).
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": filter_config(site.price).to_string(),
                },
            },
        },
    })
}

fn cluster(name: &str, host: &str, port: u16, transport_socket: Option<Value>) -> Value {
    let kind = if host.parse::<IpAddr>().is_ok() { "STATIC" } else { "STRICT_DNS" };
    let mut cluster = json!({
        "name": name,
        "type": kind,
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(host, port) } }] }],
        },
    });
    if let (Some(socket), Some(cluster)) = (transport_socket, cluster.as_object_mut()) {
        cluster.insert("transport_socket".to_owned(), socket);
    }
    cluster
}

/// TLS to the upstream, with its certificate and name verified.
fn tls(site: &Site<'_>) -> Option<Value> {
    let ca = site.trusted_ca.filter(|_| site.upstream.tls)?;
    let host = &site.upstream.host;
    let kind = if host.parse::<IpAddr>().is_ok() { "IP_ADDRESS" } else { "DNS" };
    Some(json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host,
            "common_tls_context": { "validation_context": {
                "trusted_ca": { "filename": ca },
                "match_typed_subject_alt_names": [{ "san_type": kind, "matcher": { "exact": host } }],
            } },
        },
    }))
}

fn address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use faregate::decide::settings::Settings;

    fn config(url: &str) -> Value {
        envoy_config(&Site {
            listen: "127.0.0.1:8080".parse().unwrap(),
            ledger: "127.0.0.1:7401".parse().unwrap(),
            upstream: &Upstream::parse(url).unwrap(),
            price: Credits::parse("0.5").unwrap(),
            filter: Path::new("faregate.wasm"),
            trusted_ca: Some(Path::new("ca.crt")),
        })
    }

    #[test]
    fn the_filter_accepts_the_configuration_that_up_writes() {
        Settings::from_value(&filter_config(Credits::parse("0.5").unwrap())).unwrap();
        assert!(config("http://127.0.0.1:3000").to_string().contains("FAIL_RELOAD"));
    }

    #[test]
    fn ambiguous_paths_and_headers_are_normalized_or_rejected() {
        let config = config("http://127.0.0.1:3000").to_string();
        for setting in [
            r#""normalize_path":true"#,
            r#""merge_slashes":true"#,
            r#""path_with_escaped_slashes_action":"REJECT_REQUEST""#,
            r#""headers_with_underscores_action":"REJECT_REQUEST""#,
            r#""max_concurrent_streams":100"#,
        ] {
            assert!(config.contains(setting), "{setting} in {config}");
        }
    }

    #[test]
    fn connections_are_limited_in_number_and_idle_time() {
        let config = config("http://127.0.0.1:3000");
        assert_eq!(config["admin"]["ignore_global_conn_limit"], true, "the gate is ended through it");
        let config = config.to_string();
        for setting in [
            r#""max_active_downstream_connections":400"#,
            r#""listener_filters_timeout":"10s""#,
            r#""name":"envoy.filters.listener.http_inspector""#,
            r#""request_headers_timeout":"10s""#,
            r#""idle_timeout":"75s""#,
            r#""max_connection_duration":"3600s""#,
        ] {
            assert!(config.contains(setting), "{setting} in {config}");
        }
    }

    #[test]
    fn a_tls_upstream_is_verified_by_name() {
        let tls = config("https://api.example.com").to_string();
        assert!(
            tls.contains(r#""sni":"api.example.com""#) && tls.contains("match_typed_subject_alt_names"),
            "{tls}"
        );
        assert!(
            tls.contains("STRICT_DNS") && tls.contains(r#""host_rewrite_literal":"api.example.com""#),
            "{tls}"
        );
        assert!(!config("http://127.0.0.1:3000").to_string().contains("transport_socket"));
    }
}
