//! Numbers as a provider reports them, made into disjoint classes.
//!
//! What must hold: what lies inside a total is taken out of it, and never below zero. A number that isn't there is not
//! zero: the one that came before goes on counting.

use faregate_protocol::metering::{MAX_QUANTITY, Quantities, UsageClass};

/// A number that a provider reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Slot {
    /// Input tokens.
    Input,
    /// Output tokens.
    Output,
    /// Input tokens, by OpenAI's older name. Some proxies send both names, and zero with the one that they don't mean.
    Prompt,
    /// Output tokens, by OpenAI's older name.
    Completion,
    /// Both, where it counts output that the others leave out.
    Total,
    /// Read from a cache, inside the input.
    ReadInside,
    /// Written to a cache, inside the input.
    WriteInside,
    /// Read from a cache, beside the input.
    ReadBeside,
    /// Written to a cache, beside the input.
    WriteBeside,
    /// Of what was written, what is kept for 5 or 30 minutes.
    WriteShort,
    /// Of what was written, what is kept for an hour.
    Write1h,
    /// Of what was written, what is kept for 12 hours.
    Write12h,
    /// Audio inside the input, cached or not.
    AudioInput,
    /// Audio inside what was read from a cache.
    AudioRead,
    /// Images inside the input, cached or not.
    ImageInput,
    /// Images inside what was read from a cache.
    ImageRead,
    /// Reasoning inside the output.
    ReasoningInside,
    /// Reasoning beside the output.
    ReasoningBeside,
    /// Audio inside the output.
    AudioOutput,
    /// Images inside the output.
    ImageOutput,
    /// What tools brought, beside the input.
    ToolInput,
    /// What a tool that makes images read, beside the input.
    ImageToolInput,
    /// What a tool that makes images made, beside the output.
    ImageToolOutput,
    /// Searches.
    Search,
    /// Searches by a tool whose use is reported beside the usage.
    ToolSearch,
    /// Seconds. Begun ones count.
    Second,
    /// Pages.
    Page,
    /// As `Input`, of steps that the totals leave out.
    StepInput,
    /// As `Output`, of such steps.
    StepOutput,
    /// As `ReadBeside`, of such steps.
    StepRead,
    /// As `WriteBeside`, of such steps.
    StepWrite,
    /// As `Write1h`, of such steps.
    StepWrite1h,
}

/// How many there are.
const SLOTS: usize = Slot::StepWrite1h as usize + 1;

/// What was reported.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Which ones, a bit for each.
    present: u32,
    numbers: [u64; SLOTS],
}

impl Counts {
    /// A number, if it was reported.
    pub fn get(&self, slot: Slot) -> Option<u64> {
        (self.present & bit(slot as usize) != 0).then(|| self.numbers.get(slot as usize).copied()).flatten()
    }

    /// Sets a number, at most [`MAX_QUANTITY`], or takes it away.
    pub fn set(&mut self, slot: Slot, number: Option<u64>) {
        self.put(slot as usize, number);
    }

    /// Adds to a number.
    pub fn add(&mut self, slot: Slot, number: u64) {
        self.set(slot, Some(self.some(slot).saturating_add(number)));
    }

