//! What a request costs whose body decides its price: how much is held for it, and what it comes to in the end.
//!
//! What must hold: a hold covers the request as far as its body can tell, up to the rule's `at_most`; what a request comes to
//! depends on nothing but the quote and the answer.

use super::held::{Held, HeldRequest};
use crate::decide::lease::Raised;
use crate::decide::meter::asked::estimate::estimate;
use crate::decide::meter::asked::shape::{RequestShape, path_says, query_model};
use crate::decide::meter::asked::{Asked, BodyError, a2a, mcp, read, read_form, rpc};
use crate::decide::meter::dialect::Dialect;
use crate::decide::meter::reader::Report;
use crate::decide::settings::meter::calls::{CallMeter, CallProtocol, CallRefunds};
use crate::decide::settings::meter::models::{Listed, ModelMeter, NoUsage};
use faregate_protocol::Credits;
use faregate_protocol::exchange::{Basis, MAX_LINE_CREDITS};
use faregate_protocol::metering::{Quantities, UsageClass};
use faregate_protocol::prices::ModelPrices;
use std::rc::Rc;

/// The least that is held: even a request that costs nothing has a payer.
const LEAST_HOLD: Credits = Credits::from_micros(1);

/// What is held for a request, and how it is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How much is held, at the rule's prices.
    pub list: Credits,
    /// The model, or the tool.
    pub item: Option<Rc<str>>,
    /// How it is settled.
    pub kind: QuoteKind,
}

impl Quote {
    /// To how many tokens the limit of its output is lowered, if it is.
    pub fn fitted(&self) -> Option<u64> {
        self.model()?.fitted
    }

    /// How a request to a model is settled.
    pub fn model(&self) -> Option<&ModelQuote> {
        match &self.kind {
            QuoteKind::Model(model) => Some(model),
            QuoteKind::Calls(_) => None,
        }
    }

    /// The same, to change it.
    pub fn model_mut(&mut self) -> Option<&mut ModelQuote> {
        match &mut self.kind {
            QuoteKind::Model(model) => Some(model),
            QuoteKind::Calls(_) => None,
        }
    }
}

/// How a request is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuoteKind {
    /// By what a model used.
    Model(Box<ModelQuote>),
    /// At its listed price, unless the answer is one of these.
    Calls(CallRefunds),
}

/// How a request to a model is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelQuote {
    /// What the model costs.
    pub prices: PriceRef,
    /// The most that it may use, as estimated.
    pub most: Quantities,
    /// In which form it is sent.
    pub shape: RequestShape,
    /// How many outputs it asks for; its limit is for each.
    pub choices: u64,
    /// To how many tokens its limit is lowered, so that its sender can pay.
    pub fitted: Option<u64>,
    /// The service that it asks for, if that has prices of its own.
    pub service: Option<String>,
    /// In whose format the answer is.
    pub dialect: Dialect,
    /// Whether the usage at the end of the stream is there only for us.
    pub strips_usage: bool,
    /// What is held beside its first hold.
    pub raised: Raised,
}

/// Where the prices of a model are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceRef {
    /// In the rule.
    Listed(Listed),
    /// As the ledger said when the request came.
    Ledger(Rc<ModelPrices>),
    /// Nowhere yet: the body wasn't read, so the answer has to name the model.
    Unread,
}

impl PriceRef {
    /// The prices.
    pub fn get<'a>(&'a self, meter: &'a ModelMeter) -> Option<&'a ModelPrices> {
        match self {
            Self::Listed(place) => meter.prices_at(*place),
            Self::Ledger(prices) => Some(prices),
            Self::Unread => None,
        }
    }
}

/// What a request to a model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRequest {
    /// The model.
    pub model: String,
    /// In which form.
    pub shape: RequestShape,
    /// For what.
    pub asked: Asked,
    /// In whose format the answer is.
    pub dialect: Dialect,
}

/// A request to a model whose prices the ledger is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unquoted {
    /// The request.
    pub held: Box<Held>,
    /// What it asks for.
    pub request: Box<ModelRequest>,
    /// Whether the usage at the end of the stream will be there only for us.
    pub strips_usage: bool,
}

#[cfg(test)]
impl Unquoted {
    /// Of some request under this rule.
    pub fn sample(rule: usize) -> Self {
        use super::held::Chosen;
        use crate::decide::base::sorted_map::Handle;
        use crate::decide::lease::credential::Credential;
        let (credential, refused) = (Credential::Key(String::new()), Handle::default());
        let chosen = Chosen { credential, lease: String::new(), refused, fallback: None };
        let (shape, asked, dialect) = (RequestShape::Chat, Asked::default(), Dialect::OpenAi);
        let request = Box::new(ModelRequest { model: "model".into(), shape, asked, dialect });
        let held = Box::new(Held { rule, request: HeldRequest::default(), chosen });
        Self { held, request, strips_usage: false }
    }
}

