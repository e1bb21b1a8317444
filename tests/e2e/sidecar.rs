//! Two workloads of a mesh, as `envoy/sidecar/` has them: A's sidecar shows A's certificate, and B's takes A's fare
//! by the identity in it. Only ports and paths are filled in; there is no key anywhere.

use super::manifests::yaml::document;
use harness::{Answer, GATEWAY_TOKEN, Gateway, LedgerProcess, Upstream, filter, free_port, get, project};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

pub const A: &str = "spiffe://mesh.example/ns/shop/sa/a";
const B: &str = "spiffe://mesh.example/ns/shop/sa/b";
const RICH: &str = "spiffe://mesh.example/ns/shop/sa/rich";

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_is_identified_by_its_certificate_only() {
    let mut mesh = Mesh::start().await;
    mesh.ledger.run(&["account", "create", "team-a"]);
    mesh.ledger.run(&["grant", "team-a", "3"]);
    mesh.ledger.run(&["key", "create", "team-a", "--subject", A]);
    mesh.ledger.run(&["account", "create", "rich"]);
    mesh.ledger.run(&["grant", "rich", "1000"]);
    mesh.ledger.run(&["key", "create", "rich", "--subject", RICH]);
    let claim = format!("By={B};Hash=00;URI={RICH}");
    let spoofed = [
        ("x-forwarded-client-cert", claim.as_str()),
        ("x-faregate-account", "rich"),
        ("x-api-key", RICH),
        ("authorization", "Bearer rich"),
    ];

    let a = mesh.client("a", |_| {}).await;
    for headers in [&[][..], &spoofed, &[]] {
        let answer = get(&a, "/orders", headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = mesh.upstream.last();
        assert_eq!(seen.get("x-faregate-account").map(String::as_str), Some("team-a"), "{seen:?}");
        assert_eq!(seen["x-forwarded-client-cert"], format!("By={B};Hash={};URI={A}", hash(&seen)));
    }
    let broke = get(&a, "/orders", &spoofed).await;
    assert_eq!((broke.status, &broke.body["remedies"][0]["action"]), (402, &json!("top_up")), "{broke:?}");

    mesh.ledger.balance_becomes("team-a", "spent", "3").await;
    assert_eq!(mesh.ledger.balance("rich", "available").await, "1000");
    assert_eq!(mesh.upstream.served(), 3);
    mesh.ledger.audit().await;
    mesh.b.process.stop();
    let log = mesh.b.process.output();
    assert!(
        log.contains(&format!("GET /orders 402 {A} faregate{{decision=insufficient_funds,account=team-a,")),
        "{log}"
    );
    let paid = format!("GET /orders 200 {A} via_upstream decision=admitted account=team-a ");
    assert_eq!(log.matches(&paid).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_without_a_mesh_certificate_or_an_account_are_refused() {
    let mesh = Mesh::start().await;
    mesh.ledger.run(&["account", "create", "team-a"]);
    mesh.ledger.run(&["grant", "team-a", "10"]);
    mesh.ledger.run(&["key", "create", "team-a", "--subject", A]);
    mesh.authority.sign("stranger", &["spiffe://mesh.example/ns/shop/sa/stranger"]);
    mesh.authority.sign("foreign", &["spiffe://mesh.example.org/ns/shop/sa/a"]);
    mesh.authority.sign("nameless", &[]);
    Authority::new(&mesh.dir.path().join("other")).sign_into(mesh.dir.path(), "forged", &[A]);

    let claim = format!("By={B};URI={A}");
    let stranger = mesh.client("stranger", |_| {}).await;
    for headers in [&[][..], &[("x-forwarded-client-cert", claim.as_str()), ("x-faregate-account", "team-a")]]
    {
        let refused = get(&stranger, "/orders", headers).await;
        assert_eq!((refused.status, &refused.body["code"]), (401, &json!("invalid_key")), "{refused:?}");
        assert_eq!(refused.body["remedies"], json!([{"action": "contact_operator"}]));
        let detail =
            "No account pays for this verified identity. Ask the operator of this API to add it to one.";
        assert_eq!(refused.body["detail"], detail);
    }
    assert_eq!(get(&stranger, "/health", &[]).await.status, 200, "what is free needs no account");

    let before = mesh.b.envoy_stat("http.inbound.downstream_rq_total").await;
    let bare =
        mesh.client("a", |tls| drop(tls.as_object_mut().expect("an object").remove("tls_certificates")));
    never_gets_in(&bare.await).await;
    for name in ["foreign", "nameless", "forged"] {
        never_gets_in(&mesh.client(name, |_| {}).await).await;
    }
    let plain = reqwest::get(mesh.b.url("/orders")).await;
    assert!(plain.is_err(), "plain HTTP: {plain:?}");
    let after = mesh.b.envoy_stat("http.inbound.downstream_rq_total").await;
    assert_eq!(after, before, "none of them became a request");
    assert_eq!(mesh.upstream.served(), 1);
    assert_eq!(mesh.ledger.balance("team-a", "spent").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_uri_of_a_certificate_pays_and_long_names_are_refused() {
    let mesh = Mesh::start().await;
    for (account, subject) in [("team-a", A), ("rich", RICH)] {
        mesh.ledger.run(&["account", "create", account]);
        mesh.ledger.run(&["grant", account, "10"]);
        mesh.ledger.run(&["key", "create", account, "--subject", subject]);
    }
    let foreign = "spiffe://mesh.example.org/ns/shop/sa/a";
    let long = format!("spiffe://mesh.example/{}", "x".repeat(1_100));
    for (name, names, pays) in [
        ("both", vec!["a.shop.internal", A, RICH], Ok("team-a")),
        ("reversed", vec![RICH, "a.shop.internal", A], Ok("rich")),
        // The check of the trust domain passes with any name; the gate takes the first, which no account has.
        ("mixed", vec![foreign, RICH], Err("invalid_key")),
        ("long", vec![long.as_str()], Err("invalid_key")),
    ] {
        mesh.authority.sign(name, &names);
        let client = mesh.client(name, |_| {}).await;
        let answer: Answer = get(&client, "/orders", &[]).await;
        match pays {
            Ok(account) => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                assert_eq!(mesh.upstream.last()["x-faregate-account"], account, "{name}");
            }
            Err(code) => assert_eq!((answer.status, &answer.body["code"]), (401, &json!(code)), "{name}"),
        }
    }
    mesh.ledger.balance_becomes("team-a", "spent", "1").await;
    mesh.ledger.balance_becomes("rich", "spent", "1").await;

    for (subject, says) in [
        (long.as_str(), "the most is 1024"),
        ("", "is empty"),
        ("spiffe://mesh.example/ns/shop/sa/a ", "white space"),
        ("spiffe://mesh.example/\u{7}", "control character"),
    ] {
        let (done, said) = mesh.ledger.try_run(&["key", "create", "team-a", "--subject", subject]);
        assert!(!done && said.contains("subject") && said.contains(says), "{subject:?}: {said}");
    }
    let (done, said) = mesh.ledger.try_run(&["key", "create", "rich", "--subject", A]);
    assert!(!done && said.contains(A), "an identity pays for one account only: {said}");
}

/// The response of a workload's own sidecar after B's sidecar refused it.
async fn never_gets_in(client: &Gateway) {
    let answer = get(client, "/orders", &[]).await;
    assert_eq!((answer.status, &answer.body), (503, &Value::Null), "{answer:?}");
}

/// The certificate's hash in the header that Envoy wrote; whatever it is, it isn't the claimed one.
fn hash(seen: &BTreeMap<String, String>) -> String {
    let header = &seen["x-forwarded-client-cert"];
    let hash = header.split("Hash=").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    assert_eq!(hash.len(), 64, "{header}");
    hash.to_owned()
}

/// B with its sidecar, a ledger, and an authority that makes certificates.
pub struct Mesh {
    pub ledger: LedgerProcess,
    pub b: Gateway,
    pub upstream: Upstream,
    authority: Authority,
    inbound: u16,
    dir: tempfile::TempDir,
}

impl Mesh {
    /// One as the files say.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// One whose sidecar at B is changed first.
    pub async fn start_with(change: impl Fn(&mut Value)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let upstream = Upstream::start().await;
        let ledger = LedgerProcess::start(dir.path(), &[], &[]).await;
        let authority = Authority::new(dir.path());
        authority.sign("a", &[A]);
        authority.sign("b", &[B]);
        let (inbound, admin) = (free_port(), free_port());
        let ports = [(15010, admin), (15006, inbound), (7401, ledger.gateway_port), (3000, upstream.port)];
        let mut config = filled("server.yaml", dir.path(), &ports);
        change(&mut config);
        let token = [("FAREGATE_GATEWAY_TOKEN".to_owned(), GATEWAY_TOKEN.to_owned())];
        let b = Gateway::start(dir.path(), "b", &config, (inbound, admin), &token).await;
        Self { ledger, b, upstream, authority, inbound, dir }
    }

    /// A workload's sidecar that shows this certificate; its TLS settings may be changed first.
    pub async fn client(&self, certificate: &str, change: impl Fn(&mut Value)) -> Gateway {
        let (outbound, admin) = (free_port(), free_port());
        let ports = [(15000, admin), (15001, outbound), (15006, self.inbound)];
        let mut config = filled("client.yaml", self.dir.path(), &ports);
        let tls = config
            .pointer_mut("/static_resources/clusters/0/transport_socket/typed_config/common_tls_context")
            .expect("TLS settings");
        let shown = &mut tls["tls_certificates"][0];
        for (member, kind) in [("certificate_chain", "crt"), ("private_key", "key")] {
            shown[member]["filename"] = json!(self.dir.path().join(format!("{certificate}.{kind}")));
        }
        change(tls);
        Gateway::start(self.dir.path(), &format!("of-{certificate}"), &config, (outbound, admin), &[]).await
    }
}

/// A file of `envoy/sidecar/` with the ports and paths of a story.
fn filled(file: &str, dir: &Path, ports: &[(u64, u16)]) -> Value {
    let text = std::fs::read_to_string(project().join("envoy/sidecar").join(file)).expect("a configuration");
    let mut config = document(&text);
    fill(&mut config, dir, ports);
    config
}

fn fill(value: &mut Value, dir: &Path, ports: &[(u64, u16)]) {
    match value {
        Value::Object(object) => {
            for (name, member) in object {
                if name == "port_value" {
                    let port = ports.iter().find(|(usual, _)| member.as_u64() == Some(*usual));
                    *member = json!(port.unwrap_or_else(|| panic!("a port that no story knows: {member}")).1);
                } else if name == "filename" {
                    let path = Path::new(member.as_str().expect("a path")).to_owned();
                    let own = dir.join(path.file_name().expect("a name"));
                    *member =
                        json!(if path.extension().is_some_and(|it| it == "wasm") { filter() } else { own });
                } else {
                    fill(member, dir, ports);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, dir, ports)),
        _ => {}
    }
}

/// A certificate authority, whose files lie in one folder.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: std::path::PathBuf,
}

impl Authority {
    fn new(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // A name of its own, or a certificate would look as if it had signed itself.
        params.distinguished_name.push(DnType::OrganizationName, "the mesh's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root certificate").pem();
        std::fs::write(dir.join("ca.crt"), root).expect("a file");
        Self { issuer: Issuer::new(params, key), dir: dir.to_owned() }
    }

    /// A certificate with these names, URIs or hosts, in this order.
    fn sign(&self, file: &str, names: &[&str]) {
        self.sign_into(&self.dir, file, names);
    }

    fn sign_into(&self, dir: &Path, file: &str, names: &[&str]) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.subject_alt_names = names
            .iter()
            .map(|name| {
                let text = (*name).try_into().expect("ASCII");
                if name.contains("://") { SanType::URI(text) } else { SanType::DnsName(text) }
            })
            .collect();
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(dir.join(format!("{file}.crt")), signed.pem()).expect("a file");
        std::fs::write(dir.join(format!("{file}.key")), key.serialize_pem()).expect("a file");
    }
}
