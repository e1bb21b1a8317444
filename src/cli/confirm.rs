//! Asks before what can't be undone, or is large.
//!
//! What must hold: nothing of it is done without a yes: the operator's on a terminal, or `--yes`.

use clap::Args;
use faregate_client::{Failure, terminal};
use faregate_protocol::Credits;

/// The variable that says above which amount is asked.
const VARIABLE: &str = "FAREGATE_CONFIRM_ABOVE";
/// Above which amount is asked where nothing else is said.
const DEFAULT: &str = "1000000";
/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64;

#[derive(Args)]
pub struct Confirmation {
    /// Don't ask whether to do it. Scripts need this
    #[arg(long)]
    yes: bool,
}

impl Confirmation {
    /// Asks whether to do something: `what` names it, as in "close acme", and `more` says what that means.
    pub fn ask(&self, what: &str, more: impl FnOnce() -> Result<String, Failure>) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !terminal::can_ask() {
            let why = format!("to {what}, a confirmation is needed, and there is no terminal to ask on");
            return Err(Failure::usage(why).cure("add --yes to confirm it"));
        }
        let answer = terminal::ask(&more()?, &format!("Really {what}? [y/N]"), MAX_ANSWER)?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Failure::new("declined", "nothing was done")),
        }
    }
}

#[derive(Args)]
pub struct LargeAmounts {
    #[command(flatten)]
    confirmation: Confirmation,
    /// Ask before more credits than this are given [env: FAREGATE_CONFIRM_ABOVE] [default: 1000000]
    #[arg(long, value_name = "CREDITS")]
    confirm_above: Option<String>,
}

impl LargeAmounts {
    /// Asks whether to give an amount, if it is large. What is no amount is refused by the ledger.
    pub fn ask(&self, amount: &str, to: &str) -> Result<(), Failure> {
        let limit = self.confirm_above.clone().or_else(|| std::env::var(VARIABLE).ok());
        let limit = limit.as_deref().unwrap_or(DEFAULT);
        let most = Credits::parse(limit)
            .map_err(|why| Failure::usage(format!("--confirm-above or {VARIABLE}: {limit:?} is {why}")))?;
        match Credits::parse(amount) {
            Ok(amount) if amount > most => self.confirmation.ask(&format!("give {amount} to {to}"), || {
                Ok(format!("{amount} credits are more than {most} (--confirm-above)."))
            }),
            _ => Ok(()),
        }
    }

    /// Asks whatever the amount is.
    pub const fn confirmation(&self) -> &Confirmation {
        &self.confirmation
    }
}
