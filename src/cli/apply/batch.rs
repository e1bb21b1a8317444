//! Many requests in one, within the ledger's limits: what a file names is looked up and written in some hundred requests instead of some
//! hundred thousand.

use faregate_client::{Failure, admin::Admin, terminal::Progress};
use faregate_ledger::api::{Batch, BatchAnswer, BatchAnswers, BatchMethod, BatchRequest, MAX_BATCH};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The most bytes of requests in one batch: a ledger reads 64 KiB.
const MAX_BYTES: usize = 60_000;
/// How often what a busy ledger turned away is asked for again.
const TRIES: usize = 20;
/// How long it is left alone before that.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

/// Carries out requests, and gives their answers in the same order. Each part has an idempotency key that begins with `run`.
pub fn carry_out(
    admin: &Admin,
    requests: Vec<BatchRequest>,
    run: &str,
    progress: &Progress,
) -> Result<Vec<BatchAnswer>, Failure> {
    let mut answers = Vec::with_capacity(requests.len());
    for (part, requests) in parts(requests).into_iter().enumerate() {
        let number = requests.len();
        answers.extend(one_part(admin, requests, &format!("{run}.{part}"))?);
        progress.advance(number);
    }
    Ok(answers)
}

fn one_part(admin: &Admin, requests: Vec<BatchRequest>, key: &str) -> Result<Vec<BatchAnswer>, Failure> {
    let batch = json!(Batch { requests });
    for left in (0..TRIES).rev() {
        let answers =
            read::<BatchAnswers>("/admin/v1/batch", admin.post_patiently("/admin/v1/batch", &batch, key)?)?;
        // What was done isn't done twice: each request has its own idempotency key. So what a busy ledger turned away, or what
        // failed beside so many others, comes again with few.
        if left == 0 || answers.answers.iter().all(|answer| answer.status < 500) {
            return Ok(answers.answers);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(Vec::new())
}

fn parts(requests: Vec<BatchRequest>) -> Vec<Vec<BatchRequest>> {
    let (mut parts, mut bytes): (Vec<Vec<BatchRequest>>, usize) = (Vec::new(), usize::MAX);
    for request in requests {
        let size = serde_json::to_vec(&request).map_or(0, |json| json.len()).saturating_add(1);
        let sum = bytes.saturating_add(size);
        let room = parts.last_mut().filter(|part| sum <= MAX_BYTES && part.len() < MAX_BATCH);
        if let Some(part) = room {
            part.push(request);
            bytes = sum;
        } else {
            parts.push(vec![request]);
            bytes = size;
        }
    }
    parts
}

/// Reads what is at these paths; nothing where nothing is found.
pub fn get_all<T: DeserializeOwned>(
    admin: &Admin,
    paths: &[String],
    progress: &Progress,
) -> Result<Vec<Option<T>>, Failure> {
    let request = |path: &String| BatchRequest { method: BatchMethod::Get, path: path.clone(), body: None };
    let answers =
        carry_out(admin, paths.iter().map(request).collect(), &uuid::Uuid::now_v7().to_string(), progress)?;
    let one = |(path, answer): (&String, BatchAnswer)| match answer.status {
        200 => read(path, answer.body).map(Some),
        404 => Ok(None),
        // Larger than its share of a batch.
        413 => read(path, admin.get(path, &[])?).map(Some),
        status => Err(admin.refusal(status, &answer.body)),
    };
    paths.iter().zip(answers).map(one).collect()
}

/// An answer of the ledger's.
pub fn read<T: DeserializeOwned>(path: &str, answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| {
        let what = format!("the ledger's answer at {path} is of another version: {error}");
        Failure::new("unexpected", what).cure("use the `faregate` that the ledger runs")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_within_the_limits() {
        let request = |n: usize| BatchRequest {
            method: BatchMethod::Post,
            path: "/admin/v1/accounts".into(),
            body: Some(json!({ "id": n.to_string(), "name": "n".repeat(n % 150) })),
        };
        let requests: Vec<_> = (0..3_000).map(request).collect();
        let parts = parts(requests.clone());
        assert_eq!(parts.concat(), requests);
        for part in &parts {
            let body = json!(Batch { requests: part.clone() }).to_string();
            assert!(body.len() <= 64 << 10 && part.len() <= MAX_BATCH && !part.is_empty(), "{}", body.len());
        }
        let free: Vec<_> = std::iter::repeat_n(
            BatchRequest { method: BatchMethod::Get, path: "/".into(), body: None },
            2_001,
        )
        .collect();
        assert_eq!(super::parts(free).iter().map(Vec::len).collect::<Vec<_>>(), [1_000, 1_000, 1]);
    }
}
