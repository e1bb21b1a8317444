//! Lists whose items have a label and numbers: what the numbers count is decided by the label.

use super::counts::Slot;

/// The most numbers of an item.
pub const MAX_PARTS: usize = 5;

/// A kind of list.
#[derive(Clone, Copy)]
pub enum Items {
    /// Anthropic's steps.
    Iterations,
    /// What Bedrock wrote to a cache, by lifetime.
    Lifetimes,
    /// Gemini's input, by modality.
    InputModalities,
    /// What Gemini read from a cache, by modality.
    ReadModalities,
    /// Gemini's output, by modality.
    OutputModalities,
    /// Searches at Gemini, by tool.
    Searches,
}

/// What is done with an item that has this label; `*` is any.
pub struct Label {
    /// The label, in any case.
    pub name: &'static str,
    /// To what its numbers are added.
    pub slots: &'static [Slot],
}

impl Items {
    /// The labels of items that count. Others don't.
    pub const fn labels(self) -> &'static [Label] {
        match self {
            Self::Iterations => ITERATIONS,
            Self::Lifetimes => LIFETIMES,
            Self::InputModalities => INPUT_MODALITIES,
            Self::ReadModalities => READ_MODALITIES,
            Self::OutputModalities => OUTPUT_MODALITIES,
            Self::Searches => SEARCHES,
        }
    }
}

/// Steps that Anthropic's totals leave out.
const ITERATIONS: &[Label] =
    &[Label { name: "compaction", slots: STEP_SLOTS }, Label { name: "advisor_message", slots: STEP_SLOTS }];

const STEP_SLOTS: &[Slot] =
    &[Slot::StepInput, Slot::StepOutput, Slot::StepRead, Slot::StepWrite, Slot::StepWrite1h];

const LIFETIMES: &[Label] =
    &[Label { name: "5m", slots: &[Slot::WriteShort] }, Label { name: "1h", slots: &[Slot::Write1h] }];

const INPUT_MODALITIES: &[Label] = &[
    Label { name: "AUDIO", slots: &[Slot::AudioInput] },
    Label { name: "IMAGE", slots: &[Slot::ImageInput] },
];

const READ_MODALITIES: &[Label] =
    &[Label { name: "AUDIO", slots: &[Slot::AudioRead] }, Label { name: "IMAGE", slots: &[Slot::ImageRead] }];

const OUTPUT_MODALITIES: &[Label] = &[
    Label { name: "AUDIO", slots: &[Slot::AudioOutput] },
    Label { name: "IMAGE", slots: &[Slot::ImageOutput] },
];

const SEARCHES: &[Label] = &[Label { name: "*", slots: &[Slot::Search] }];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_item_has_too_many_numbers() {
        assert!(STEP_SLOTS.len() <= MAX_PARTS);
    }
}
