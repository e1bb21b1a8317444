// Writes tests/fixtures/schemas/: what the published schemas allow in the manifests under envoy/, and nothing else of
// them: no descriptions, no status, no kinds that aren't used.
//
//   node build.mjs SOURCES OUT      (`make schemas` fetches the sources and calls this)

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const [sources, out] = process.argv.slice(2);
const require = createRequire(path.resolve(sources, "x.js"));
const { createGenerator } = require("ts-json-schema-generator");
const models = path.join(sources, "node_modules/@kubernetes-models");
const wheel = path.join(sources, "wheels");
const read = file => JSON.parse(fs.readFileSync(file, "utf8"));
const version = name => read(path.join(models, name, "package.json")).version;

const KUBERNETES = "v1.35.0";
const NATIVE = {
  "v1/Namespace": "namespace-v1",
  "v1/Service": "service-v1",
  "v1/ServiceAccount": "serviceaccount-v1",
  "apps/v1/Deployment": "deployment-apps-v1",
  "apps/v1/StatefulSet": "statefulset-apps-v1",
  "networking.k8s.io/v1/NetworkPolicy": "networkpolicy-networking-v1",
  "policy/v1/PodDisruptionBudget": "poddisruptionbudget-policy-v1",
};
const CUSTOM = {
  istio: [
    "extensions.istio.io/v1alpha1/WasmPlugin",
    "networking.istio.io/v1/DestinationRule",
    "networking.istio.io/v1/Sidecar",
    "security.istio.io/v1/AuthorizationPolicy",
    "security.istio.io/v1/PeerAuthentication",
  ],
  "gateway-api": [
    "gateway.networking.k8s.io/v1/Gateway",
    "gateway.networking.k8s.io/v1/GatewayClass",
    "gateway.networking.k8s.io/v1/HTTPRoute",
  ],
  "envoy-gateway": [
    "gateway.envoyproxy.io/v1alpha1/ClientTrafficPolicy",
    "gateway.envoyproxy.io/v1alpha1/EnvoyExtensionPolicy",
    "gateway.envoyproxy.io/v1alpha1/EnvoyPatchPolicy",
    "gateway.envoyproxy.io/v1alpha1/EnvoyProxy",
  ],
};

// A schema without what a test has no use for. Where `close` is set, an object that lists its fields allows no others.
function lean(schema, close = true) {
  if (Array.isArray(schema)) return schema.map(of => lean(of, close));
  if (schema === null || typeof schema !== "object") return schema;
  const kept = {};
  for (const [name, value] of Object.entries(schema)) {
    if (["description", "title", "$schema", "$id", "deprecated", "examples"].includes(name) && typeof value !== "object") continue;
    if (name.startsWith("x-kubernetes") || name === "examples") continue;
    if (["properties", "definitions", "patternProperties"].includes(name)) {
      kept[name] = Object.fromEntries(Object.entries(value).map(([field, of]) => [field, lean(of, close)]));
    } else kept[name] = lean(value, close);
  }
  const fields = Object.keys(kept.properties ?? {}).length;
  // `{}` in a type means an object whose fields are not the publisher's business.
  if (kept.additionalProperties === false && fields === 0 && !kept.patternProperties) delete kept.additionalProperties;
  if (close && fields > 0 && kept.additionalProperties === undefined) kept.additionalProperties = false;
  return kept;
}

// The definitions that these schemas lead to.
function reached(schemas, all) {
  const found = {};
  const walk = value => {
    if (value === null || typeof value !== "object") return;
    const name = typeof value.$ref === "string" && decodeURIComponent(value.$ref.replace("#/definitions/", ""));
    if (name && !found[name]) walk(found[name] = all[name]);
    Object.values(value).forEach(walk);
  };
  walk(schemas);
  return found;
}

function write(name, source, kinds, definitions) {
  const used = reached(kinds, definitions);
  const text = JSON.stringify({ $comment: source, kinds, definitions: used }, null, 0);
  fs.writeFileSync(path.join(out, `${name}.json`), `${text}\n`);
}

// Kubernetes' own kinds.
const folder = path.join(wheel, `kubernetes_validate/kubernetes-json-schema/${KUBERNETES}-local-strict`);
const local = file => JSON.parse(fs.readFileSync(file, "utf8").replace(/"[^"]*#\/\$defs\//g, '"#/definitions/').replace('"$defs"', '"definitions"'));
const native = lean(local(path.join(folder, "_definitions.json"))).definitions;
const kinds = {};
for (const [kind, file] of Object.entries(NATIVE)) {
  kinds[kind] = lean(local(path.join(folder, `${file}.json`)));
  kinds[kind].required = ["apiVersion", "kind", "metadata"];
  delete kinds[kind].properties.status;
}
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
write("kubernetes", `Kubernetes ${KUBERNETES}, from PyPI's kubernetes-validate`, kinds, native);

// Kinds that others define: published as types, made from the publisher's own definitions.
for (const [name, list] of Object.entries(CUSTOM)) {
  const kinds = {};
  for (const kind of list) {
    const [group, release, type] = kind.split("/");
    const file = path.join(models, name, group, release, `${type}.d.ts`);
    const tsconfig = path.join(sources, "tsconfig.json");
    const options = { path: file, tsconfig, type: `I${type}`, skipTypeCheck: true, jsDoc: "none", expose: "none", additionalProperties: false };
    const made = lean(createGenerator(options).createSchema(`I${type}`));
    const schema = made.definitions?.[`I${type}`] ?? made;
    if (Object.keys(made.definitions ?? {}).length > 1) throw new Error(`${kind}: unexpected definitions`);
    delete schema.properties.status;
    schema.properties.apiVersion = { const: `${group}/${release}` };
    schema.properties.kind = { const: type };
    schema.properties.metadata = { $ref: `#/definitions/${meta}` };
    // Its types are "one with a provider, or one without"; read as one they demand what is optional.
    if (type === "AuthorizationPolicy") delete schema.properties.spec.required;
    schema.required = ["apiVersion", "kind", "metadata", "spec"];
    kinds[kind] = schema;
  }
  write(name, `npm's @kubernetes-models/${name} ${version(name)}`, kinds, native);
}

// Compose. Its schema is closed as it is, and composed of parts that mustn't be.
const compose = lean(local(path.join(wheel, "check_jsonschema/builtin_schemas/vendor/compose-spec.json")), false);
const { definitions, ...top } = compose;
write("compose", "the Compose Specification, from PyPI's check-jsonschema", { compose: top }, definitions);
