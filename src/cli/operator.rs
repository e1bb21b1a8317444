//! `faregate operator …`: who may administrate, and with which tokens. `faregate gateway-token …` does the same for fleets of Envoys.

use super::key::expiry;
use clap::{Args, Subcommand, ValueEnum};
use faregate_client::{
    Failure, Screen,
    admin::{Remote, body, encoded},
    screen::{list, text},
};
use serde_json::{Value, json};

/// What a new token shows, in this order.
const MEMBERS: [&str; 7] = ["id", "name", "scope", "token", "oidc_subject", "state", "expires_at"];
const OPERATORS: &str = "/admin/v1/operators";
const GATEWAY_TOKENS: &str = "/admin/v1/gateway-tokens";

#[derive(Args)]
pub struct Operator {
    #[command(subcommand)]
    command: OperatorCommand,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum OperatorCommand {
    /// Make an operator, with a first token that is shown this once
    Create {
        /// Its name: a-z, 0-9, `_`, `.`, `-`, at most 64 characters
        name: String,
        /// What it may do; each scope includes those before it
        #[arg(long, value_enum)]
        scope: Scope,
        /// When the token stops working: a date, RFC 3339, or a length such as 90d [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Instead of a token: the subject that identifies the operator at the ledger's OpenID provider
        #[arg(long, value_name = "SUBJECT")]
        oidc_subject: Option<String>,
    },
    /// Make a further token for an operator, shown this once
    Token {
        /// The operator's name
        name: String,
        /// When it stops working: a date, RFC 3339, or a length such as 90d [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Instead of a token: a subject that identifies the operator at the ledger's OpenID provider
        #[arg(long, value_name = "SUBJECT")]
        oidc_subject: Option<String>,
    },
    /// List the tokens of all operators
    List(Page),
    /// Refuse all tokens and subjects of an operator, or one, for good
    Revoke(Revoke),
    /// End all sessions of an operator in the console; they may sign in again
    SignOut {
        /// The name, as the trail has it
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Scope {
    /// Look at everything but tokens
    Read,
    /// Also keys, teams, budgets, suspending and resuming accounts
    Support,
    /// Also accounts, grants and subscriptions
    Billing,
    /// Everything: also plans, prices and tokens
    Admin,
}

#[derive(Args)]
pub struct GatewayToken {
    #[command(subcommand)]
    command: GatewayCommand,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Subcommand)]
enum GatewayCommand {
    /// Make a token for a fleet of Envoys, shown this once; a name that has tokens gets one more
    Create {
        /// The fleet's name: a-z, 0-9, `_`, `.`, `-`, at most 64 characters
        name: String,
        /// When it stops working: a date, RFC 3339, or a length such as 90d [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
    },
    /// List all gateway tokens
    List(Page),
    /// Refuse all tokens of a name, or one, for good
    Revoke(Revoke),
}

#[derive(Args)]
struct Page {
    /// The most to list
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// List those behind this one
    #[arg(long, value_name = "TOKEN_ID")]
    after: Option<String>,
}

#[derive(Args)]
struct Revoke {
    /// The name
    name: String,
    /// Only this token, by its identifier as `list` shows it
    #[arg(long, value_name = "TOKEN_ID")]
    token: Option<String>,
}

impl Operator {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        match self.command {
            OperatorCommand::Create { name, scope, expires, oidc_subject } => {
                let scope = scope.to_possible_value().map(|value| value.get_name().to_owned());
                let new = [
                    ("name", Some(name.into())),
                    ("scope", scope.map(Into::into)),
                    ("expires_at", expiry(expires, screen)?),
                    ("oidc_subject", oidc_subject.map(Into::into)),
                ];
                make(&self.remote, OPERATORS, &body(new), screen)
            }
            OperatorCommand::Token { name, expires, oidc_subject } => {
                let path = format!("{OPERATORS}/{}/tokens", encoded(&name));
                let new = body([
                    ("expires_at", expiry(expires, screen)?),
                    ("oidc_subject", oidc_subject.map(Into::into)),
                ]);
                make(&self.remote, &path, &new, screen)
            }
            OperatorCommand::List(page) => {
                let columns = [
                    "name",
                    "scope",
                    "id",
                    "prefix",
                    "oidc_subject",
                    "state",
                    "expires_at",
                    "last_used_at",
                    "created_at",
                ];
                page.show(&self.remote, OPERATORS, &columns, screen)
            }
            OperatorCommand::Revoke(revoke) => revoke.run(&self.remote, OPERATORS, screen),
            OperatorCommand::SignOut { name } => {
                let path = format!("{OPERATORS}/{}/sign-out", encoded(&name));
                let answer = self.remote.connect()?.post(&path, &json!({}))?;
                screen.show(&answer, |screen, answer| {
                    let sessions = answer.get("sessions").and_then(Value::as_u64).unwrap_or_default();
                    let s = if sessions == 1 { "" } else { "s" };
                    screen.line(format_args!("ended {sessions} session{s} of {}", text(answer, "operator")))
                })
            }
        }
    }
}

impl GatewayToken {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        match self.command {
            GatewayCommand::Create { name, expires } => {
                let new = body([("name", Some(name.into())), ("expires_at", expiry(expires, screen)?)]);
                make(&self.remote, GATEWAY_TOKENS, &new, screen)
            }
            GatewayCommand::List(page) => {
                let columns = ["name", "id", "prefix", "state", "expires_at", "last_used_at", "created_at"];
                page.show(&self.remote, GATEWAY_TOKENS, &columns, screen)
            }
            GatewayCommand::Revoke(revoke) => revoke.run(&self.remote, GATEWAY_TOKENS, screen),
        }
    }
}

fn make(remote: &Remote, path: &str, new: &Value, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = remote.connect()?.post(path, new)?;
    screen.show(&answer, |screen, token| {
        screen.members(token, &MEMBERS)?;
        if token.get("token").is_none() {
            return screen.line("It signs in to the console; there is no token.");
        }
        screen.line("The token is shown this once: keep it now.")
    })
}

impl Page {
    fn show(
        self,
        remote: &Remote,
        path: &str,
        columns: &[&str],
        screen: &mut Screen<'_>,
    ) -> Result<(), Failure> {
        let asked = [("limit", Some(self.limit.to_string())), ("after", self.after)];
        let page = remote.connect()?.get(path, &asked)?;
        screen.show(&page, |screen, page| {
            screen.table(page.get("tokens").unwrap_or(&json!([])), columns)?;
            screen.next_page(page)
        })
    }
}

impl Revoke {
    fn run(self, remote: &Remote, path: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let asked = body([("token", self.token.map(Into::into))]);
        let answer = remote.connect()?.post(&format!("{path}/{}/revoke", encoded(&self.name)), &asked)?;
        screen.show(&answer, |screen, answer| {
            for token in answer.get("tokens").map(list).unwrap_or_default() {
                screen.line(format_args!("{} is {}", text(token, "id"), text(token, "state")))?;
            }
            Ok(())
        })
    }
}
