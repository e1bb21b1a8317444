//! A cache of recent answers, reused when a refusal repeats: most do, and a flood of them shouldn't cost more than it
//! has to.
//!
//! What must hold: a cached answer equals the one that would be rendered for this request. So each is kept together with
//! all of its inputs, which are compared in full; nothing else goes into rendering, and the request's own values are
//! filled in each time. The cache is small and so are its entries: a new one evicts another. Answers about something in the
//! request's body aren't cached: a flood of invented models evicts nothing.

use super::rendering::write;
use super::template::ResponseTemplate;
use super::{Refusal, RequestContext};
use crate::decide::settings::dialect::Dialect;
use crate::decide::settings::template::names_payer;
use crate::decide::settings::{Settings, Wording};
use faregate_protocol::Credits;
use std::rc::Rc;

/// How many are cached. Tests have few refusals, and want collisions.
const MOST: usize = if cfg!(test) { 4 } else { 128 };
/// The largest that is cached (bytes).
const MOST_BYTES: usize = 4_096;
/// No place: the answer isn't cached.
const NOWHERE: usize = usize::MAX;

/// ResponseCache by their inputs.
#[derive(Debug)]
pub struct ResponseCache {
    /// Each answer has only one possible place.
    places: Vec<Option<Kept>>,
    /// Whether any text or address names the payer. Otherwise all payers get the same answer.
    names_payer: bool,
}

#[derive(Debug)]
struct Kept {
    refusal: Refusal,
    dialect: Dialect,
    language: usize,
    origin: Option<Box<str>>,
    form: Rc<ResponseTemplate>,
}

impl ResponseCache {
    /// An empty cache for this wording.
    pub fn new(wording: &Wording) -> Self {
        let addresses = [&wording.top_up_url, &wording.upgrade_url, &wording.type_url];
        let mut texts = addresses.into_iter().flatten().map(String::as_str).chain(wording.texts.all());
        Self { places: Vec::new(), names_payer: texts.any(names_payer) }
    }

    /// The answer to this refusal, for such a reader. The settings are always those whose wording was given before.
    pub fn of(
        &mut self,
        refusal: &Refusal,
        around: &RequestContext<'_>,
        settings: &Settings,
    ) -> Rc<ResponseTemplate> {
        let payer = refusal.payer.as_ref().filter(|_| self.names_payer).map(|payer| payer.key.as_str());
        let at = place(refusal, payer, around);
        if let Some(Some(kept)) = self.places.get(at)
            && kept.is_for(refusal, around, self.names_payer)
        {
            return Rc::clone(&kept.form);
        }
        self.write(at, refusal, around, settings)
    }

    #[inline(never)]
    fn write(
        &mut self,
        at: usize,
        refusal: &Refusal,
        around: &RequestContext<'_>,
        settings: &Settings,
    ) -> Rc<ResponseTemplate> {
        let mut refusal = refusal.clone();
        if !self.names_payer {
            refusal.payer = None;
        }
        // Only compared inputs go in.
        let RequestContext { dialect, language, origin, .. } = *around;
        let deprecated = refusal.rule.and_then(|rule| settings.rule(rule).deprecated.as_ref());
        let around = RequestContext { dialect, language, origin, deprecated, ..RequestContext::default() };
        let form = Rc::new(write(&refusal, &around, &settings.wording));
        if form.size() <= MOST_BYTES {
            if self.places.is_empty() {
                self.places.resize_with(MOST, || None);
            }
            if let Some(place) = self.places.get_mut(at) {
                let (origin, form) = (origin.map(Box::from), Rc::clone(&form));
                *place = Some(Kept { refusal, dialect, language, origin, form });
            }
        }
        form
    }
}

impl Kept {
    fn is_for(&self, refusal: &Refusal, around: &RequestContext<'_>, names_payer: bool) -> bool {
        self.dialect == around.dialect
            && self.language == around.language
            && self.origin.as_deref() == around.origin
            && self.refusal.says_as(refusal, names_payer)
    }
}

impl Refusal {
    /// Whether both give the same answer, to any payer or to the same one.
    fn says_as(&self, other: &Self, to_payer: bool) -> bool {
        // All fields are named here, so that none is forgotten.
        let Self {
            code,
            needed,
            available,
            reset,
            top_up,
            status,
            wait_s,
            limits,
            crowded,
            hint,
            // One with it has no place, and is compared with none.
            about: _,
            fits,
            payer,
            trusted_identity,
            rule,
        } = self;
        *code == other.code
            && *rule == other.rule
            && *needed == other.needed
            && *available == other.available
            && *fits == other.fits
            && *wait_s == other.wait_s
            && *status == other.status
            && (*top_up, *crowded, *trusted_identity) == (other.top_up, other.crowded, other.trusted_identity)
            && *hint == other.hint
            && *limits == other.limits
            && *reset == other.reset
            && (!to_payer || *payer == other.payer)
    }
}

/// A hash for an answer's place: any number works, but different refusals should differ.
fn place(refusal: &Refusal, payer: Option<&str>, around: &RequestContext<'_>) -> usize {
    if refusal.about.is_some() {
        return NOWHERE;
    }
    let micros = |amount: Option<Credits>| amount.map_or(1, |amount| amount.micros().cast_unsigned());
    let (dialect, language) = (around.dialect as u64, around.language as u64);
    let hint = refusal.hint.map_or(0, |hint| hint.len() as u64);
    let rule = refusal.rule.map_or(0, |rule| rule as u64);
    let small = refusal.code as u64 ^ (dialect << 8) ^ (language << 16) ^ (hint << 24) ^ (rule << 32);
    let seconds = refusal.reset.as_ref().map_or(0, |reset| reset.in_s) ^ u64::from(refusal.wait_s);
    let mut mixed = mix(mix(mix(small, micros(refusal.needed)), micros(refusal.available)), seconds);
    for text in [payer, around.origin].into_iter().flatten() {
        mixed = text.bytes().map(u64::from).fold(mixed, mix);
    }
    usize::try_from(mixed >> 32).unwrap_or(0) % MOST
}

/// Fibonacci hashing: the constant is 2^64 divided by the golden ratio.
fn mix(mixed: u64, number: u64) -> u64 {
    (mixed.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests;
