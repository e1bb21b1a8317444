//! Providers of identities: a real one, and one that does what it is asked to.

use super::SOON;
use harness::{Clients, Process, eventually, free_port};
use reqwest::Client;
use serde_json::{Value, json};

/// By what providers know the ledger.
pub const CLIENT: &str = "faregate-console";
/// What proves it.
pub const SECRET: &str = "a-clients-secret/with+signs:";
/// Whom the odd provider speaks of, unless it is asked to speak of another.
pub const ODD_SUBJECT: &str = "odd-1";

/// The provider that npm's `oidc-provider` makes.
pub struct Provider {
    /// Its name.
    pub issuer: String,
    _process: Process,
}

impl Provider {
    /// One that signs so, and sends browsers back to this console.
    pub async fn start(clients: &Clients, console: &str, algorithm: &str) -> Self {
        let port = free_port().to_string();
        let more = [
            ("PORT", port.as_str()),
            ("CLIENT_ID", CLIENT),
            ("CLIENT_SECRET", SECRET),
            ("CONSOLE", console),
            ("ALGORITHM", algorithm),
        ];
        let process = clients.start("oidc_provider.mjs", &more);
        let issuer = format!("http://127.0.0.1:{port}");
        answers(&issuer).await;
        Self { issuer, _process: process }
    }
}

/// A provider that does what it is asked to, right or wrong.
pub struct Odd {
    /// Its name.
    pub issuer: String,
    /// The program, which a scenario may stop.
    pub process: Process,
    client: Client,
}

impl Odd {
    /// Starts one.
    pub async fn start(clients: &Clients) -> Self {
        let port = free_port().to_string();
        let process = clients.start("odd_provider.mjs", &[("PORT", &port), ("CLIENT_ID", CLIENT)]);
        let issuer = format!("http://127.0.0.1:{port}");
        answers(&issuer).await;
        Self { issuer, process, client: Client::new() }
    }

    /// What it does from now on.
    pub async fn plan(&self, plan: &Value) {
        self.post("/plan", plan).await;
    }

    /// As [`Odd::plan`], for the sign-in with this nonce: `claims` are added to those of the plan.
    pub async fn plan_for(&self, nonce: &str, mut plan: Value) {
        let claims = &mut plan["claims"];
        if claims.is_null() {
            *claims = json!({});
        }
        if claims["nonce"].is_null() {
            claims["nonce"] = nonce.into();
        }
        self.plan(&plan).await;
    }

    /// Replaces its key.
    pub async fn rotate(&self) {
        self.post("/rotate", &json!({})).await;
    }

    /// How often each endpoint was called, and with what.
    pub async fn calls(&self) -> Value {
        let answer = self.client.get(format!("{}/calls", self.issuer)).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    async fn post(&self, path: &str, body: &Value) {
        let sent = self.client.post(format!("{}{path}", self.issuer)).json(body).send().await;
        assert!(sent.expect("an answer").status().is_success());
    }
}

async fn answers(issuer: &str) {
    eventually("the provider answers", SOON, async || {
        reqwest::get(format!("{issuer}/.well-known/openid-configuration")).await.is_ok()
    })
    .await;
}