/// Why a request has no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpriced {
    /// The body can't be read.
    Body(BodyError),
    /// Headers differ from the body.
    Headers(mcp::HeaderError),
    /// It is something that isn't sold by this rule; says what.
    Unsold(&'static str),
}

impl From<BodyError> for Unpriced {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

/// Reads the body of a request to a model.
pub fn read_model(
    meter: &ModelMeter,
    request: &HeldRequest,
    body: &[u8],
) -> Result<Option<Box<ModelRequest>>, Unpriced> {
    if request.is_upgrade {
        return session(meter, request).map(Some);
    }
    if body.is_empty() && request.is_read {
        return Ok(None);
    }
    let Some((shape, dialect)) = sold(meter, request)? else { return Ok(None) };
    let asked = match (shape, &request.boundary) {
        (RequestShape::Audio | RequestShape::Images, Some(boundary)) => {
            read_form(shape, &request.path, body, boundary)?
        }
        (RequestShape::Audio, None) => {
            return Err(Unpriced::Unsold(
                "Send a form: \"content-type: multipart/form-data\" with its boundary.",
            ));
        }
        _ => read(shape, &request.path, body)?,
    };
    if asked.background {
        return Err(Unpriced::Unsold(
            "Work in the background isn't sold here; send it without \"background\".",
        ));
    }
    let Some(model) = asked.model.clone() else {
        return Err(Unpriced::Unsold("The request names no model."));
    };
    Ok(Some(Box::new(ModelRequest { model, shape, asked, dialect })))
}

/// In which form requests to this path are, and in whose format the answers; `None`: they are free.
fn sold(meter: &ModelMeter, request: &HeldRequest) -> Result<Option<(RequestShape, Dialect)>, Unpriced> {
    const FREE: [&str; 2] = ["/count_tokens", ":countTokens"];
    let path = request.path.split(|byte| *byte == b'?').next().unwrap_or_default();
    if FREE.iter().any(|end| path.ends_with(end.as_bytes())) {
        return Ok(None);
    }
    let Some(shape) = shape(meter.dialect, &request.path) else {
        return Err(Unpriced::Unsold("No price is known for requests to this path."));
    };
    let dialect = match meter.dialect {
        Dialect::Auto => Dialect::detect(request.path_text()),
        dialect => dialect,
    };
    Ok(Some((shape, dialect)))
}

/// The quote for a request whose body is too large to be read; `None`: it costs nothing. The most that may be held is.
pub fn quote_unread(
    meter: &ModelMeter,
    fixed: Credits,
    request: &HeldRequest,
) -> Result<Option<Quote>, Unpriced> {
    let Some((shape, dialect)) = sold(meter, request)? else { return Ok(None) };
    let list = meter.at_most.unwrap_or(MAX_LINE_CREDITS).saturating_add(fixed);
    let (model, _) = path_says(shape, &request.path)?;
    let kind = ModelQuote {
        prices: PriceRef::Unread,
        most: Quantities::default(),
        shape,
        choices: 1,
        fitted: None,
        service: None,
        dialect,
        strips_usage: false,
        raised: Raised::default(),
    };
    let (list, item) = (list.clamp(LEAST_HOLD, MAX_LINE_CREDITS), model.map(Rc::from));
    Ok(Some(Quote { list, item, kind: QuoteKind::Model(Box::new(kind)) }))
}

/// Reads the head of a request for a WebSocket: a session of answers, of which only its end is the limit.
fn session(meter: &ModelMeter, request: &HeldRequest) -> Result<Box<ModelRequest>, Unpriced> {
    if !meter.stop_at_zero {
        return Err(Unpriced::Unsold("WebSockets aren't sold here."));
    }
    let Some(model) = query_model(&request.path) else {
        return Err(Unpriced::Unsold("The query of a request for a WebSocket must name one model."));
    };
    let dialect = if meter.dialect == Dialect::Auto { Dialect::OpenAi } else { meter.dialect };
    Ok(Box::new(ModelRequest { model, shape: RequestShape::Session, asked: Asked::default(), dialect }))
}

/// The shape of a request to this path: what the path says, or else what the rule says.
fn shape(dialect: Dialect, path: &[u8]) -> Option<RequestShape> {
    RequestShape::of(path).or(match dialect {
        Dialect::OpenAi => Some(RequestShape::Chat),
        Dialect::Anthropic => Some(RequestShape::Anthropic),
        Dialect::Mistral => Some(RequestShape::Mistral),
        Dialect::Cohere => Some(RequestShape::CohereChat),
        Dialect::Ollama => Some(RequestShape::OllamaChat),
        Dialect::Gemini | Dialect::Bedrock | Dialect::Auto => None,
    })
}

/// Reads the calls in a body. `None`: they cost nothing.
pub fn read_calls(
    meter: &CallMeter,
    fixed: Credits,
    request: &HeldRequest,
    body: &[u8],
) -> Result<Option<Quote>, Unpriced> {
    let (sum, item): (Credits, Option<Rc<str>>) = match meter.protocol {
        CallProtocol::A2a => {
            let count = a2a::messages(&request.path, body)?;
            if count > 1 {
                return Err(Unpriced::Unsold("Send one message per request; a batch has no price."));
            }
            if count == 0 {
                return Ok(None);
            }
            (meter.other, None)
        }
        CallProtocol::Mcp => {
            if body.is_empty() && request.is_read {
                return Ok(None);
            }
            let calls = rpc::parse(body)?;
            mcp::check(&calls, &request.mcp()).map_err(Unpriced::Headers)?;
            let mut sold = calls.calls.iter().filter(|call| !call.is_free());
            let Some(call) = sold.next() else { return Ok(None) };
            if sold.next().is_some() {
                return Err(Unpriced::Unsold("Send one call per request; a batch of calls has no price."));
            }
            (meter.price(call.target()), call.target().map(Rc::from))
        }
    };
    let list = fixed.saturating_add(sum);
    if list.is_zero() {
        return Ok(None);
    }
    Ok(Some(Quote { list, item, kind: QuoteKind::Calls(meter.refund) }))
}

/// The quote for a request to a model with these prices.
pub fn quote(
    meter: &ModelMeter,
    fixed: Credits,
    request: &ModelRequest,
    prices: (PriceRef, &ModelPrices),
    strips_usage: bool,
) -> Quote {
    let (place, prices) = prices;
    let mut most = estimate(request.shape, &request.asked, &meter.assumed);
    if request.shape == RequestShape::Audio {
        // What is billed by time isn't billed by tokens.
        let by_time = prices.base.get(UsageClass::Second).is_some();
        most.set(if by_time { UsageClass::AudioInput } else { UsageClass::Second }, 0);
    }
    let words = [request.asked.speed.as_deref(), request.asked.tier.as_deref()];
    let service = words.into_iter().flatten().find(|word| prices.has_service(word)).map(str::to_owned);
    let list = hold(meter, fixed, prices, &most, service.as_deref());
    let (dialect, shape, choices) = (request.dialect, request.shape, request.asked.choices.max(1));
    let prices = place;
    let (fitted, raised) = (None, Raised::default());
    let kind = ModelQuote { prices, most, shape, choices, fitted, service, dialect, strips_usage, raised };
    Quote { list, item: Some(request.model.as_str().into()), kind: QuoteKind::Model(Box::new(kind)) }
}

/// How much to hold for a request that uses at most so much.
fn hold(
    meter: &ModelMeter,
    fixed: Credits,
    prices: &ModelPrices,
    most: &Quantities,
    service: Option<&str>,
) -> Credits {
    let (mut input, mut output, mut pieces) = (0_u64, 0_u64, Quantities::default());
    for (class, quantity) in most.iter() {
        match class {
            class if !class.is_tokens() => pieces.set(class, quantity),
            class if class.is_input() => input = input.saturating_add(quantity),
            _ => output = output.saturating_add(quantity),
        }
    }
    let pieces = prices.cost(&pieces, service, fixed);
    let hold = prices.hold(input, output, service, pieces);
    let bounded = meter.at_most.map_or(hold, |most| hold.min(most.saturating_add(fixed)));
    bounded.clamp(LEAST_HOLD, MAX_LINE_CREDITS)
}

/// The same quote with the largest limit of the output whose hold is affordable, which is below its own; `None`: not even one
/// token is.
pub fn fit(
    meter: &ModelMeter,
    fixed: Credits,
    quote: &Quote,
    affordable: impl Fn(Credits) -> bool,
) -> Option<Quote> {
    let QuoteKind::Model(model) = &quote.kind else { return None };
    model.shape.cap()?;
    let prices = model.prices.get(meter)?;
    let with = |cap: u64| {
        let mut most = model.most;
        most.set(UsageClass::Output, cap.saturating_mul(model.choices));
        (hold(meter, fixed, prices, &most, model.service.as_deref()), most)
    };
    let (mut fits, mut above) = (0, model.most.get(UsageClass::Output) / model.choices);
    while above - fits > 1 {
        let middle = fits + (above - fits) / 2;
        if affordable(with(middle).0) {
            fits = middle;
        } else {
            above = middle;
        }
    }
    if fits == 0 {
        return None;
    }
    let (list, most) = with(fits);
    let kind = QuoteKind::Model(Box::new(ModelQuote { most, fitted: Some(fits), ..(**model).clone() }));
    Some(Quote { list, item: quote.item.clone(), kind })
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerEnd {
    /// There was none.
    None,
    /// It was cut: by the client, by the API, or by a fault between.
    Cut,
    /// It is through.
    Whole,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// At the rule's prices; `None`: what was held.
    pub list: Option<Credits>,
    /// On what that is based.
    pub basis: Basis,
    /// What was used.
    pub used: Quantities,
}

/// What a request to a model came to. `report` is `None` where the answer's body couldn't be read.
pub fn settle(
    meter: &ModelMeter,
    fixed: Credits,
    quote: &ModelQuote,
    report: Option<&Report>,
    end: AnswerEnd,
) -> Settled {
    let held = Settled { list: None, basis: Basis::Held, used: Quantities::default() };
    if quote.prices.get(meter).is_none() {
        return held;
    }
    let estimated = |output: u64| {
        let mut used = inputs(&quote.most);
        used.set(UsageClass::Output, output.div_ceil(meter.assumed.bytes_per_token.max(1)));
        used
    };
    let (used, basis) = match (report, end) {
        // What the API used before it was left isn't known; it can't have put out anything that matters.
        (_, AnswerEnd::None) => (estimated(0), Basis::Estimated),
        (None, _) => (Quantities::default(), Basis::Held),
        (Some(report), end) => match &report.quantities {
            // After an error no more usage comes, whatever was put out before.
            Some(used) if report.complete || end == AnswerEnd::Whole && !report.error => {
                (*used, Basis::Reported)
            }
            // All answers of a session have been reported.
            Some(used) if report.adds && report.output_bytes == 0 => (*used, Basis::Reported),
            Some(used) => (delivered(meter, used, report), Basis::Estimated),
            None if report.error && report.output_bytes == 0 => (Quantities::default(), Basis::Estimated),
            None => match meter.no_usage {
                // An image has no text to go by; as many as were asked for are in an answer that is whole.
                NoUsage::Estimate if quote.shape == RequestShape::Images && end == AnswerEnd::Whole => {
                    (quote.most, Basis::Estimated)
                }
                NoUsage::Estimate => (estimated(report.output_bytes), Basis::Estimated),
                NoUsage::Hold => (Quantities::default(), Basis::Held),
                NoUsage::Free => (Quantities::default(), Basis::Listed),
            },
        },
    };
    if basis == Basis::Held {
        return held;
    }
    Settled { list: cost(meter, fixed, quote, report, &used), basis, used }
}

/// What a request to a model costs so far, at the rule's prices. `None`: that isn't known.
pub fn so_far(meter: &ModelMeter, fixed: Credits, quote: &ModelQuote, report: &Report) -> Option<Credits> {
    let used = delivered(meter, &report.quantities.unwrap_or_else(|| inputs(&quote.most)), report);
    cost(meter, fixed, quote, Some(report), &used)
}

/// What was used up to now. The input is as reported, if it was. Of the output, what was reported may be less than what was
/// delivered.
fn delivered(meter: &ModelMeter, reported: &Quantities, report: &Report) -> Quantities {
    let mut used = *reported;
    let output = report.output_bytes.div_ceil(meter.assumed.bytes_per_token.max(1));
    let reported = used.get(UsageClass::Output);
    let output = if report.adds { reported.saturating_add(output) } else { reported.max(output) };
    used.set(UsageClass::Output, output);
    used
}

/// What so much costs, at the prices of the service that answered.
fn cost(
    meter: &ModelMeter,
    fixed: Credits,
    quote: &ModelQuote,
    report: Option<&Report>,
    used: &Quantities,
) -> Option<Credits> {
    let answered =
        report.and_then(|report| if report.is_fast { Some("fast") } else { report.service_tier.as_deref() });
    let service = answered.or(quote.service.as_deref());
    let cost = quote.prices.get(meter)?.cost(used, service, fixed);
    Some(cost.min(MAX_LINE_CREDITS))
}

/// Of quantities, those of the input.
fn inputs(most: &Quantities) -> Quantities {
    let mut inputs = Quantities::default();
    for (class, quantity) in most.iter().filter(|(class, _)| class.is_input() || !class.is_tokens()) {
        inputs.set(class, quantity);
    }
    inputs
}

#[cfg(test)]
mod tests;
