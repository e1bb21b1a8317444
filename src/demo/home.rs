//! The data directory of `up`: the tokens, the demo account's key, and where everything listens.
//!
//! What must hold: whatever is secret has mode 0600, in a directory of mode 0700 if we made it; a file that was there is replaced, never
//! written into; and a secret that others may have read, or that is a link, is refused.

use faregate_client::{
    Failure,
    admin::{Admin, encoded},
    private, tokens,
};
use faregate_protocol::Credits;
use serde_json::{Value, json};
use std::{
    fs::DirBuilder,
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The account that the first run makes.
pub const DEMO_ACCOUNT: &str = "demo";
/// What the first run gives it.
pub const DEMO_CREDITS: &str = "5";

/// A directory that `up` owns.
pub struct StateDir {
    pub path: PathBuf,
    pub gateway_token: String,
    pub admin_token: String,
}

impl StateDir {
    /// Opens the directory; the first time, makes it and its tokens.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed =
            |error| Failure::new("data", format!("can't make the directory {}: {error}", path.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        private::require_own(&path, private::OTHERS_WRITE)?;
        let gateway_token = token(&path.join("gateway-token"))?;
        let admin_token = token(&path.join("admin-token"))?;
        Ok(Self { path, gateway_token, admin_token })
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only the user may read.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.file(name);
        write_private(&path, text)?;
        Ok(path)
    }

    /// The demo account's key and what it may spend; the first time, makes both. A first run that was
    /// cut short is completed by the next.
    pub fn demo_key(&self, admin: &Admin) -> Result<(String, Credits), Failure> {
        let account = format!("/admin/v1/accounts/{}", encoded(DEMO_ACCOUNT));
        match admin.post("/admin/v1/accounts", &json!({ "id": DEMO_ACCOUNT, "name": "Demo" })) {
            Err(failure) if failure.status != Some(409) => return Err(failure),
            _ => {}
        }
        let balance = admin.get(&format!("{account}/balance"), &[])?;
        let mut available = credits(&balance, "available")?.saturating_add(credits(&balance, "held")?);
        let fresh = credits(&balance, "granted")?.is_zero();
        if fresh {
            let grant = admin.post(
                &format!("{account}/grants"),
                &json!({ "amount": DEMO_CREDITS, "note": "first run" }),
            )?;
            available = credits(&grant, "amount")?;
        }
        let path = self.file("demo-key");
        private::require_own(&path, private::ANYBODY_ELSE)?;
        // In a fresh ledger, a key that lies here is one of a ledger that was removed.
        if let (false, Ok(key)) = (fresh, std::fs::read_to_string(&path)) {
            return Ok((key.trim().to_owned(), available));
        }
        let made = admin.post(&format!("{account}/keys"), &json!({ "note": "faregate up" }))?;
        let key = made.get("key").and_then(Value::as_str).ok_or_else(|| {
            Failure::new("demo_key", "the ledger made a key without showing it")
                .cure("is another ledger listening at this address?")
        })?;
        write_private(&path, &format!("{key}\n"))?;
        Ok((key.to_owned(), available))
    }
}

fn credits(object: &Value, member: &str) -> Result<Credits, Failure> {
    let text = object.get(member).and_then(Value::as_str).unwrap_or_default();
    Credits::parse(text)
        .map_err(|why| Failure::new("answer", format!("the ledger's {member} {text:?} is {why}")))
}

fn token(path: &Path) -> Result<String, Failure> {
    private::require_own(path, private::ANYBODY_ELSE)
        .map_err(|failure| failure.or_cure("or remove the file to have a new one made"))?;
    if path.exists() {
        return tokens::from_file(path, "the token of this data directory")
            .map_err(|failure| failure.cure("remove the file to have a new one made"));
    }
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new("random", format!("the system gives no random bytes: {error}")))?;
    let token = random.iter().fold(String::new(), |token, byte| format!("{token}{byte:02x}"));
    write_private(path, &format!("{token}\n"))?;
    Ok(token)
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new("data", format!("can't write {}: {error}", path.display()))
    };
    // A new file, of mode 0600, in the place of one that may be a link, or that others have open.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
    file.persist(path).map(drop).map_err(|error| failed(&error))
}
