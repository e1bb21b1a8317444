//! Refuses a request, or admits it if its rule is in shadow mode; and gathers a request's context for the answer.

use super::Gate;
use crate::decide::base::head::Head;
use crate::decide::lease::shared::SharedMemory;
use crate::decide::outcome::{Outcome, Passage};
use crate::decide::refusal::signs::FormatSignals;
use crate::decide::refusal::template::ResponseTemplate;
use crate::decide::refusal::{MAX_REPEATED, Refusal, RequestContext, language};
use crate::decide::request::rules;
use crate::decide::settings::Rule;
use crate::decide::usage::{ChargeOutcome, UNKNOWN_CALLER};
use faregate_protocol::RefusalCode;
use std::rc::Rc;

impl<M: SharedMemory> Gate<M> {
    /// The answer to a refused request, with gaps for what is its own. The holder no longer needs the gate: Envoy may call
    /// back while it is sent.
    pub fn answer(&mut self, refusal: &Refusal, around: &RequestContext<'_>) -> Rc<ResponseTemplate> {
        self.responses.of(refusal, around, &self.settings)
    }

    /// The context of a request; `rule` is the number of its rule, if known.
    pub fn request_context<'a>(&self, head: &Head<'a>, rule: Option<usize>) -> RequestContext<'a> {
        let signs = FormatSignals::read(head);
        let rule = self.settings.rule(rule.unwrap_or_else(|| rules::find(&self.settings, head)));
        let path = head.path();
        let texts = &self.settings.wording.texts;
        RequestContext {
            path,
            request_id: signs.request_id,
            dialect: rule.error_format.unwrap_or_else(|| signs.dialect(path)),
            language: if texts.is_empty() {
                0
            } else {
                language::choose(head.values("accept-language"), texts)
            },
            origin: signs.origin.and_then(|origin| self.reader(origin)),
            ..RequestContext::default()
        }
    }

    /// The origin of a page that may read the headers that the gate adds to an admitted request's answer.
    pub fn page<'a>(&self, head: &Head<'a>) -> Option<&'a str> {
        self.reader(head.value("origin")?)
    }

    /// The origin of a page that may read the gate's own answers.
    #[inline(never)]
    pub(super) fn reader<'a>(&self, origin: &'a [u8]) -> Option<&'a str> {
        let origin = std::str::from_utf8(origin).ok()?;
        let allowed = self.settings.cors_origins.iter().any(|allowed| allowed == "*" || allowed == origin);
        let plain = origin.len() <= MAX_REPEATED && origin.bytes().all(|byte| byte.is_ascii_graphic());
        (allowed && plain).then_some(origin)
    }

    /// Refuses, or admits if the rule is in shadow mode.
    #[inline(never)]
    pub(super) fn refuse(&mut self, rule: usize, mut refusal: Refusal) -> Outcome {
        let Rule { shadow, rate_limited_status, .. } = *self.settings.rule(rule);
        refusal.rule = Some(rule);
        if refusal.code == RefusalCode::RateLimited {
            refusal.status = Some(rate_limited_status);
        }
        if shadow {
            self.counters.shadow += 1;
        }
        let key = refusal.payer.as_ref().map_or(UNKNOWN_CALLER, |payer| payer.key.as_str());
        let code = refusal.code;
        let outcome = if shadow { ChargeOutcome::Shadow(code) } else { ChargeOutcome::Refused(code) };
        self.count_outcome(key, rule, outcome);
        if shadow { Outcome::Pass(Passage::Shadow(refusal)) } else { self.deny(refusal) }
    }

    /// Refuses.
    pub(super) fn deny(&mut self, refusal: Refusal) -> Outcome {
        if let Some(count) = self.counters.refused.get_mut(refusal.code as usize) {
            *count += 1;
        }
        Outcome::Refuse(refusal)
    }
}
