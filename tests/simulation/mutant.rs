//! Deliberately broken variants, to show that the simulator has teeth.
//!
//! None of them is in the product: each bends what goes into the real code or comes out of it, at the seams
//! where the simulator plays the host, the database or the clock. [`rows`] is the database's.

mod corrections;
mod rows;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The ledger takes the last report of what was spent for the truth, not the largest.
    SpentMergedByLast,
    /// The ledger adds up what each report says was handed back.
    ReturnedMergedBySum,
    /// The ledger books what went through on credit with every report of it.
    OnCreditBookedTwice,
    /// The ledger acknowledges a final report without booking it.
    FinalWordAcknowledgedUnbooked,
    /// The ledger opens a closed epoch again when a message names it.
    ClosedFenceReopened,
    /// The ledger stores a usage report again when it is repeated.
    UsageBookedTwice,
    /// The ledger renews leases of keys that are revoked.
    RevokedKeyRenewed,
    /// The ledger says that credits are on their way back, and recalls none.
    RecallForgotten,
    /// Heartbeats bring no suspensions and revocations.
    ChangesUntold,
    /// The ledger answers before it commits, and the commit fails.
    AnsweredBeforeCommit,
    /// The ledger answers before the disk has it, and loses its last writes when it is killed.
    LastWritesLost,
    /// Reclaiming leaves the epoch open.
    ReclaimLeavesFenceOpen,
    /// A lease is taken back although it was named after it had been found overdue.
    ReclaimUnchecked,
    /// The ledger waits no longer than a lease's own time before it takes it back.
    ReclaimWithoutGrace,
    /// A ledger that has just started believes that everybody has been silent for long.
    RestartForgetsPatience,
    /// The gateway counts a lease's time from when the answer came.
    DeadlineFromReceipt,
    /// The gateway adds what an answer grants to what it has.
    GrantedMergedBySum,
    /// A charge is released twice.
    RefundedTwice,
    /// A charge is kept although its client was gone before it was admitted.
    HangUpCharged,
    /// A swap of shared memory that failed is taken for done.
    LostRaceUnnoticed,
    /// A gateway whose memory was wiped goes on under its old name.
    NameReusedAfterWipe,
    /// Requests that wait are forgotten when their answer is lost.
    WaitersForgotten,
    /// A gateway doesn't say again, in the version before, what a ledger has not understood.
    OlderVersionUnspoken,
    /// A budget keeps counting what was given back.
    BudgetNotGivenBack,
    /// A budget's period never ends.
    BudgetPeriodNotRolled,
    /// Budgets are counted but not enforced.
    BudgetsIgnored,
    /// A quota is given for the same period again.
    RenewedTwice,
    /// What a plan gave can be spent for ever.
    QuotaNeverLapses,
    /// Exchanges know nothing of entitlements.
    EntitlementIgnored,
    /// What was bought pays though the plan refuses beyond its quota.
    OverageIgnored,
    /// What was forfeited is charged again when the gateway tells of it.
    ForfeitedChargedTwice,
    /// Gateways don't hear of changed subscriptions.
    PlanChangesUntold,
    /// Gateways don't get limits.
    LimitsIgnored,
    /// A gateway doesn't notice that requests are over.
    EndsUntold,
    /// Gateways don't get products.
    ProductsIgnored,
    /// What a gateway says it has sold is charged without a ceiling.
    CeilingLifted,
    /// An entry that can't be booked makes its whole message fail.
    UnbookableSpoilsOthers,
    /// Leases that a message names keep their old stamp.
    TouchForgotten,
    /// A caller whose period has begun waits for the job that renews.
    RenewalOnDemandForgotten,
    /// An account's row doesn't say when its subscription is due.
    DueForgotten,
    /// Holders who share the last of an account's money keep their usual heartbeat.
    BriskForgotten,
    /// What a refused command had done before it was refused stays.
    RefusalNotUndone,
    /// A repeated command is executed again.
    RepeatedCommandDone,
    /// The ledger books twice what is released of holds that outlived their epoch.
    LateReleaseBookedTwice,
    /// A gateway releases more than was held.
    ReleaseAboveHold,
    /// What is released after the ledger has taken the holds back is given back again.
    ReleaseAfterReclaimBooked,
    /// A gateway doesn't charge what a request costs above its hold.
    AboveHoldUncharged,
    /// The ledger gives back what an epoch held at its end, and isn't to be set aside for it.
    CarriedGivenBack,
    /// A final report counts as spent what is carried over.
    CarriedCountsAsSpent,
    /// A gateway takes any answer for one to what it now says of its holds.
    HoldsAcknowledgedStale,
    /// A voided grant takes back only what remains of it: what leases hand back is the customer's again.
    VoidIgnoresLeases,
    /// What a lease spends of a voided grant is not owed, though the operator said so.
    VoidedSpendingNotOwed,
    /// A voided grant is taken out of leases at once, though gateways may spend what they have.
    VoidTakenFromLeases,
    /// That a low balance was announced is forgotten.
    AnnouncedTwice,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 54] = [
        Self::SpentMergedByLast,
        Self::ReturnedMergedBySum,
        Self::OnCreditBookedTwice,
        Self::FinalWordAcknowledgedUnbooked,
        Self::ClosedFenceReopened,
        Self::UsageBookedTwice,
        Self::RevokedKeyRenewed,
        Self::RecallForgotten,
        Self::ChangesUntold,
        Self::AnsweredBeforeCommit,
        Self::LastWritesLost,
        Self::ReclaimLeavesFenceOpen,
        Self::ReclaimUnchecked,
        Self::ReclaimWithoutGrace,
        Self::RestartForgetsPatience,
        Self::DeadlineFromReceipt,
        Self::GrantedMergedBySum,
        Self::RefundedTwice,
        Self::HangUpCharged,
        Self::LostRaceUnnoticed,
        Self::NameReusedAfterWipe,
        Self::WaitersForgotten,
        Self::OlderVersionUnspoken,
        Self::BudgetNotGivenBack,
        Self::BudgetPeriodNotRolled,
        Self::BudgetsIgnored,
        Self::RenewedTwice,
        Self::QuotaNeverLapses,
        Self::EntitlementIgnored,
        Self::OverageIgnored,
        Self::ForfeitedChargedTwice,
        Self::PlanChangesUntold,
        Self::LimitsIgnored,
        Self::EndsUntold,
        Self::ProductsIgnored,
        Self::CeilingLifted,
        Self::UnbookableSpoilsOthers,
        Self::TouchForgotten,
        Self::RenewalOnDemandForgotten,
        Self::DueForgotten,
        Self::BriskForgotten,
        Self::RefusalNotUndone,
        Self::RepeatedCommandDone,
        Self::LateReleaseBookedTwice,
        Self::ReleaseAboveHold,
        Self::ReleaseAfterReclaimBooked,
        Self::AboveHoldUncharged,
        Self::CarriedGivenBack,
        Self::CarriedCountsAsSpent,
        Self::HoldsAcknowledgedStale,
        Self::VoidIgnoresLeases,
        Self::VoidedSpendingNotOwed,
        Self::VoidTakenFromLeases,
        Self::AnnouncedTwice,
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| format!("{mutant:?}") == name)
    }
}
