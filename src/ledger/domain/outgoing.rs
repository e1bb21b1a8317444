//! A request that delivers an event. It is both at once: a CloudEvent 1.0 in structured mode, and signed as Standard Webhooks wants.
//!
//! What must hold: the signature is over the bytes that are sent; and of one event all attempts have the same identifier and body.

mod address;
mod url;

pub use address::is_public;
pub use url::{Target, target};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

/// How many random bytes a secret has.
pub const SECRET_BYTES: usize = 32;
/// How a secret begins.
const SECRET_PREFIX: &str = "whsec_";
/// The content type of the body.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// What all events say of where they come from.
const SOURCE: &str = "faregate";

/// An event as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its identifier.
    pub id: String,
    /// What happened.
    pub kind: String,
    /// The account's identifier; none where it is about the ledger itself.
    pub account: Option<String>,
    /// Its number among those of the account, or of the ledger.
    pub sequence: i64,
    /// When it happened.
    pub time: Timestamp,
    /// What there is to know about it.
    pub data: Value,
}

impl Message {
    /// The body.
    pub fn body(&self) -> String {
        let mut body = json!({
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": self.kind,
            "time": self.time.to_string(),
            "sequence": self.sequence.to_string(),
            "datacontenttype": "application/json",
            "data": self.data,
        });
        // An attribute without a value is left out.
        if let (Some(account), Some(body)) = (&self.account, body.as_object_mut()) {
            body.insert("subject".to_owned(), account.as_str().into());
        }
        body.to_string()
    }
}

/// A secret as its owner sees it.
pub fn shown_secret(secret: &[u8]) -> String {
    [SECRET_PREFIX, &STANDARD.encode(secret)].concat()
}

/// The value of `webhook-signature`: one for each secret, with a space between.
pub fn signature(secrets: &[&[u8]], id: &str, timestamp_s: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp_s}.{body}");
    let sign = |secret: &&[u8]| {
        // A key of any length is taken.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(signed.as_bytes());
        Some(["v1,", &STANDARD.encode(mac.finalize().into_bytes())].concat())
    };
    secrets.iter().filter_map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's libraries.
    #[test]
    fn a_signature_is_the_one_that_standard_webhooks_describe() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let signed = signature(&[&secret], id, 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = signature(&[b"new", &secret], id, 1_614_265_330, body);
        assert!(both.ends_with(&format!(" {signed}")) && both.matches("v1,").count() == 2, "{both}");
        assert_eq!(shown_secret(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn a_body_is_a_cloud_event() {
        let message = Message {
            id: "event_1".into(),
            kind: "balance.low".into(),
            account: Some("acme".into()),
            sequence: 3,
            time: Timestamp::UNIX_EPOCH,
            data: json!({"left": "1"}),
        };
        let body: Value = serde_json::from_str(&message.body()).unwrap();
        assert_eq!(body["specversion"], "1.0");
        assert_eq!(
            (&body["type"], &body["subject"], &body["sequence"]),
            (&json!("balance.low"), &json!("acme"), &json!("3"))
        );
        assert_eq!((&body["time"], &body["data"]["left"]), (&json!("1970-01-01T00:00:00Z"), &json!("1")));
        assert_eq!(message.body(), message.body());
        let of_ledger: Value = serde_json::from_str(&Message { account: None, ..message }.body()).unwrap();
        assert!(of_ledger.get("subject").is_none(), "{of_ledger}");
    }
}
