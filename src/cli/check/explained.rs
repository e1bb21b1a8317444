//! `faregate check FILE --explain`: what the metered rules of a configuration make of sample requests.
//!
//! What must hold: every amount is what the filter's own code answers for the sample, at the rule's prices; a plan's prices come on
//! top of that. At most [`MAX_MODELS`] models and [`MAX_CALLS`] tools of a rule are shown, and the others are counted.

use faregate::decide::base::head::Head;
use faregate::decide::meter::asked::RequestShape;
use faregate::decide::meter::dialect::Dialect;
use faregate::decide::meter::pointer::Pointer;
use faregate::decide::meter::reader::Report;
use faregate::decide::request::held::HeldRequest;
use faregate::decide::request::quote::{
    AnswerEnd, ModelRequest, PriceRef, QuoteKind, quote, read_calls, read_model, settle,
};
use faregate::decide::settings::meter::amounts::{AmountMeter, Measure, Missing};
use faregate::decide::settings::meter::calls::{CallMeter, CallProtocol, CallRefunds};
use faregate::decide::settings::meter::models::{Listed, ModelMeter, PriceSource};
use faregate::decide::settings::meter::{Meter, MeterKind};
use faregate::decide::settings::{Rule, Settings};
use faregate_client::{
    Failure, Screen,
    screen::{count, list, text},
};
use faregate_protocol::Credits;
use faregate_protocol::exchange::Basis;
use faregate_protocol::metering::{Quantities, UsageClass};
use serde_json::{Value, json};

/// The most models of a rule that are shown.
const MAX_MODELS: usize = 3;
/// The most tools of a rule that are shown.
const MAX_CALLS: usize = 20;
/// The size of the sample for models (bytes).
const BODY_BYTES: usize = 2_000;
/// To how many tokens it limits its output.
const CAP: u64 = 500;
/// What its answer says that it used (tokens).
const INPUT: u64 = 600;
/// See [`INPUT`].
const OUTPUT: u64 = 120;
/// What an answer delivers that doesn't say what it used (bytes).
const TEXT_BYTES: u64 = 480;
/// What an answer says that is charged for a number.
const NUMBER: u64 = 100;
/// The size of an answer that is charged for its size (bytes).
const ANSWER_BYTES: u64 = 1_000_000;
/// The time of a request that is charged for it.
const SECONDS: u64 = 10;
/// The unit of that (ns).
const SECOND: u64 = 1_000_000_000;

/// Each metered rule, with samples.
pub fn explain(settings: &Settings) -> Value {
    let rules = settings.rules.iter().chain([&settings.default]);
    rules.filter_map(|rule| rule.meter.as_deref().map(|meter| explain_rule(rule, meter))).collect()
}

/// Prints what [`explain`] has found.
pub fn show(screen: &mut Screen<'_>, rules: &Value) -> Result<(), Failure> {
    if list(rules).is_empty() {
        return screen.line("no rule has a meter: a request costs the price of its rule");
    }
    for rule in list(rules) {
        let of = |name| text(rule, name);
        screen.line("")?;
        screen.line(format_args!("rule {}, by {}: {}", of("rule"), of("by"), of("request")))?;
        let samples = rule.get("samples").unwrap_or(&Value::Null);
        if !list(samples).is_empty() {
            let item = match rule.get("by").and_then(Value::as_str) {
                Some("model") => Some("model"),
                Some("tool" | "message") => Some("call"),
                _ => None,
            };
            let columns = item.into_iter().chain(["held", "answer", "charged", "basis"]);
            screen.table(samples, &columns.collect::<Vec<_>>())?;
        }
        for note in rule.get("notes").map(list).unwrap_or_default() {
            screen.line(note.as_str().unwrap_or_default())?;
        }
    }
    Ok(())
}

fn explain_rule(rule: &Rule, meter: &Meter) -> Value {
    let fixed = meter.fixed;
    let (request, samples, notes) = match &meter.kind {
        MeterKind::Models(models) => {
            let request = format!("{BODY_BYTES} bytes that limit the output to {CAP} tokens");
            (request, model_samples(models, fixed), model_notes(models))
        }
        MeterKind::Calls(calls) => ("one call".to_owned(), call_samples(calls, fixed), call_notes(calls)),
        MeterKind::Amount(amount) => {
            let held = rule.price.unwrap_or_default();
            ("any request".to_owned(), amount_samples(meter, amount, held), Vec::new())
        }
    };
    json!({ "rule": rule.name, "by": meter.name(), "request": request, "samples": samples, "notes": notes })
}

