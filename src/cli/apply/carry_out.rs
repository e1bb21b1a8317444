//! Has the ledger do what is listed: stage by stage, each in batches.

use super::batch;
use super::steps::{Change, Stage};
use faregate_client::{Failure, admin::Admin, admin::encoded, terminal::Progress};
use faregate_ledger::api::{BatchMethod, BatchRequest, Keys};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Does all changes, or those before the first stage in which one is refused; gives the secrets of webhooks that were made. The idempotency keys follow from the run's.
pub fn all(admin: &Admin, changes: &[Change], run: &str, progress: &Progress) -> Result<Vec<Value>, Failure> {
    let (mut rest, mut secrets) = (changes, Vec::new());
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|change| change.stage == first.stage).count();
        let (stage, later) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        secrets.extend(one_stage(admin, stage, &named(run, first.stage, stage), progress)?);
        rest = later;
    }
    Ok(secrets)
}

/// The idempotency key of a stage: of other changes it is another one, so that a file may be corrected and applied again.
fn named(run: &str, stage: Stage, changes: &[Change]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{run}\n{stage:?}\n"));
    for change in changes {
        hash.update(format!("{}\n{}\n", change.path, change.body));
    }
    hash.finalize().iter().take(16).fold(String::from("apply-"), |text, byte| format!("{text}{byte:02x}"))
}

fn one_stage(
    admin: &Admin,
    changes: &[Change],
    run: &str,
    progress: &Progress,
) -> Result<Vec<Value>, Failure> {
    let keys = keys_of(admin, changes)?;
    let request = |change: &Change| {
        let mut body = change.body.clone();
        let key = change.subject.as_ref().and_then(|subject| keys.get(subject));
        if let (Some(key), Some(body)) = (key, body.as_object_mut()) {
            body.insert("target".into(), key.clone().into());
        }
        BatchRequest { method: BatchMethod::Post, path: change.path.clone(), body: Some(body) }
    };
    let answers = batch::carry_out(admin, changes.iter().map(request).collect(), run, progress)?;
    let refused = changes.iter().zip(&answers).filter(|(_, answer)| !(200..300).contains(&answer.status));
    let refused: Vec<_> = refused.collect();
    let Some((change, answer)) = refused.first() else {
        return Ok(answers.iter().filter_map(|answer| secret(&answer.body)).collect());
    };
    let failure = admin.refusal(answer.status, &answer.body);
    let others = match refused.len() {
        1 => String::new(),
        number => format!(" (and {} more were refused)", number.saturating_sub(1)),
    };
    let detail = format!("{}: {}{others}", change.line, failure.detail);
    let cure = "what comes before it was done, and what has nothing to do with it; apply the file again once this is cured".to_owned();
    let cure = failure.cure.as_ref().map_or_else(|| cure.clone(), |more| format!("{more}; {cure}"));
    Err(Failure { detail, cure: Some(cure), ..failure })
}

/// What is shown once of a webhook that was made.
fn secret(answer: &Value) -> Option<Value> {
    let member = |name: &str| answer.get(name).and_then(Value::as_str);
    let (url, id, secret) = (member("url")?, member("id")?, member("secret")?);
    Some(json!({"webhook": id, "url": url, "secret": secret}))
}

/// The identifiers of subjects' keys that were made only now.
fn keys_of(admin: &Admin, changes: &[Change]) -> Result<BTreeMap<(String, String), String>, Failure> {
    let mut accounts: Vec<&str> = changes
        .iter()
        .filter_map(|change| change.subject.as_ref())
        .map(|(account, _)| account.as_str())
        .collect();
    accounts.dedup();
    let mut found = BTreeMap::new();
    for account in accounts {
        super::present::pages(
            admin,
            &format!("/admin/v1/accounts/{}/keys", encoded(account)),
            |page: Keys| {
                let keys = page.keys.into_iter();
                found.extend(keys.filter_map(|key| Some(((account.to_owned(), key.subject?), key.id))));
                page.next
            },
        )?;
    }
    Ok(found)
}
