//! `faregate audit`: recomputes every balance from the entries, and fails where anything disagrees.

use super::{
    admin::Remote,
    failure::Failure,
    screen::{Screen, count},
};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Audit {
    #[command(flatten)]
    remote: Remote,
}

impl Audit {
    pub fn run(self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let answer = self.remote.connect()?.get_patiently("/admin/v1/audit")?;
        report(&answer, screen)
    }
}

/// Shows an audit's answer; what disagrees is a failure.
pub fn report(answer: &Value, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let none = json!([]);
    let problems = answer.get("problems").unwrap_or(&none);
    let counted = |name| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    let clean = answer.get("ok") == Some(&Value::Bool(true));
    screen.show(answer, |screen, _| {
        if clean {
            let accounts = count(counted("accounts"), "account", "accounts");
            let entries = count(counted("entries"), "entry", "entries");
            return screen.line(format_args!("ok: {accounts} and {entries} agree"));
        }
        screen.table(problems, &["what", "account", "expected", "found"])
    })?;
    if clean {
        return Ok(());
    }
    let count = problems.as_array().map_or(0, Vec::len);
    Err(Failure::new("audit", format!("{count} rows disagree with the entries they come from"))
        .cure("keep a copy of the data directory as it is, and report this: the books must never disagree"))
}
