//! The remedies for refusals, by their names in refusals and in an operator's texts.

/// A remedy: its name, and what a person would do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action(pub(crate) &'static str, pub(crate) &'static str);

pub(crate) const SEND_KEY: Action = Action("send_key", "Send a valid API key");
pub(crate) const TOP_UP: Action = Action("top_up", "Add credits");
pub(crate) const UPGRADE_PLAN: Action = Action("upgrade_plan", "Choose a bigger plan");
pub(crate) const PAY_INVOICE: Action = Action("pay_invoice", "Pay what is due");
pub(crate) const WAIT: Action = Action("wait", "Wait until ");
pub(crate) const RAISE_BUDGET: Action = Action("raise_budget", "Have the budget raised");
pub(crate) const REDUCE_COST: Action = Action("reduce_cost", "Ask for something that costs at most ");
pub(crate) const RETRY: Action = Action("retry", "Try again in ");
pub(crate) const CONTACT_OPERATOR: Action = Action("contact_operator", "Ask the operator of this API");
pub(crate) const USE_SUCCESSOR: Action = Action("use_successor", "Use what replaces it");
pub(crate) const CHANGE_REQUEST: Action = Action("change_request", "Change the request");
pub(crate) const CHOOSE_MODEL: Action = Action("choose_model", "Choose a model that has a price");

/// The names of all remedies.
pub const ACTIONS: [&str; 12] = [
    SEND_KEY.0,
    TOP_UP.0,
    UPGRADE_PLAN.0,
    PAY_INVOICE.0,
    WAIT.0,
    RAISE_BUDGET.0,
    REDUCE_COST.0,
    RETRY.0,
    CONTACT_OPERATOR.0,
    USE_SUCCESSOR.0,
    CHANGE_REQUEST.0,
    CHOOSE_MODEL.0,
];
