//! `faregate audit`: recomputes every balance from the entries, and fails where anything disagrees, and where gateways
//! have reported what can't be true.

use clap::Args;
use faregate_client::{Failure, Screen, admin::Remote, screen::count};
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
    let list = |name| answer.get(name).unwrap_or(&none);
    let rows = |name| list(name).as_array().map_or(0, Vec::len);
    let counted = |name| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    let clean = answer.get("ok") == Some(&Value::Bool(true));
    screen.show(answer, |screen, _| {
        if clean {
            let accounts = count(counted("accounts"), "account", "accounts");
            let entries = count(counted("entries"), "entry", "entries");
            return screen.line(format_args!("ok: {accounts} and {entries} agree"));
        }
        if rows("problems") > 0 {
            screen.table(list("problems"), &["what", "account", "expected", "found"])?;
        }
        if rows("unbooked") == 0 {
            return Ok(());
        }
        let columns = ["account", "key", "gateway", "epoch", "reports", "not_charged", "last_at"];
        screen.table(list("unbooked"), &columns)
    })?;
    if clean {
        return Ok(());
    }
    let count = rows("problems");
    if count == 0 {
        let what = "the books agree, but gateways have reported more than can be true, which was not charged";
        return Err(Failure::new("unbooked", what).cure(
            "find out whether that gateway is one of yours: if it isn't, change the gateway token everywhere; grant what was \
             charged wrongly",
        ));
    }
    Err(Failure::new("audit", format!("{count} rows disagree with the entries they come from"))
        .cure("keep a copy of the data directory as it is, and report this: the books must never disagree"))
}
