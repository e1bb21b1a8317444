//! Sends mail by SMTP, one connection for each.
//!
//! What must hold: an attempt ends within [`TIMEOUT`], whatever the server does; without TLS nothing is sent unless that was asked
//! for; and what the server has refused for good is not taken for what may work later.

mod limited;

use crate::Secret;
use crate::dialer::system_tls;
use crate::domain::mail::{Encryption, Letter, SmtpServer, Templates, message_id};
use crate::domain::outgoing::Message;
use jiff::Timestamp;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use limited::Limited;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The longest that one attempt may take.
pub const TIMEOUT: Duration = Duration::from_secs(20);
/// What a test mail says.
const TEST: (&str, &str) = (
    "A test of Faregate",
    "This mail was sent by `faregate mail test`. Mail about events comes the same way.\n",
);

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// The server.
    pub server: SmtpServer,
    /// The password of its user.
    pub password: Option<Secret>,
    /// From which address.
    pub from: String,
    /// What the mails say.
    pub templates: Templates,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailed {
    /// The code that the server answered with, if it did.
    pub code: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// It would fail again.
    pub is_final: bool,
    /// The server can't be used now, for any mail.
    pub is_down: bool,
}

impl Mailed {
    /// One that isn't tried.
    pub fn given_up(error: impl Into<String>) -> Self {
        Self { code: None, error: Some(error.into()), is_final: true, is_down: false }
    }

    fn down(error: impl Into<String>) -> Self {
        Self { code: None, error: Some(error.into()), is_final: false, is_down: true }
    }
}

/// Sends mail.
#[derive(Clone)]
pub struct Mailer {
    config: Arc<MailConfig>,
    from: Mailbox,
    /// From the first byte.
    tls: Option<Arc<ClientConfig>>,
    /// After the greeting.
    starttls: Option<TlsParameters>,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Mailer {
    /// One that trusts the authorities that the system trusts.
    pub fn new(config: MailConfig) -> anyhow::Result<Self> {
        let from = Mailbox::new(None, config.from.parse::<Address>()?);
        let (mut tls, mut starttls) = (None, None);
        match config.server.encryption {
            Encryption::Plain => {}
            Encryption::Tls => tls = Some(system_tls()?),
            Encryption::StartTls => starttls = Some(TlsParameters::new(config.server.host.clone())?),
        }
        Ok(Self { config: Arc::new(config), from, tls, starttls })
    }

    /// Sends what there is to say about an event, once.
    pub async fn send(&self, id: &str, address: &str, message: &Message) -> Mailed {
        let Some(letter) = self.config.templates.letter(message) else {
            return Mailed::given_up(format!("this version has no text for {}", message.kind));
        };
        let message_id = message_id(&message.id, id, &self.config.from);
        self.deliver(address, &letter, message_id, message.time, Some(&message.kind)).await
    }

    /// Sends a test mail.
    pub async fn test(&self, address: &str, unique: &str, now: Timestamp) -> Mailed {
        let letter = Letter { subject: TEST.0.to_owned(), body: TEST.1.to_owned() };
        let message_id = message_id("test", unique, &self.config.from);
        self.deliver(address, &letter, message_id, now, None).await
    }

    async fn deliver(
        &self,
        address: &str,
        letter: &Letter,
        message_id: String,
        at: Timestamp,
        kind: Option<&str>,
    ) -> Mailed {
        let Ok(to) = address.parse::<Address>() else {
            return Mailed::given_up("the address is none that mail can be sent to");
        };
        let bytes = match self.written(to.clone(), letter, message_id, at, kind) {
            Ok(bytes) => bytes,
            Err(why) => return Mailed::given_up(format!("the mail can't be written: {why}")),
        };
        match tokio::time::timeout(TIMEOUT, self.hand_over(to, &bytes)).await {
            Ok(mailed) => mailed,
            Err(_) => Mailed::down(format!("the mail server didn't answer within {} s", TIMEOUT.as_secs())),
        }
    }

    fn written(
        &self,
        to: Address,
        letter: &Letter,
        message_id: String,
        at: Timestamp,
        kind: Option<&str>,
    ) -> Result<Vec<u8>, lettre::error::Error> {
        let header = |name: &'static str, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        let mut builder: MessageBuilder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .message_id(Some(message_id))
            .date(SystemTime::from(at))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .header(ContentType::TEXT_PLAIN);
        if let Some(kind) = kind {
            builder = builder.raw_header(header("X-Faregate-Event", kind));
        }
        Ok(builder.body(letter.body.clone())?.formatted())
    }

    /// Gives a mail to the server.
    async fn hand_over(&self, to: Address, bytes: &[u8]) -> Mailed {
        let mut server = match self.connect().await {
            Ok(server) => server,
            Err(why) => return why,
        };
        let sender = self.from.email.clone();
        // What the server has against the sender, it has against all mail.
        if let Err(why) = server.command(Mail::new(Some(sender), Vec::new())).await {
            return failed(&why, "refuses mail from this address", true);
        }
        if let Err(why) = server.command(Rcpt::new(to, Vec::new())).await {
            server.abort().await;
            return failed(&why, "refuses the address", false);
        }
        if let Err(why) = server.command(Data).await {
            server.abort().await;
            return failed(&why, "refuses the mail", false);
        }
        let answered = server.message(bytes).await;
        // Whether it has heard the goodbye changes nothing.
        let _ = server.quit().await;
        match answered {
            Ok(answer) => {
                Mailed { code: Some(u16::from(answer.code())), error: None, is_final: false, is_down: false }
            }
            Err(why) => failed(&why, "refuses the mail", false),
        }
    }

    /// A connection to the first address of the server that answers.
    async fn transport(&self) -> Result<Box<dyn AsyncTokioStream>, Mailed> {
        let server = &self.config.server;
        let down =
            |why: &dyn std::fmt::Display| Mailed::down(format!("the mail server can't be reached: {why}"));
        let stream =
            TcpStream::connect((server.host.as_str(), server.port)).await.map_err(|why| down(&why))?;
        let address = stream.peer_addr().map_err(|why| down(&why))?;
        let Some(tls) = &self.tls else { return Ok(Box::new(Limited::new(stream, address))) };
        let name = ServerName::try_from(server.host.clone()).map_err(|why| down(&why))?;
        let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let stream = connecting.await.map_err(|why| down(&why))?;
        Ok(Box::new(Limited::new(stream, address)))
    }

    /// Connects, and signs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Mailed> {
        let MailConfig { server, password, .. } = &*self.config;
        let hello = ClientId::default();
        let transport = self.transport().await?;
        let connecting = AsyncSmtpConnection::connect_with_transport(transport, &hello);
        let mut connection = connecting.await.map_err(|why| failed(&why, "can't be reached", true))?;
        if let Some(tls) = &self.starttls {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(Mailed::down(
                    "the mail server offers no STARTTLS; --smtp-plain sends without TLS",
                ));
            }
            connection
                .starttls(tls.clone(), &hello)
                .await
                .map_err(|why| failed(&why, "begins no TLS", true))?;
        }
        if let (Some(user), Some(password)) = (&server.user, password) {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            let signing_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            signing_in.await.map_err(|why| failed(&why, "doesn't let the user in", true))?;
        }
        Ok(connection)
    }
}

