//! Finds the filter's configuration inside a larger file: Envoy's own, an Istio `WasmPlugin`, an Envoy
//! Gateway `EnvoyExtensionPolicy`, or the bare thing.

use super::document::join;
use super::envoy::{self, Chain, Variables};
use super::problem::{Place, Problem};
use faregate::decide::settings::SettingsError;
use serde_json::{Map, Value};

/// How Envoy names the type of a wasm HTTP filter.
const WASM_TYPE: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
/// Members that only our configuration has.
const OURS: [&str; 4] = ["ledger", "identities", "default", "rules"];

/// A configuration that is ours, or should be.
pub struct Found<'a> {
    /// The path to it; empty when it is the whole document.
    pub place: String,
    /// The configuration itself.
    pub configuration: Configuration<'a>,
    /// What is wrong with the plugin around it.
    pub flaws: Vec<Problem>,
    /// Whether the plugin around it has Envoy show bodies of requests that are held back; `None`: there is no plugin of Envoy's.
    pub shows_bodies: Option<bool>,
    /// The environment variables that the VM has; `None`: nothing around says it.
    pub environment: Option<Variables<'a>>,
    /// Where the filter is among others.
    pub chain: Option<Chain<'a>>,
}

/// What the filter reads.
pub enum Configuration<'a> {
    /// An object, at this place in the document.
    Object(&'a Value, String),
    /// Text with JSON in it.
    Text(&'a str),
    /// It is not in this file: Envoy discovers it.
    Elsewhere,
    /// It can't be taken out of what is around it.
    Wrong(Box<SettingsError>),
}

/// All configurations of our filter in a document.
pub fn configurations(document: &Value) -> Vec<Found<'_>> {
    let mut search = Search { bootstrap: document, found: Vec::new() };
    search.value(document, "", None);
    if search.found.is_empty() && looks_like_ours(document) {
        search.found.push(Found::bare(String::new(), document));
    }
    search.found
}

struct Search<'a> {
    bootstrap: &'a Value,
    found: Vec<Found<'a>>,
}

impl<'a> Search<'a> {
    /// The parsers bound the depth of a document, and so the depth of this recursion.
    fn value(&mut self, value: &'a Value, path: &str, chain: Option<&Chain<'a>>) {
        match value {
            Value::Object(object) => {
                if let Some(mut found) = plugin(object, path).or_else(|| discovered(object, path)) {
                    found.chain = chain.cloned();
                    self.found.push(found);
                }
                for (name, member) in object {
                    self.member(object, name, member, &join(path, name), chain);
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.value(item, &format!("{path}[{number}]"), chain);
                }
            }
            _ => {}
        }
    }

    fn member(
        &mut self,
        object: &'a Map<String, Value>,
        name: &str,
        member: &'a Value,
        path: &str,
        chain: Option<&Chain<'a>>,
    ) {
        let Some(filters) = envoy::filters(object, name, member) else {
            return self.value(member, path, chain);
        };
        let manager = path.strip_suffix(name).unwrap_or_default().trim_end_matches('.').to_owned();
        for (at, filter) in filters.iter().enumerate() {
            let chain =
                Chain { bootstrap: self.bootstrap, manager: object, place: manager.clone(), filters, at };
            self.value(filter, &format!("{path}[{at}]"), Some(&chain));
        }
    }
}

impl<'a> Found<'a> {
    fn bare(place: String, configuration: &'a Value) -> Self {
        Self {
            configuration: Configuration::Object(configuration, place.clone()),
            place,
            flaws: Vec::new(),
            shows_bodies: None,
            environment: None,
            chain: None,
        }
    }
}

/// This object's own configuration of our filter, when it is a plugin.
fn plugin<'a>(object: &'a Map<String, Value>, path: &str) -> Option<Found<'a>> {
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
            let mut flaws = Vec::new();
            for (name, fails_open) in [
                ("failStrategy", text("failStrategy") == "FAIL_OPEN"),
                ("failOpen", object.get("failOpen") == Some(&Value::Bool(true))),
            ] {
                flaws.extend(fails_open.then(|| fail_open(name, path)));
            }
            if text("phase") == "AUTHN" {
                flaws.push(Problem::warning(
                    Place::Plugin("phase", path),
                    "AUTHN: the gate comes before the mesh's own authentication and authorization",
                    "AUTHZ, STATS or nothing, so that who is turned away there doesn't pay",
                ));
            }
            let environment = if member == "pluginConfig" { istio_variables } else { gateway_variables };
            return Some(Found {
                flaws,
                environment: Some(environment(object)),
                ..Found::bare(join(path, member), configuration)
            });
        }
    }
    None
}

fn istio_variables(plugin: &Map<String, Value>) -> Variables<'_> {
    let variables = plugin.get("vmConfig").and_then(|vm| vm.get("env")).and_then(Value::as_array);
    let names = variables.into_iter().flatten().filter_map(|variable| variable.get("name")?.as_str());
    Variables { names: names.collect(), member: "vmConfig.env" }
}

