//! Which server `serve` sends mail by, and what the mails say.

use clap::Args;
use faregate_client::{Failure, private, terminal::warn, tokens::Environment};
use faregate_ledger::Secret;
use faregate_ledger::domain::mail::{SmtpServer, Templates, address};
use faregate_ledger::mailer::MailConfig;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The variable of the mail server's password; with `_FILE` behind it, that of a file.
const PASSWORD: &str = "FAREGATE_SMTP_PASSWORD";
/// The variable that names its file.
const PASSWORD_FILE: &str = "FAREGATE_SMTP_PASSWORD_FILE";
/// The longest password, in bytes.
const MAX_PASSWORD_BYTES: usize = 1_024;
/// Larger texts are refused: the wrong folder was named.
const MAX_TEXT_BYTES: u64 = 64 << 10;
/// The most files in a folder of texts.
const MAX_FILES: usize = 200;

/// Mail about events.
#[derive(Args)]
#[command(next_help_heading = "Mail")]
pub struct MailServer {
    /// Send events by mail, through this server: smtp://user@host (which must offer STARTTLS) or smtps://user@host. The password
    /// comes from FAREGATE_SMTP_PASSWORD, or from the file that FAREGATE_SMTP_PASSWORD_FILE names
    #[arg(long, value_name = "URL")]
    smtp_url: Option<String>,
    /// Speak to the mail server without TLS, as to one on this machine
    #[arg(long, requires = "smtp_url")]
    smtp_plain: bool,
    /// From which address mail comes
    #[arg(long, value_name = "ADDRESS", requires = "smtp_url")]
    mail_from: Option<String>,
    /// A folder of your own texts, such as balance.low.txt: the subject in the first line, and {placeholders}. `faregate mail texts`
    /// writes those that are built in
    #[arg(long, value_name = "FOLDER", requires = "smtp_url")]
    mail_templates: Option<PathBuf>,
}

impl MailServer {
    /// How mail is sent, if it is.
    pub fn config(self, environment: Environment<'_>) -> Result<Option<MailConfig>, Failure> {
        let Some(url) = self.smtp_url else { return Ok(None) };
        let server = SmtpServer::parse(&url, self.smtp_plain)
            .map_err(|why| Failure::usage(format!("--smtp-url: {why}")))?;
        let Some(from) = self.mail_from else {
            return Err(Failure::usage("--smtp-url without --mail-from").cure("give --mail-from ADDRESS"));
        };
        address(&from).map_err(|why| Failure::usage(format!("--mail-from {why}")))?;
        let password = password(environment)?;
        match (&server.user, &password) {
            (Some(_), None) => {
                return Err(Failure::new(
                    "smtp",
                    format!("--smtp-url names a user, and {PASSWORD} is not set"),
                )
                .cure(format!("set {PASSWORD}, or {PASSWORD_FILE} to a file that holds it")));
            }
            (None, Some(_)) => {
                return Err(Failure::new("smtp", format!("{PASSWORD} is set, and --smtp-url names no user"))
                    .cure("give smtp://user@host, or unset it"));
            }
            _ => {}
        }
        let own = self.mail_templates.as_deref().map(texts).transpose()?.unwrap_or_default();
        let templates = Templates::read(&own).map_err(|wrong| {
            let file = self.mail_templates.unwrap_or_default().join(&wrong.file);
            Failure::new("mail_templates", format!("{}:{}: {}", file.display(), wrong.line, wrong.why))
                .cure("mend it, or take it out: then the text that is built in is used")
        })?;
        Ok(Some(MailConfig { server, password: password.map(Secret::new), from, templates }))
    }
}

fn password(environment: Environment<'_>) -> Result<Option<String>, Failure> {
    let failure = |why: String| Failure::new("smtp", why);
    let text = match (environment(PASSWORD), environment(PASSWORD_FILE)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(
                failure(format!("both {PASSWORD} and {PASSWORD_FILE} are set")).cure("keep one of them")
            );
        }
        (Some(text), None) => text.into_string().map_err(|_| failure(format!("{PASSWORD} is not text")))?,
        (None, Some(path)) => {
            let path = Path::new(&path);
            if let Some(exposed) = private::exposed(path, private::OTHERS) {
                warn(&format!("{PASSWORD_FILE}: {}: {}", exposed.what, exposed.cure));
            }
            std::fs::read_to_string(path).map_err(|error| {
                failure(format!("{PASSWORD_FILE}: can't read {}: {error}", path.display()))
            })?
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() || text.len() > MAX_PASSWORD_BYTES || text.chars().any(char::is_control) {
        return Err(failure(format!("{PASSWORD} must be one line of 1 to {MAX_PASSWORD_BYTES} bytes")));
    }
    Ok(Some(text.to_owned()))
}

/// The texts in a folder, by their files' names. Hidden files are none, nor are folders, as Kubernetes makes them.
fn texts(folder: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::new("mail_templates", format!("can't read {}: {error}", path.display()))
            .cure("name a folder of texts with --mail-templates")
    };
    let mut texts = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let about = std::fs::metadata(&path).map_err(|error| failed(&path, error))?;
        if name.starts_with('.') || about.is_dir() {
            continue;
        }
        if about.len() > MAX_TEXT_BYTES || texts.len() >= MAX_FILES {
            let why =
                format!("{} is larger than {MAX_TEXT_BYTES} bytes, or one of many files", path.display());
            return Err(
                Failure::new("mail_templates", why).cure("name a folder that has only texts of mails")
            );
        }
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
        texts.insert(name, text);
    }
    Ok(texts)
}
