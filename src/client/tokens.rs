//! Where the two tokens come from: `FAREGATE_…_TOKEN`, or a file that `FAREGATE_…_TOKEN_FILE` names. While one is rotated, the old one
//! comes from `FAREGATE_…_TOKEN_PREVIOUS`.
//!
//! There is no default and no flag: a token on a command line would show in the process list.

#[cfg(test)]
mod tests;

use crate::{Failure, private, terminal::warn};
use faregate_protocol::token;
use std::{ffi::OsString, path::Path};

/// The variable of the gateway API's token.
pub const GATEWAY: &str = "FAREGATE_GATEWAY_TOKEN";
/// The variable of the admin API's token.
pub const ADMIN: &str = "FAREGATE_ADMIN_TOKEN";
/// The variable of the gateway API's token that was used until now, while it is rotated.
pub const PREVIOUS_GATEWAY: &str = "FAREGATE_GATEWAY_TOKEN_PREVIOUS";
/// The variable of the admin API's token that was used until now, while it is rotated.
pub const PREVIOUS_ADMIN: &str = "FAREGATE_ADMIN_TOKEN_PREVIOUS";
/// The variable of the client's secret at the OpenID provider of operators.
pub const CLIENT_SECRET: &str = "FAREGATE_OIDC_CLIENT_SECRET";
/// The variable of the client's secret at the OpenID provider of customers.
pub const PORTAL_CLIENT_SECRET: &str = "FAREGATE_PORTAL_OIDC_CLIENT_SECRET";
/// Shorter tokens are refused: they could be guessed.
pub const MIN_LEN: usize = 16;
/// Longer files are rejected: probably the wrong file was named.
const MAX_LEN: usize = 1_024;

/// How variables are looked up; the process's own environment, or a test's.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The process's environment.
pub fn process_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The token that `name` or `name_FILE` gives.
pub fn from_environment(name: &str, environment: Environment<'_>) -> Result<String, Failure> {
    let file_name = format!("{name}_FILE");
    match (environment(name), environment(&file_name)) {
        (Some(_), Some(_)) => Err(Failure::new("token", format!("both {name} and {file_name} are set"))
            .cure("keep one of them, so that it is clear which token counts")),
        (Some(token), None) => match token.into_string() {
            Ok(token) => checked(&token, name),
            Err(_) => Err(Failure::new("token", format!("{name} is not text")).cure(make_one(name))),
        },
        (None, Some(path)) => from_file(Path::new(&path), &file_name),
        (None, None) => {
            Err(Failure::new("token", format!("neither {name} nor {file_name} is set")).cure(make_one(name)))
        }
    }
}

/// The token that `name` or `name_FILE` gives, if one of them is set.
pub fn optional(name: &str, environment: Environment<'_>) -> Result<Option<String>, Failure> {
    let is_set = environment(name).is_some() || environment(&format!("{name}_FILE")).is_some();
    is_set.then(|| from_environment(name, environment)).transpose()
}

/// The secret of the ledger's client at its OpenID provider, which the provider has made: from the variable of this name, or from the file that the
/// one with `_FILE` behind it names. A public client has none.
pub fn client_secret(name: &str, environment: Environment<'_>) -> Result<Option<String>, Failure> {
    let file_name = format!("{name}_FILE");
    let wrong = |what: String| {
        Failure::new("token", what).cure(format!(
            "copy the client's secret from the provider to {name}, or to a file that {file_name} names"
        ))
    };
    let (text, source) = match (environment(name), environment(&file_name)) {
        (Some(_), Some(_)) => return Err(wrong(format!("both {name} and {file_name} are set"))),
        (Some(text), None) => {
            let text = text.into_string().map_err(|_| wrong(format!("{name} is not text")))?;
            (text, name.to_owned())
        }
        (None, Some(path)) => {
            let path = Path::new(&path);
            if let Some(exposed) = private::exposed(path, private::OTHERS) {
                warn(&format!("{file_name}: {}: {}", exposed.what, exposed.cure));
            }
            let text = std::fs::read_to_string(path);
            (
                text.map_err(|error| wrong(format!("{file_name}: can't read {}: {error}", path.display())))?,
                file_name.clone(),
            )
        }
        (None, None) => return Ok(None),
    };
    match token::read(&text) {
        Some(secret) if secret.len() <= MAX_LEN => Ok(Some(secret.to_owned())),
        Some(_) => Err(wrong(format!("{source} holds more than {MAX_LEN} characters"))),
        None => Err(wrong(format!("{source} holds no secret; allowed are {}", token::ALLOWED))),
    }
}

/// The token in a file. It may be a link, as in a folder that Kubernetes mounts; that others can read it is a warning.
pub fn from_file(path: &Path, source: &str) -> Result<String, Failure> {
    if let Some(exposed) = private::exposed(path, private::OTHERS) {
        warn(&format!("{source}: {}: {}", exposed.what, exposed.cure));
    }
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new("token", format!("{source}: can't read {}: {error}", path.display()))
            .cure(make_one(source))
    })?;
    checked(&text, &format!("{source} ({})", path.display()))
}

/// The token in a text, without the line break at its end.
fn checked(text: &str, source: &str) -> Result<String, Failure> {
    let wrong =
        |what: String| Err(Failure::new("token", format!("{source} holds {what}")).cure(make_one(source)));
    let Some(token) = token::read(text) else {
        return wrong(if text.trim().is_empty() {
            format!("no token; it has at least {MIN_LEN} characters")
        } else {
            format!("blanks or characters that no HTTP header can carry; allowed are {}", token::ALLOWED)
        });
    };
    if token.len() < MIN_LEN {
        return wrong(format!("{} characters; a token has at least {MIN_LEN}", token.len()));
    }
    if token.len() > MAX_LEN {
        return wrong(format!("{} characters; a token has at most {MAX_LEN}", token.len()));
    }
    Ok(token.to_owned())
}

fn make_one(source: &str) -> String {
    let name = source.split([' ', '(']).next().unwrap_or(source).trim_end_matches("_FILE");
    format!("make one with `openssl rand -hex 32`, and set {name}, or {name}_FILE to a file that holds it")
}