fn gateway_variables(plugin: &Map<String, Value>) -> Variables<'_> {
    let names = plugin.get("env").and_then(|env| env.get("hostKeys")).and_then(Value::as_array);
    Variables {
        names: names.into_iter().flatten().filter_map(Value::as_str).collect(),
        member: "env.hostKeys",
    }
}

/// A filter of ours whose configuration Envoy gets from elsewhere (ECDS).
fn discovered<'a>(filter: &'a Map<String, Value>, path: &str) -> Option<Found<'a>> {
    let discovery = envoy::member(filter, "config_discovery")?;
    let types = envoy::field(discovery, "type_urls").and_then(Value::as_array);
    let is_wasm =
        types.into_iter().flatten().any(|kind| kind.as_str().unwrap_or_default().ends_with(WASM_TYPE));
    let is_ours = filter.get("name").and_then(Value::as_str).is_some_and(|name| name.contains("faregate"));
    (is_wasm && is_ours).then(|| Found {
        place: join(path, "config_discovery"),
        configuration: Configuration::Elsewhere,
        flaws: Vec::new(),
        shows_bodies: None,
        environment: None,
        chain: None,
    })
}

/// Envoy's PluginConfig.
fn envoy_plugin<'a>(plugin: &'a Value, path: &str) -> Option<Found<'a>> {
    let place = join(path, "configuration");
    let configuration = plugin.get("configuration").map_or_else(
        || wrong("nothing", "a google.protobuf.Struct or StringValue with the filter's configuration"),
        |any| unwrap(any, &place),
    );
    let named_ours =
        |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|name| name.contains("faregate"));
    let vm = envoy::field(plugin, "vm_config");
    let of_vm = |name| vm.and_then(|vm| envoy::field(vm, name));
    let ours = named_ours(plugin.get("name"))
        || named_ours(envoy::field(plugin, "root_id"))
        || named_ours(of_vm("vm_id"))
        || named_ours(of_vm("code").and_then(|code| code.pointer("/local/filename")))
        || match &configuration {
            Configuration::Object(object, _) => looks_like_ours(object),
            Configuration::Text(text) => {
                serde_json::from_str(text).is_ok_and(|value| looks_like_ours(&value))
            }
            _ => false,
        };
    if !ours {
        return None;
    }
    let mut flaws = Vec::new();
    for (name, opens) in [("failure_policy", Value::from("FAIL_OPEN")), ("fail_open", Value::Bool(true))] {
        flaws.extend((envoy::field(plugin, name) == Some(&opens)).then(|| fail_open(name, path)));
    }
    let environment = envoy::variables(of_vm("environment_variables"));
    flaws.extend(envoy::variable_twice(&environment, path));
    let shows = envoy::field(plugin, "allow_on_headers_stop_iteration") == Some(&Value::Bool(true));
    Some(Found {
        place,
        configuration,
        flaws,
        shows_bodies: Some(shows),
        environment: Some(environment),
        chain: None,
    })
}

fn fail_open(name: &'static str, path: &str) -> Problem {
    let allowed = match name {
        "fail_open" | "failOpen" => "false",
        "failStrategy" => "FAIL_RELOAD, or FAIL_CLOSE",
        _ => "FAIL_RELOAD, or FAIL_CLOSED",
    };
    Problem::error(
        Place::Plugin(name, path),
        if allowed == "false" { "true" } else { "FAIL_OPEN" },
        &format!("{allowed}: a gate that fails open lets everybody through unpaid"),
    )
}

/// The last part of an any-type's name.
fn kind(any: &Value) -> &str {
    let name = any.get("@type").and_then(Value::as_str).unwrap_or_default();
    name.rsplit(['/', '.']).next().unwrap_or_default()
}

/// Takes the configuration out of the any-type that Envoy wants around it.
fn unwrap<'a>(any: &'a Value, place: &str) -> Configuration<'a> {
    let kind = kind(any);
    match (kind, any.get("value")) {
        ("Struct", Some(value)) => Configuration::Object(value, join(place, "value")),
        ("StringValue", Some(Value::String(text))) => Configuration::Text(text),
        ("StringValue" | "Struct", _) => {
            wrong("no fitting `value`", "text in a StringValue, an object in a Struct")
        }
        _ => wrong(&format!("@type {kind:?}"), "google.protobuf.Struct or google.protobuf.StringValue"),
    }
}

fn looks_like_ours(value: &Value) -> bool {
    value.as_object().is_some_and(|object| OURS.iter().any(|name| object.contains_key(*name)))
}

fn wrong<'a>(found: &str, allowed: &str) -> Configuration<'a> {
    Configuration::Wrong(Box::new(SettingsError::new("(configuration)", found, allowed)))
}
