//! Boots what a mesh would make of the manifests: the filter as Istio and as Envoy Gateway configure it in Envoy, with
//! the cluster by the name that they give it, and charges a request.

use super::yaml;
use crate::sidecar::{A, Mesh};
use harness::{GATEWAY_TOKEN, Gateway, LedgerProcess, Upstream, envoy_config, filter, free_port, get};
use serde_json::{Value, json};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const STRING: &str = "type.googleapis.com/google.protobuf.StringValue";
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The object of this kind in a file.
fn object(path: &str, kind: &str) -> Value {
    let found = yaml::file(path).into_iter().find(|it| it["kind"] == kind);
    found.unwrap_or_else(|| panic!("{path}: no {kind}"))
}

/// What Istio makes of a WasmPlugin: no vm_id, the configuration as JSON in a StringValue, the plugin's name as root_id.
fn as_istio_does(plugin: &Value) -> Value {
    let spec = &plugin["spec"];
    let name = format!("{}.{}", plugin["metadata"]["namespace"].as_str().expect("a namespace"), "faregate");
    let of_host = spec["vmConfig"]["env"].as_array().expect("variables").iter();
    let keys: Vec<&Value> = of_host.filter(|it| it["valueFrom"] == "HOST").map(|it| &it["name"]).collect();
    let policy = match spec["failStrategy"].as_str() {
        Some("FAIL_CLOSE") => "UNSPECIFIED",
        Some(other) => other,
        None => panic!("no failStrategy"),
    };
    json!({"name": name, "typed_config": {"@type": WASM, "config": {
        "name": name, "root_id": spec["pluginName"], "failure_policy": policy,
        "configuration": {"@type": STRING, "value": spec["pluginConfig"].to_string()},
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": filter()}},
            "environment_variables": {
                "host_env_keys": keys,
                "key_values": {"ISTIO_META_WASM_IMAGE_PULL_POLICY": spec["imagePullPolicy"],
                               "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "4711"}
            }
        }
    }}})
}

/// What Envoy Gateway makes of a policy: a filter of its own that is off, and that routes turn on.
fn as_envoy_gateway_does(policy: &Value) -> Value {
    let wasm = &policy["spec"]["wasm"][0];
    let id = "envoyextensionpolicy/shop/faregate/wasm/0";
    json!({"name": format!("envoy.filters.http.wasm/{id}"), "disabled": true, "typed_config": {"@type": WASM, "config": {
        "name": wasm["name"], "root_id": wasm["rootID"], "fail_open": wasm["failOpen"],
        "configuration": {"@type": STRING, "value": wasm["config"].to_string()},
        "vm_config": {
            "vm_id": id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": filter()}},
            "environment_variables": {"host_env_keys": wasm["env"]["hostKeys"]}
        }
    }}})
}

fn rename_cluster(config: &mut Value, from: &str, to: &Value) {
    let clusters = config["static_resources"]["clusters"].as_array_mut().expect("clusters");
    let cluster = clusters.iter_mut().find(|it| it["name"] == from).expect("the cluster");
    cluster["name"] = to.clone();
    cluster["load_assignment"]["cluster_name"] = to.clone();
}

/// A gateway whose configuration is changed before it starts, and somebody with two credits in front of it.
async fn charges_by_key(change: impl Fn(&mut Value, u16)) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let upstream = Upstream::start().await;
    let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
    let key = ledger.account("acme", "2").await;
    let ports = (free_port(), free_port());
    let behind = (&[ledger.gateway_port][..], upstream.port);
    let mut config = envoy_config(dir.path(), "gateway", ports, behind, &json!({}));
    change(&mut config, ledger.gateway_port);
    let token = [("FAREGATE_GATEWAY_TOKEN".to_owned(), GATEWAY_TOKEN.to_owned())];
    let gateway = Gateway::start(dir.path(), "gateway", &config, ports, &token).await;

    for expected in [200, 200, 402] {
        let answer = get(&gateway, "/x", &[("x-api-key", &key)]).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    assert_eq!(get(&gateway, "/x", &[]).await.status, 401);
    assert_eq!(get(&gateway, "/health", &[]).await.status, 200);
    ledger.balance_becomes("acme", "spent", "2").await;
    assert_eq!(upstream.served(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_istio_ingress_gateway_plugin_charges() {
    let plugin = object("envoy/istio/ingress-gateway.yaml", "WasmPlugin");
    charges_by_key(|config, _| {
        config.pointer_mut(MANAGER).expect("a manager")["http_filters"][0] = as_istio_does(&plugin);
        rename_cluster(config, "ledger", &plugin["spec"]["pluginConfig"]["ledger"]["cluster"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_istio_sidecar_plugin_charges_by_certificate() {
    let plugin = object("envoy/istio/sidecar.yaml", "WasmPlugin");
    let mesh = Mesh::start_with(|config| {
        config.pointer_mut(MANAGER).expect("a manager")["http_filters"][0] = as_istio_does(&plugin);
        rename_cluster(config, "ledger", &plugin["spec"]["pluginConfig"]["ledger"]["cluster"]);
    })
    .await;
    mesh.ledger.run(&["account", "create", "team-a"]);
    mesh.ledger.run(&["grant", "team-a", "1"]);
    mesh.ledger.run(&["key", "create", "team-a", "--subject", A]);

    let a = mesh.client("a", |_| {}).await;
    assert_eq!(get(&a, "/x", &[]).await.status, 200);
    assert_eq!(get(&a, "/x", &[]).await.status, 402);
    mesh.ledger.balance_becomes("team-a", "spent", "1").await;
    assert_eq!(mesh.upstream.served(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_envoy_gateway_policies_charge() {
    let file = "envoy/gateway-api/faregate.yaml";
    let policy = object(file, "EnvoyExtensionPolicy");
    let patch = object(file, "EnvoyPatchPolicy")["spec"]["jsonPatches"][0].clone();
    assert_eq!(
        (&patch["operation"]["op"], &patch["operation"]["path"]),
        (&json!("add"), &json!("")),
        "a new one"
    );
    charges_by_key(|config, ledger| {
        let made = as_envoy_gateway_does(&policy);
        let manager = config.pointer_mut(MANAGER).expect("a manager");
        let on = json!({made["name"].as_str().expect("a name"): {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}
        }});
        manager["route_config"]["virtual_hosts"][0]["routes"][0]["typed_per_filter_config"] = on;
        manager["http_filters"][0] = made;
        let mut cluster = patch["operation"]["value"].clone();
        let address = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        let address = cluster.pointer_mut(address).expect("an address");
        assert_eq!(address["address"], "faregate-ledger.faregate.svc.cluster.local");
        *address = json!({"address": "localhost", "port_value": ledger});
        let clusters = config["static_resources"]["clusters"].as_array_mut().expect("clusters");
        clusters.retain(|it| it["name"] != "ledger");
        clusters.push(cluster);
    })
    .await;
}
