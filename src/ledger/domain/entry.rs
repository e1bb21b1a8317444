//! Double entry: every movement of money goes from one book to another, under a name that says why.

use super::{GatewayNo, GrantNo, KeyNo};
use faregate_protocol::Credits;

/// Where money can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Book {
    /// The operator's source of grants; below zero by all that was ever given.
    Issued,
    /// The customer's, free.
    Available,
    /// The customer's, in leases.
    Held,
    /// The operator's: spent.
    Revenue,
    /// The operator's: lost by expiry.
    Expired,
    /// Below zero by what the customer owes.
    Owed,
    /// Taken back by corrections.
    Voided,
}

impl Book {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Issued, Self::Available, Self::Held, Self::Revenue, Self::Expired, Self::Owed, Self::Voided];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Available => "available",
            Self::Held => "held",
            Self::Revenue => "revenue",
            Self::Expired => "expired",
            Self::Owed => "owed",
            Self::Voided => "voided",
        }
    }
}

/// Why money moved. The number is what the database keeps; it never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Credits were given.
    Grant = 1,
    /// A lease took credits.
    Draw = 2,
    /// A gateway sold.
    Spend = 3,
    /// A gateway handed back what it didn't need.
    Return = 4,
    /// The ledger took back what a silent gateway left.
    Reclaimed = 5,
    /// Handed back after the grant had expired.
    Breakage = 6,
    /// A grant's time was over.
    Expire = 7,
    /// Sold under a lease that was over, or beyond what it held.
    LateSpend = 8,
    /// The part of a late spend that no grant covers.
    LateSpendOwed = 9,
    /// Admitted while the ledger was unreachable.
    OnCredit = 10,
    /// The part of that which no grant covers.
    OnCreditOwed = 11,
    /// A debt was paid.
    PayOwed = 12,
    /// The ledger took what a silent gateway left, as the plan says.
    Forfeited = 13,
    /// An epoch ended while requests were in flight: what they hold leaves its lease …
    CarryOut = 14,
    /// … and goes to the holds that outlived their epoch.
    CarryIn = 15,
    /// What remained of a grant was taken back.
    Void = 16,
    /// What was spent of a grant that was taken back is owed.
    VoidOwed = 17,
    /// A lease handed back what was waiting to be taken back.
    VoidReturned = 18,
    /// A balance was corrected upwards.
    AdjustUp = 19,
    /// A balance was corrected downwards.
    AdjustDown = 20,
    /// The part of that which no grant covers.
    AdjustOwed = 21,
}

impl Kind {
    /// All of them, by number.
    pub const ALL: [Self; 21] = [
        Self::Grant,
        Self::Draw,
        Self::Spend,
        Self::Return,
        Self::Reclaimed,
        Self::Breakage,
        Self::Expire,
        Self::LateSpend,
        Self::LateSpendOwed,
        Self::OnCredit,
        Self::OnCreditOwed,
        Self::PayOwed,
        Self::Forfeited,
        Self::CarryOut,
        Self::CarryIn,
        Self::Void,
        Self::VoidOwed,
        Self::VoidReturned,
        Self::AdjustUp,
        Self::AdjustDown,
        Self::AdjustOwed,
    ];

    /// The number in the database.
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Draw => "draw",
            Self::Spend => "spend",
            Self::Return => "return",
            Self::Reclaimed => "reclaimed",
            Self::Breakage => "breakage",
            Self::Expire => "expire",
            Self::LateSpend => "late_spend",
            Self::LateSpendOwed => "late_spend_owed",
            Self::OnCredit => "on_credit",
            Self::OnCreditOwed => "on_credit_owed",
            Self::PayOwed => "pay_owed",
            Self::Forfeited => "forfeited",
            Self::CarryOut => "carry_out",
            Self::CarryIn => "carry_in",
            Self::Void => "void",
            Self::VoidOwed => "void_owed",
            Self::VoidReturned => "void_returned",
            Self::AdjustUp => "adjust_up",
            Self::AdjustDown => "adjust_down",
            Self::AdjustOwed => "adjust_owed",
        }
    }

    /// The book that the money leaves.
    pub const fn from(self) -> Book {
        match self {
            Self::Grant | Self::AdjustUp => Book::Issued,
            Self::Draw
            | Self::CarryIn
            | Self::Expire
            | Self::LateSpend
            | Self::OnCredit
            | Self::PayOwed
            | Self::Void
            | Self::AdjustDown => Book::Available,
            Self::Spend
            | Self::Return
            | Self::Reclaimed
            | Self::Breakage
            | Self::Forfeited
            | Self::CarryOut
            | Self::VoidReturned => Book::Held,
            Self::LateSpendOwed | Self::OnCreditOwed | Self::VoidOwed | Self::AdjustOwed => Book::Owed,
        }
    }

    /// The book that the money reaches.
    pub const fn to(self) -> Book {
        match self {
            Self::Grant | Self::AdjustUp | Self::Return | Self::Reclaimed | Self::CarryOut => Book::Available,
            Self::Draw | Self::CarryIn => Book::Held,
            Self::Spend
            | Self::Forfeited
            | Self::LateSpend
            | Self::LateSpendOwed
            | Self::OnCredit
            | Self::OnCreditOwed => Book::Revenue,
            Self::Breakage | Self::Expire => Book::Expired,
            Self::PayOwed => Book::Owed,
            Self::Void | Self::VoidOwed | Self::VoidReturned | Self::AdjustDown | Self::AdjustOwed => {
                Book::Voided
            }
        }
    }
}

/// On whose behalf money moved; all zero when on the account's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which gateway.
    pub gateway: GatewayNo,
    /// Which key.
    pub key: KeyNo,
    /// Which epoch of theirs.
    pub epoch: u32,
}

/// One movement of an account's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Why.
    pub kind: Kind,
    /// On whose behalf.
    pub place: Place,
    /// Which grant's money.
    pub grant: GrantNo,
    /// How much; above zero.
    pub amount: Credits,
}