/// What it means that a step has failed. What is wrong with the server may be right later, whatever it says.
fn failed(why: &lettre::transport::smtp::Error, what: &str, of_server: bool) -> Mailed {
    let is_answer = why.is_permanent() || why.is_transient();
    Mailed {
        code: why.status().map(u16::from),
        error: Some(format!("the mail server {what}: {}", causes(why))),
        is_final: why.is_permanent() && !of_server,
        is_down: of_server || !is_answer,
    }
}

/// An error with what has caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn mailer() -> Mailer {
        let server = SmtpServer::parse("smtp://127.0.0.1:1", true).unwrap();
        let templates = Templates::read(&BTreeMap::from([(
            "key.revoked.txt".to_owned(),
            "Schl\u{fc}ssel {note}\nZeile {note}\n.\n..x\n".to_owned(),
        )]));
        let config = MailConfig {
            server,
            password: None,
            from: "gate@example.com".into(),
            templates: templates.unwrap(),
        };
        Mailer::new(config).unwrap()
    }

    #[test]
    fn a_hostile_note_makes_no_header_and_a_mail_is_the_same_each_time() {
        let mailer = mailer();
        let note = "x\r\nBcc: all@example.com\r\n\r\n.\r\nQUIT\r\n \u{202e}\u{1f600}";
        let message = Message {
            id: "event_1".into(),
            kind: "key.revoked".into(),
            account: Some("acme".into()),
            sequence: 1,
            time: Timestamp::from_second(1_800_000_000).unwrap(),
            data: json!({"account": "acme", "note": note}),
        };
        let letter = mailer.config.templates.letter(&message).unwrap();
        let id = message_id(&message.id, "mail_1", &mailer.config.from);
        let written = || {
            let to = "a@example.com".parse().unwrap();
            let bytes = mailer.written(to, &letter, id.clone(), message.time, Some(&message.kind)).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let text = written();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Message-ID: <event_1.mail_1@example.com>"), "{head}");
        assert!(!head.contains("\r\nBcc") && text.is_ascii(), "{text}");
        assert_eq!(head.matches("To: ").count(), 1, "{head}");
        assert_eq!(text, written());
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_down_and_nothing_is_final() {
        let mailed = mailer().test("a@example.com", "1", Timestamp::UNIX_EPOCH).await;
        assert!(mailed.is_down && !mailed.is_final && mailed.code.is_none(), "{mailed:?}");
        assert!(mailed.error.unwrap().contains("can't be reached"));
        assert!(mailer().test("nobody", "1", Timestamp::UNIX_EPOCH).await.is_final);
    }
}
