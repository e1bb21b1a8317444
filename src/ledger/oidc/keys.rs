//! The provider's keys (RFC 7517), and whether one of them has signed something.
//!
//! What must hold: a signature is checked by the algorithm that belongs to the kind of key: RS256 by RSA keys of 2,048 bits or more,
//! ES256 by keys on P-256. There is no other, so a token can't choose a weaker one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// The most keys of a provider that are looked at.
const MAX_KEYS: usize = 64;
/// How many bytes a coordinate on P-256 has.
const COORDINATE_BYTES: usize = 32;

/// How something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    /// As headers of tokens call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// Why a signature isn't good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSignature {
    /// None of the keys is the one that is named.
    UnknownKey,
    /// It isn't that of the key.
    Wrong,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { point: Vec<u8> },
}

/// A key as it is published.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// All keys that can sign tokens.
#[derive(Debug)]
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads a set; keys of other kinds are left out.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set =
            serde_json::from_slice(body).map_err(|why| format!("its keys are no JWK set: {why}"))?;
        let read = |value| serde_json::from_value::<Published>(value).ok().and_then(Key::of);
        Ok(Self(set.keys.into_iter().take(MAX_KEYS).filter_map(read).collect()))
    }

    /// Whether the key of this identifier has signed it; without an identifier, one of them.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let named = self.0.iter().filter(|key| id.is_none() || key.id.as_deref() == id);
        let mut fitting = named.filter(|key| key.algorithm() == algorithm).peekable();
        if fitting.peek().is_none() {
            return Err(BadSignature::UnknownKey);
        }
        if fitting.any(|key| key.has_signed(signed, signature)) { Ok(()) } else { Err(BadSignature::Wrong) }
    }
}

impl Key {
    fn of(published: Published) -> Option<Self> {
        let Published { kty, kid, purpose, alg, n, e, crv, x, y } = published;
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let material = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => Material::Rsa { n: bytes(n)?, e: bytes(e)? },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(x)?, bytes(y)?);
                if x.len() != COORDINATE_BYTES || y.len() != COORDINATE_BYTES {
                    return None;
                }
                // An uncompressed point begins so (SEC 1, section 2.3.3).
                Material::P256 { point: [&[4_u8], x.as_slice(), y.as_slice()].concat() }
            }
            _ => return None,
        };
        let key = Self { id: kid, material };
        let signs = purpose.is_none_or(|purpose| purpose == "sig");
        let fits = alg.is_none_or(|alg| alg == key.algorithm().as_str());
        (signs && fits).then_some(key)
    }

    const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256 { .. } => Algorithm::Es256,
        }
    }

    fn has_signed(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Material::P256 { point } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.2 and A.3: the keys, what is signed, and the signatures.
    const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const RSA_SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const EC_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const EC_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const EC_SIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const EC_SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn keys(more: &Value) -> Keys {
        let mut set = serde_json::json!({"keys": [
            {"kty": "RSA", "kid": "r", "n": RSA_N, "e": "AQAB"},
            {"kty": "EC", "crv": "P-256", "kid": "e", "x": EC_X, "y": EC_Y},
            {"kty": "oct", "kid": "h", "k": "c2VjcmV0"}, 7, {"kty": "EC", "crv": "P-521"}
        ]});
        for key in set["keys"].as_array_mut().unwrap().iter_mut().filter(|key| key.is_object()) {
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        Keys::parse(set.to_string().as_bytes()).unwrap()
    }

    fn verified(
        keys: &Keys,
        algorithm: Algorithm,
        id: Option<&str>,
        signed: &str,
        signature: &str,
    ) -> Result<(), BadSignature> {
        keys.verify(algorithm, id, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
    }

    #[test]
    fn the_examples_of_rfc_7515_are_verified() {
        let keys = keys(&serde_json::json!({}));
        for id in [Some("r"), None] {
            assert_eq!(verified(&keys, Algorithm::Rs256, id, RSA_SIGNED, RSA_SIGNATURE), Ok(()));
        }
        for id in [Some("e"), None] {
            assert_eq!(verified(&keys, Algorithm::Es256, id, EC_SIGNED, EC_SIGNATURE), Ok(()));
        }
        let other = RSA_SIGNED.replace("joe", "eve").replace("eyJpc3Mi", "eyJpc3Mj");
        assert_eq!(
            verified(&keys, Algorithm::Rs256, Some("r"), &other, RSA_SIGNATURE),
            Err(BadSignature::Wrong)
        );
        assert_eq!(
            verified(&keys, Algorithm::Es256, Some("e"), RSA_SIGNED, EC_SIGNATURE),
            Err(BadSignature::Wrong)
        );
    }

    #[test]
    fn a_key_verifies_only_by_its_own_algorithm_and_purpose() {
        let own = keys(&serde_json::json!({}));
        for (algorithm, id) in [
            (Algorithm::Es256, "r"),
            (Algorithm::Rs256, "e"),
            (Algorithm::Rs256, "h"),
            (Algorithm::Rs256, "x"),
        ] {
            let found = verified(&own, algorithm, Some(id), RSA_SIGNED, RSA_SIGNATURE);
            assert_eq!(found, Err(BadSignature::UnknownKey), "{algorithm:?} {id}");
        }
        for other in [
            serde_json::json!({"use": "enc"}),
            serde_json::json!({"alg": "PS256"}),
            serde_json::json!({"alg": "HS256"}),
        ] {
            let found = verified(&keys(&other), Algorithm::Rs256, Some("r"), RSA_SIGNED, RSA_SIGNATURE);
            assert_eq!(found, Err(BadSignature::UnknownKey), "{other}");
        }
        for none in ["HS256", "none", "None", "RS384", "rs256", "PS256", "EdDSA", ""] {
            assert_eq!(Algorithm::named(none), None, "{none}");
        }
    }
}