/// A line of the table.
fn sample(item: Option<(&str, &str)>, held: Credits, answer: &str, charged: (Credits, Basis)) -> Value {
    let (cost, basis) = charged;
    let mut line = json!({
        "held": held.to_string(), "answer": answer, "charged": cost.to_string(), "basis": basis.as_str(),
    });
    if let (Some((name, item)), Some(line)) = (item, line.as_object_mut()) {
        line.insert(name.to_owned(), item.into());
    }
    line
}

fn model_samples(meter: &ModelMeter, fixed: Credits) -> Vec<Value> {
    let mut places = Vec::new();
    if let PriceSource::Listed(models) = &meter.prices {
        let listed = models.iter().take(MAX_MODELS).enumerate();
        places.extend(listed.map(|(at, (name, _))| (name.as_str(), Listed::At(at))));
    }
    if meter.unknown.is_some() {
        places.push(("any other", Listed::Unknown));
    }
    let Some(request) = model_request(meter) else { return Vec::new() };
    places.into_iter().flat_map(|place| endings(meter, fixed, &request, place)).collect()
}

/// The sample to a model, by whatever name; its prices are chosen by the place.
fn model_request(meter: &ModelMeter) -> Option<Box<ModelRequest>> {
    let path = match meter.dialect {
        Dialect::Auto | Dialect::OpenAi | Dialect::Mistral => "/v1/chat/completions",
        Dialect::Anthropic => "/v1/messages",
        Dialect::Gemini => "/v1beta/models/sample:generateContent",
        Dialect::Cohere => "/v2/chat",
        Dialect::Ollama => "/api/chat",
        Dialect::Bedrock => "/model/sample/converse",
    };
    let (group, member) = RequestShape::of(path.as_bytes())?.cap()?;
    let limit = json!({ member: CAP });
    let mut body = if group.is_empty() { limit } else { json!({ group: limit }) };
    body.as_object_mut()?.insert("model".to_owned(), "sample".into());
    let body = format!("{:<BODY_BYTES$}", body.to_string());
    read_model(meter, &posted(path), body.as_bytes()).ok().flatten()
}

fn posted(path: &str) -> HeldRequest {
    let head = [(":method", "POST"), (":path", path)]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    HeldRequest::of(&Head::new(&head), false)
}

/// What the sample comes to, however its answer ends.
fn endings(
    meter: &ModelMeter,
    fixed: Credits,
    request: &ModelRequest,
    (name, place): (&str, Listed),
) -> Vec<Value> {
    let Some(prices) = meter.prices_at(place) else { return Vec::new() };
    let quote = quote(meter, fixed, request, (PriceRef::Listed(place), prices), false);
    let QuoteKind::Model(model) = &quote.kind else { return Vec::new() };
    let mut used = Quantities::default();
    used.set(UsageClass::Input, INPUT);
    used.set(UsageClass::Output, OUTPUT);
    let whole = Report { quantities: Some(used), complete: true, ..Report::default() };
    let silent = Report { output_bytes: TEXT_BYTES, ..Report::default() };
    [
        (format!("says {INPUT} tokens of input, {OUTPUT} of output"), Some(whole), AnswerEnd::Whole),
        (format!("says nothing, has {TEXT_BYTES} bytes of text"), Some(silent), AnswerEnd::Whole),
        ("none: the client leaves before".to_owned(), None, AnswerEnd::None),
    ]
    .into_iter()
    .map(|(answer, report, end)| {
        let settled = settle(meter, fixed, model, report.as_ref(), end);
        let charged = (settled.list.unwrap_or(quote.list), settled.basis);
        sample(Some(("model", name)), quote.list, &answer, charged)
    })
    .collect()
}

fn model_notes(meter: &ModelMeter) -> Vec<String> {
    let mut notes = Vec::new();
    match &meter.prices {
        PriceSource::Ledger => {
            notes.push("prices are in the ledger: `faregate prices show MODEL` has them".to_owned());
        }
        PriceSource::Listed(models) => notes.extend(more(models.len(), MAX_MODELS, "model", "models")),
    }
    if let (true, Some(most)) = (meter.holds_larger, meter.at_most) {
        notes.push(format!("a body above {} bytes isn't read: {most} is held", meter.max_body));
    }
    if meter.stop_at_zero {
        notes.push("more is held as an answer grows; it ends when nothing is left (stop_at_zero)".to_owned());
    }
    if meter.unknown.is_none() {
        notes.push("a model without a price is refused (unknown_model)".to_owned());
    }
    notes
}

