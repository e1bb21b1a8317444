//! What a body asks for.
//!
//! What must hold: nothing that becomes tokens is left out of the count. An image's bytes are left out only where the API reads
//! them as an image; where readers may disagree, they count as text. What has a price that the body can't tell is marked.

use super::content::Content;
use super::form;
use super::places::Node;
use super::shape::{MAX_MODEL_BYTES, RequestShape, path_says};
use super::trail::{Step, Trail};
use super::walk::{BodyError, Token};
use std::ops::Range;

/// The longest name of a tier, in bytes.
const MAX_TIER_BYTES: usize = 64;

/// Whether the client asks for the usage of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeUsage {
    /// There are no `stream_options`.
    #[default]
    Absent,
    /// There are, but they don't say.
    OptionsWithoutIt,
    /// It asks for none.
    False,
    /// It asks.
    True,
}

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model, by the path or else by the body.
    pub model: Option<String>,
    /// The most output tokens per choice; of two limits the larger. `None`: no limit.
    pub cap: Option<u64>,
    /// How many outputs are wanted: choices times prompts, at least one.
    pub choices: u64,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether usage is asked for (chat and completions only).
    pub include_usage: IncludeUsage,
    /// The service tier.
    pub tier: Option<String>,
    /// Another word that changes the price: Anthropic's `speed`, Bedrock's `performanceConfig.latency`.
    pub speed: Option<String>,
    /// The bytes that may become tokens: all but those of images.
    pub text_bytes: u64,
    /// How many images there are, inline and by URL.
    pub images: u64,
    /// The bytes of inline images, as they are in the body; of a form those of all files.
    pub image_bytes: u64,
    /// How many documents are to be ranked.
    pub documents: u64,
    /// Whether something costs more than the body can tell.
    pub opaque: bool,
    /// Whether the answer comes later.
    pub background: bool,
    /// Where these are.
    pub(super) places: Places,
}

/// Where a body can be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The body.
    pub root: Place,
    /// The limits, with what they say.
    pub caps: [Option<(Range<usize>, Limit)>; 2],
    /// The object in which the limit belongs.
    pub group: Option<Place>,
    /// `stream_options`.
    pub options: Option<Place>,
    /// The value of `include_usage`.
    pub include_usage: Range<usize>,
}

impl Asked {
    /// The ranges of the numbers that limit the output, in bytes.
    pub fn cap_at(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let limits = self.places.caps.iter().flatten();
        limits.filter(|(_, limit)| *limit != Limit::Null).map(|(at, _)| at.clone())
    }
}

/// An object, or a `null` where one may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Of an object the place of its first member, without length; else that of the `null`.
    pub at: Range<usize>,
    /// Whether it is an object that has members.
    pub has_members: bool,
}

impl Place {
    /// Whether it is a `null`.
    pub fn is_null(&self) -> bool {
        !self.at.is_empty()
    }
}

/// What a limit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Nothing: `null`.
    Null,
    /// That there is none: a number below zero.
    Endless,
    /// The most tokens.
    Most(u64),
}

/// Reads a request of this shape.
pub fn read(shape: RequestShape, path: &[u8], body: &[u8]) -> Result<Asked, BodyError> {
    let (model, stream) = path_says(shape, path)?;
    let mut trail = Trail::new(body, shape.bit())?;
    let asked = Asked { stream, choices: 1, ..Asked::default() };
    let mut reading = Reading { asked, content: Content::default() };
    while let Some(step) = trail.step()? {
        reading.take(&step)?;
    }
    let Reading { mut asked, content } = reading;
    asked.model = model.or(asked.model);
    asked.choices = asked.choices.saturating_mul(content.prompts.max(1));
    asked.images = content.images;
    asked.image_bytes = content.image_bytes;
    asked.documents = content.documents;
    asked.opaque = content.opaque;
    asked.text_bytes = (body.len() as u64).saturating_sub(asked.image_bytes);
    let mut limits = asked.places.caps.iter().flatten().map(|(_, limit)| *limit);
    asked.cap = if limits.clone().any(|limit| limit == Limit::Endless) {
        None
    } else {
        limits
            .by_ref()
            .filter_map(|limit| if let Limit::Most(most) = limit { Some(most) } else { None })
            .max()
    };
    Ok(asked)
}

