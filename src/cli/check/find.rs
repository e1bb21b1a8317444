//! Finds the filter's configuration inside a larger file: Envoy's own, an Istio `WasmPlugin`, an Envoy
//! Gateway `EnvoyExtensionPolicy`, or the bare thing.

use faregate::decide::settings::SettingsError;
use serde_json::{Map, Value};

/// How Envoy names the type of a wasm HTTP filter.
const WASM_TYPE: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
/// Members that only our configuration has.
const OURS: [&str; 4] = ["ledger", "identities", "default", "rules"];

/// A configuration that is ours, or should be.
pub struct Found {
    /// The path to it; empty when it is the whole document.
    pub place: String,
    /// The configuration itself, unwrapped, or why it can't be.
    pub configuration: Result<Value, SettingsError>,
    /// What is wrong with the plugin around it.
    pub flaws: Vec<SettingsError>,
    /// Whether the plugin around it has Envoy show bodies of requests that are held back; `None`: there is no plugin of Envoy's.
    pub shows_bodies: Option<bool>,
}

/// All configurations of our filter in these documents.
pub fn configurations(documents: &[Value]) -> Vec<Found> {
    let mut found = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let start = if documents.len() > 1 { format!("document[{number}]") } else { String::new() };
        let before = found.len();
        search(document, &start, &mut found);
        if found.len() == before && looks_like_ours(document) {
            let configuration = Ok(document.clone());
            found.push(Found { place: start, configuration, flaws: Vec::new(), shows_bodies: None });
        }
    }
    found
}

/// The parsers bound the depth of a document, and so the depth of this recursion.
fn search(value: &Value, path: &str, found: &mut Vec<Found>) {
    match value {
        Value::Object(object) => {
            found.extend(plugin(object, path));
            for (name, member) in object {
                search(member, &join(path, name), found);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                search(item, &format!("{path}[{number}]"), found);
            }
        }
        _ => {}
    }
}

/// This object's own configuration of our filter, when it is a plugin.
fn plugin(object: &Map<String, Value>, path: &str) -> Option<Found> {
    let text = |name| object.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("@type").ends_with(WASM_TYPE) {
        return envoy_plugin(object.get("config")?, &join(path, "config"));
    }
    // The same in a TypedStruct, as patches for meshes often write it.
    if text("type_url").ends_with(WASM_TYPE) {
        return envoy_plugin(object.get("value")?.get("config")?, &join(path, "value.config"));
    }
    // Istio's WasmPlugin and an item of Envoy Gateway's `wasm` list carry the object as it is.
    for member in ["pluginConfig", "config"] {
        let configuration = object.get(member).filter(|inner| looks_like_ours(inner));
        if let Some(configuration) = configuration {
            let fails_open =
                text("failStrategy") == "FAIL_OPEN" || object.get("failOpen") == Some(&Value::Bool(true));
            return Some(Found {
                place: join(path, member),
                configuration: Ok(configuration.clone()),
                flaws: Vec::from_iter(fails_open.then(fail_open)),
                shows_bodies: None,
            });
        }
    }
    None
}

/// Envoy's PluginConfig.
fn envoy_plugin(plugin: &Value, path: &str) -> Option<Found> {
    let configuration = plugin.get("configuration");
    let unwrapped = configuration.map_or_else(
        || Err(wrong("nothing", "a google.protobuf.Struct or StringValue with the filter's configuration")),
        unwrap,
    );
    let named_ours =
        |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|name| name.contains("faregate"));
    let ours = named_ours(plugin.get("name"))
        || named_ours(plugin.get("root_id"))
        || named_ours(plugin.pointer("/vm_config/vm_id"))
        || named_ours(plugin.pointer("/vm_config/code/local/filename"))
        || unwrapped.as_ref().is_ok_and(looks_like_ours);
    let fails_open = plugin.get("failure_policy").and_then(Value::as_str) == Some("FAIL_OPEN")
        || plugin.get("fail_open") == Some(&Value::Bool(true));
    let shows = |name| plugin.get(name) == Some(&Value::Bool(true));
    ours.then(|| Found {
        place: join(path, "configuration"),
        configuration: unwrapped,
        flaws: Vec::from_iter(fails_open.then(fail_open)),
        shows_bodies: Some(shows("allow_on_headers_stop_iteration") || shows("allowOnHeadersStopIteration")),
    })
}

fn fail_open() -> SettingsError {
    SettingsError::new(
        "(plugin) failure_policy",
        "FAIL_OPEN",
        "FAIL_RELOAD, or FAIL_CLOSED: a gate that fails open lets everybody through unpaid",
    )
}

/// The last part of an any-type's name.
fn kind(any: &Value) -> &str {
    let name = any.get("@type").and_then(Value::as_str).unwrap_or_default();
    name.rsplit(['/', '.']).next().unwrap_or_default()
}

/// Takes the configuration out of the any-type that Envoy wants around it.
fn unwrap(any: &Value) -> Result<Value, SettingsError> {
    let kind = kind(any);
    match (kind, any.get("value")) {
        ("Struct", Some(value)) => Ok(value.clone()),
        ("StringValue", Some(Value::String(text))) => serde_json::from_str(text)
            .map_err(|error| wrong(&format!("a StringValue that is no JSON ({error})"), "a JSON object")),
        ("StringValue" | "Struct", _) => {
            Err(wrong("no fitting `value`", "text in a StringValue, an object in a Struct"))
        }
        _ => Err(wrong(&format!("@type {kind:?}"), "google.protobuf.Struct or google.protobuf.StringValue")),
    }
}

fn looks_like_ours(value: &Value) -> bool {
    value.as_object().is_some_and(|object| OURS.iter().any(|name| object.contains_key(*name)))
}

fn wrong(found: &str, allowed: &str) -> SettingsError {
    SettingsError::new("(configuration)", found, allowed)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