fn call_samples(meter: &CallMeter, fixed: Credits) -> Vec<Value> {
    let others = if meter.protocol == CallProtocol::A2a { "a message" } else { "any other" };
    let listed = meter.prices.iter().take(MAX_CALLS).map(|(name, _)| name.as_str());
    let samples = listed.map(|name| (name, Some(name))).chain([(others, None)]);
    samples.filter_map(|(shown, name)| call_sample(meter, fixed, shown, name)).collect()
}

/// What a call costs: of this name, or of a name that no price is listed for.
fn call_sample(meter: &CallMeter, fixed: Credits, shown: &str, name: Option<&str>) -> Option<Value> {
    let body = match (meter.protocol, name) {
        (CallProtocol::A2a, _) => {
            json!({ "jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {} })
        }
        // No name is meant, so none is found.
        (_, None) => json!({ "jsonrpc": "2.0", "id": 1, "method": "completion/complete", "params": {} }),
        (_, Some(pattern)) => {
            // No other name or pattern can fit better.
            let begin = pattern.strip_suffix('*').map(|begin| format!("{begin}\u{2026}"));
            let name = begin.unwrap_or_else(|| pattern.to_owned());
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name } })
        }
    };
    let quote = read_calls(meter, fixed, &posted("/"), body.to_string().as_bytes()).ok()?;
    let list = quote.map_or(Credits::ZERO, |quote| quote.list);
    Some(sample(Some(("call", shown)), list, "a result", (list, Basis::Listed)))
}

fn call_notes(meter: &CallMeter) -> Vec<String> {
    let CallRefunds { error, is_error, input_required } = meter.refund;
    let failure = if meter.protocol == CallProtocol::A2a { "failed" } else { "is_error" };
    let words = [(error, "error"), (is_error, failure), (input_required, "input_required")];
    let refunded: Vec<&str> = words.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    let mut notes = Vec::from_iter(more(meter.prices.len(), MAX_CALLS, "tool", "tools"));
    if !refunded.is_empty() {
        notes.push(format!("not charged: an answer with {}", refunded.join(", ")));
    }
    notes
}

fn amount_samples(meter: &Meter, amount: &AmountMeter, held: Credits) -> Vec<Value> {
    let (answer, number, nothing) = match &amount.measure {
        Measure::Header { name, .. } => {
            let said = AmountMeter::read(NUMBER.to_string().as_bytes());
            (format!("{name}: {NUMBER}"), said, Some(format!("without {name}")))
        }
        Measure::Json(pointer) => {
            let said = AmountMeter::read(NUMBER.to_string().as_bytes());
            let place = written(pointer);
            (format!("{NUMBER} at {place}"), said, Some(format!("nothing at {place}")))
        }
        Measure::ResponseBytes => (format!("{ANSWER_BYTES} bytes"), Some(ANSWER_BYTES), None),
        Measure::Duration => (format!("after {SECONDS} seconds"), SECONDS.checked_mul(SECOND), None),
    };
    let missing = match amount.missing {
        Missing::Hold => (held, Basis::Held),
        Missing::Free => (meter.fixed, Basis::Listed),
    };
    let cost = number.and_then(|number| meter.cost(number));
    let known = cost.map(|cost| sample(None, held, &answer, (cost, Basis::Reported)));
    known.into_iter().chain(nothing.map(|nothing| sample(None, held, &nothing, missing))).collect()
}

/// A pointer as a configuration has it.
fn written(pointer: &Pointer) -> String {
    let names = (0..).map_while(|depth| pointer.segment(depth));
    let name = |name: &[u8]| String::from_utf8_lossy(name).replace('~', "~0").replace('/', "~1");
    names.flat_map(|part| ["/".to_owned(), name(part)]).collect()
}

/// How many are not shown.
fn more(all: usize, shown: usize, one: &str, many: &str) -> Option<String> {
    let others = u64::try_from(all.saturating_sub(shown)).unwrap_or(u64::MAX);
    (others > 0).then(|| format!("and {}", count(others, one, many)))
}