/// Reads a request of this shape that is a form with this boundary.
pub fn read_form(shape: RequestShape, path: &[u8], body: &[u8], boundary: &str) -> Result<Asked, BodyError> {
    let form = form::read(body, boundary)?;
    let mut asked = read(shape, path, form.fields.as_bytes());
    if let Ok(asked) = &mut asked {
        asked.images = if shape == RequestShape::Images { form.files } else { 0 };
        (asked.text_bytes, asked.image_bytes) = (form.text_bytes, form.file_bytes);
    }
    asked
}

/// What was read so far.
struct Reading {
    asked: Asked,
    content: Content,
}

impl Reading {
    #[inline(never)]
    fn take(&mut self, step: &Step<'_>) -> Result<(), BodyError> {
        let (token, at) = (step.event.token, &step.event.at);
        let wrong = Err(BodyError::WrongType { name: step.name });
        let asked = &mut self.asked;
        match step.node {
            Node::Other => {}
            // A place that begins was looked at already.
            _ if token == Token::End => self.content.end(step.node),
            Node::Root => match token {
                Token::Object { empty } => asked.places.root = inside(at, empty),
                _ => return wrong,
            },
            Node::Model => asked.model = text(step, MAX_MODEL_BYTES)?,
            Node::Tier => asked.tier = text(step, MAX_TIER_BYTES)?,
            Node::Speed => asked.speed = text(step, MAX_TIER_BYTES)?,
            Node::Cap | Node::NewerCap => {
                let [first, second] = &mut asked.places.caps;
                let place = if step.node == Node::Cap { first } else { second };
                *place = Some((at.clone(), limit(step)?));
            }
            Node::Choices | Node::BestOf => {
                if let Limit::Most(many) = limit(step)? {
                    asked.choices = asked.choices.max(many);
                }
            }
            Node::Stream => asked.stream = flag(step)?.unwrap_or(asked.stream),
            Node::Background => asked.background = flag(step)?.unwrap_or(false),
            Node::IncludeUsage => {
                asked.places.include_usage = at.clone();
                let asks = flag(step)? == Some(true);
                asked.include_usage = if asks { IncludeUsage::True } else { IncludeUsage::False };
            }
            Node::Options => {
                asked.places.options = Some(group(step)?);
                if token != Token::Null {
                    asked.include_usage = IncludeUsage::OptionsWithoutIt;
                }
            }
            Node::CapGroup => asked.places.group = Some(group(step)?),
            Node::TierGroup | Node::SpeedGroup => {
                group(step)?;
            }
            _ => self.content.take(step),
        }
        Ok(())
    }
}

/// The place within an object that begins here.
fn inside(at: &Range<usize>, empty: bool) -> Place {
    Place { at: at.end..at.end, has_members: !empty }
}

fn group(step: &Step<'_>) -> Result<Place, BodyError> {
    match step.event.token {
        Token::Object { empty } => Ok(inside(&step.event.at, empty)),
        Token::Null => Ok(Place { at: step.event.at.clone(), has_members: false }),
        _ => Err(BodyError::WrongType { name: step.name }),
    }
}

/// A text of at most so many bytes, or `null`.
pub(super) fn text(step: &Step<'_>, most: usize) -> Result<Option<String>, BodyError> {
    match step.event.token {
        Token::Text(text) => text.decoded(most).map(Some).ok_or(BodyError::TooLong { name: step.name }),
        Token::Null => Ok(None),
        _ => Err(BodyError::WrongType { name: step.name }),
    }
}

fn flag(step: &Step<'_>) -> Result<Option<bool>, BodyError> {
    match step.event.token {
        Token::Bool(is) => Ok(Some(is)),
        Token::Null => Ok(None),
        _ => Err(BodyError::WrongType { name: step.name }),
    }
}

/// A whole number, or `null`. One that is too large is the largest.
fn limit(step: &Step<'_>) -> Result<Limit, BodyError> {
    let wrong = Err(BodyError::WrongType { name: step.name });
    match step.event.token {
        Token::Null => Ok(Limit::Null),
        Token::Number(number) => {
            let digits = number.strip_prefix('-');
            if !digits.unwrap_or(number).bytes().all(|digit| digit.is_ascii_digit()) {
                return wrong;
            }
            Ok(if digits.is_some() {
                Limit::Endless
            } else {
                Limit::Most(number.parse().unwrap_or(u64::MAX))
            })
        }
        _ => wrong,
    }
}

#[cfg(test)]
mod tests;
