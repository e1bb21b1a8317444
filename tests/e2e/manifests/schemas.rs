//! The published schemas, as `tools/schemas` has trimmed them. An object that lists its fields takes no others.

use harness::project;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One validator per kind, by its apiVersion and name.
pub struct Schemas {
    validators: BTreeMap<String, Validator>,
}

impl Schemas {
    pub fn load() -> Self {
        let mut validators = BTreeMap::new();
        let folder = project().join("tests/fixtures/schemas");
        for entry in std::fs::read_dir(folder).expect("the schemas").filter_map(Result::ok) {
            if entry.path().extension().is_none_or(|kind| kind != "json") {
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("a schema");
            let file: Value = serde_json::from_str(&text).expect("JSON");
            for (kind, schema) in file["kinds"].as_object().expect("kinds") {
                let mut schema = schema.clone();
                schema["definitions"] = file["definitions"].clone();
                let made = jsonschema::options().with_draft(Draft::Draft202012).build(&schema);
                let made = made.unwrap_or_else(|why| panic!("{kind}: {why}"));
                assert!(validators.insert(kind.clone(), made).is_none(), "{kind} is there twice");
            }
        }
        assert!(validators.len() > 15, "{:?}", validators.keys());
        Self { validators }
    }

    /// What is wrong with an object of a cluster.
    pub fn problems(&self, object: &Value) -> Vec<String> {
        let text = |name: &str| object[name].as_str().unwrap_or_default();
        self.problems_of_kind(&format!("{}/{}", text("apiVersion"), text("kind")), object)
    }

    pub fn problems_of_kind(&self, kind: &str, value: &Value) -> Vec<String> {
        let Some(validator) = self.validators.get(kind) else {
            return vec![format!("no schema of {kind}: add it to tools/schemas/build.mjs")];
        };
        validator.iter_errors(value).map(|why| format!("{}: {why}", why.instance_path())).collect()
    }
}

/// Where objects stand in a document, as JSON pointers.
pub fn objects_in(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![(String::new(), value)];
    while let Some((place, value)) = left.pop() {
        match value {
            Value::Object(members) => {
                let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
                left.extend(members.iter().map(|(name, it)| (format!("{place}/{}", escaped(name)), it)));
                found.push(place);
            }
            Value::Array(items) => {
                left.extend(items.iter().enumerate().map(|(number, it)| (format!("{place}/{number}"), it)));
            }
            _ => {}
        }
    }
    found
}

/// Whether an object's fields are the author's own: labels, amounts, a plugin's configuration.
pub fn is_free(object: &Value, place: &str) -> bool {
    const FREE: [&str; 9] = [
        "labels",
        "annotations",
        "matchLabels",
        "requests",
        "limits",
        "pluginConfig",
        "value",
        "config",
        "environment",
    ];
    // In Compose the names of things are fields.
    const NAMED: [&str; 4] = ["/services", "/volumes", "/networks", "/data"];
    let parts: Vec<&str> = place.split('/').skip(1).collect();
    parts.iter().any(|part| FREE.contains(part))
        || NAMED.contains(&place)
        || (object["kind"] == "Service" && place == "/spec/selector")
}

#[test]
fn the_checker_enforces_the_types_and_enums_of_a_schema() {
    let schemas = Schemas::load();
    let service = |port: Value| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},
               "spec": {"ports": [{"port": 1, "targetPort": port}]}})
    };
    // A number or a name.
    assert_eq!(schemas.problems(&service(json!(80))), Vec::<String>::new());
    assert_eq!(schemas.problems(&service(json!("http"))), Vec::<String>::new());
    assert!(!schemas.problems(&service(json!([80]))).is_empty());
    let plugin = |field: &str, value: Value| {
        let mut spec = json!({"url": "oci://x", "pluginConfig": {"what": {"ever": 1}}});
        spec[field] = value;
        json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": "x"}, "spec": spec})
    };
    assert_eq!(schemas.problems(&plugin("phase", json!("AUTHN"))), Vec::<String>::new());
    assert!(!schemas.problems(&plugin("phase", json!("NEVER"))).is_empty(), "a value that isn't in the list");
    assert!(!schemas.problems(&plugin("priority", json!("10"))).is_empty(), "text for a number");
}