    /// Nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.present = 0;
    }

    /// Takes over what a newer report has.
    pub fn merge(&mut self, newer: &Self) {
        self.take(newer, 0);
    }

    /// Adds a report about something else.
    pub fn sum(&mut self, other: &Self) {
        self.take(other, u64::MAX);
    }

    /// Keeps these bits of the numbers here, and adds the others.
    #[inline(never)]
    fn take(&mut self, other: &Self, kept: u64) {
        for (index, number) in other.numbers.iter().enumerate() {
            if other.present & bit(index) != 0 {
                let mine = if self.present & bit(index) == 0 { None } else { self.numbers.get(index) };
                let mine = mine.copied().unwrap_or(0) & kept;
                self.put(index, Some(number.saturating_add(mine)));
            }
        }
    }

    fn put(&mut self, index: usize, number: Option<u64>) {
        self.present &= !bit(index);
        if let (Some(number), Some(place)) = (number, self.numbers.get_mut(index)) {
            *place = number.min(MAX_QUANTITY);
            self.present |= bit(index);
        }
    }

    fn some(&self, slot: Slot) -> u64 {
        self.get(slot).unwrap_or(0)
    }

    /// The disjoint classes; `None` if nothing was reported.
    #[inline(never)]
    pub fn quantities(&self) -> Option<Quantities> {
        if self.is_empty() {
            return None;
        }
        let mut all = Quantities::default();
        let output = self.get(Slot::Output).max(self.get(Slot::Completion)).unwrap_or(0);
        let input = self.get(Slot::Input).max(self.get(Slot::Prompt));
        let input = input.unwrap_or(self.some(Slot::Total).saturating_sub(output));
        self.input(&mut all, input);
        self.output(&mut all, output, self.hidden(input, output));
        self.steps(&mut all);
        all.set(UsageClass::Search, self.some(Slot::Search).saturating_add(self.some(Slot::ToolSearch)));
        all.set(UsageClass::Second, self.some(Slot::Second));
        all.set(UsageClass::Page, self.some(Slot::Page));
        Some(all)
    }

    /// Output that only the total has: xAI and Gemini's compatible endpoint leave reasoning out of the output.
    ///
    /// Where audio is billed in seconds, the total has its tokens, too, and says nothing about the output.
    fn hidden(&self, input: u64, output: u64) -> u64 {
        let known = [input, output, self.some(Slot::ToolInput), self.some(Slot::ReasoningBeside)];
        let is_audio = self.some(Slot::Second) > 0;
        let total = if is_audio { 0 } else { self.some(Slot::Total) };
        known.into_iter().fold(total, u64::saturating_sub)
    }

    fn input(&self, all: &mut Quantities, input: u64) {
        // Some proxies add Anthropic's names to OpenAI's: the same tokens a second time.
        let is_total = self.get(Slot::Total).is_some();
        let beside = |slot| if is_total { None } else { self.get(slot) };
        let read = beside(Slot::ReadBeside).unwrap_or(self.some(Slot::ReadInside));
        let audio_read = self.some(Slot::AudioRead).min(read);
        let image_read = self.some(Slot::ImageRead).min(read - audio_read);
        let parts = [Slot::WriteShort, Slot::Write1h, Slot::Write12h];
        let parts = parts.into_iter().fold(0u64, |sum, slot| sum.saturating_add(self.some(slot)));
        let written = beside(Slot::WriteBeside).or(self.get(Slot::WriteInside)).unwrap_or(parts);
        let long = self.some(Slot::Write1h).min(written);
        let longer = self.some(Slot::Write12h).min(written - long);
        let audio = self.some(Slot::AudioInput).saturating_sub(audio_read);
        let image = self.some(Slot::ImageInput).saturating_sub(image_read);
        let read_inside = if beside(Slot::ReadBeside).is_some() { 0 } else { read };
        let written_inside = if beside(Slot::WriteBeside).is_some() { 0 } else { written };
        let inside = read_inside.saturating_add(written_inside).saturating_add(audio).saturating_add(image);
        all.set(UsageClass::Input, input.saturating_sub(inside).saturating_add(self.some(Slot::ToolInput)));
        all.set(UsageClass::CacheRead, read - audio_read);
        all.set(UsageClass::AudioCacheRead, audio_read);
        all.set(UsageClass::CacheWrite, written - long - longer);
        all.set(UsageClass::CacheWrite1h, long);
        all.set(UsageClass::CacheWrite12h, longer);
        all.set(UsageClass::AudioInput, audio);
        all.set(UsageClass::ImageInput, image.saturating_add(self.some(Slot::ImageToolInput)));
    }

    fn output(&self, all: &mut Quantities, output: u64, hidden: u64) {
        let output = output.saturating_add(hidden);
        let reasoning = self.some(Slot::ReasoningInside).max(hidden);
        let (audio, image) = (self.some(Slot::AudioOutput), self.some(Slot::ImageOutput));
        let inside = reasoning.saturating_add(audio).saturating_add(image);
        all.set(UsageClass::Output, output.saturating_sub(inside));
        all.set(UsageClass::Reasoning, reasoning.saturating_add(self.some(Slot::ReasoningBeside)));
        all.set(UsageClass::AudioOutput, audio);
        all.set(UsageClass::ImageOutput, image.saturating_add(self.some(Slot::ImageToolOutput)));
    }

    fn steps(&self, all: &mut Quantities) {
        let written = self.some(Slot::StepWrite);
        let long = self.some(Slot::StepWrite1h).min(written);
        all.add(UsageClass::Input, self.some(Slot::StepInput));
        all.add(UsageClass::Output, self.some(Slot::StepOutput));
        all.add(UsageClass::CacheRead, self.some(Slot::StepRead));
        all.add(UsageClass::CacheWrite, written - long);
        all.add(UsageClass::CacheWrite1h, long);
    }
}

const fn bit(index: usize) -> u32 {
    1 << (index & 31)
}
