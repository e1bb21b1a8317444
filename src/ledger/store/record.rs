//! Rows as plain data: which columns a table has, and how a value goes in and out of one.
//!
//! A table is described once, by [`record!`](crate::record): backups, both databases' statements and the engine in memory
//! go by that description. What must hold: a record that is written and read again is the same record.

use super::draws;
use crate::api::CorrectionKind;
use crate::domain::access::{AccessScope, TokenKind};
use crate::domain::alert::{QuotaWatch, RefusalWatch};
use crate::domain::budget::ScopeName;
use crate::domain::entitlement::Entitlement;
use crate::domain::fault::Faults;
use crate::domain::mail::AddressState;
use crate::domain::period::{self, Anchor, Unit};
use crate::domain::policy::{OveragePolicy, Remainder};
use crate::domain::subscription::State;
use crate::domain::time::at;
use crate::domain::webhook::{DeliveryState, ReplayPlan, WebhookState};
use crate::domain::{
    AccountId, AccountNo, AccountState, Draw, EventId, GatewayNo, GrantId, GrantNo, KeyId, KeyNo, LeaseState,
    MailId, PlanNo, TeamNo, TokenId, WebhookId,
};
use faregate_protocol::Credits;
use faregate_protocol::exchange::Product;
use faregate_protocol::prices::ModelPrices;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::hash::Hash;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer of 64 bits.
    Number,
    /// True or false.
    Flag,
    /// Text, without a zero byte: PostgreSQL can't hold one.
    Text,
    /// Bytes.
    Bytes,
}

/// When a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Only with a new row.
    Fixed,
    /// When an operator or a period changes something.
    Cold,
    /// With most exchanges.
    Hot,
    /// By adding to what is there, up to the largest number.
    Sum,
    /// By keeping the larger number.
    Max,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// When it is written.
    pub role: Role,
}

/// A table and its columns.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// All columns.
    pub columns: &'static [Column],
    /// The columns of its primary key, with commas between.
    pub key: &'static str,
}

impl Table {
    /// The names of all columns, with commas between.
    pub fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// The names of the key's columns.
    pub fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.key.split(", ")
    }
}

/// A stored value doesn't mean anything to this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {why}")]
pub struct BadRow {
    /// The column's position, from zero.
    pub column: usize,
    /// What is wrong.
    pub why: String,
}

impl BadRow {
    /// Names the column.
    pub fn new(column: usize, why: impl Into<String>) -> Self {
        Self { column, why: why.into() }
    }
}

/// One row of an answer, whatever database it comes from. Columns are counted from zero.
pub trait Columns {
    /// An integer.
    fn number(&self, column: usize) -> Result<Option<i64>, BadRow>;
    /// True or false.
    fn flag(&self, column: usize) -> Result<Option<bool>, BadRow>;
    /// Text.
    fn text(&self, column: usize) -> Result<Option<&str>, BadRow>;
    /// Bytes.
    fn bytes(&self, column: usize) -> Result<Option<&[u8]>, BadRow>;
}

/// Takes a record's values, one column after the other.
pub trait ColumnWriter {
    /// An integer.
    fn number(&mut self, value: Option<i64>);
    /// True or false.
    fn flag(&mut self, value: Option<bool>);
    /// Text.
    fn text(&mut self, value: Option<&str>);
    /// Bytes.
    fn bytes(&mut self, value: Option<&[u8]>);

    /// An integer that is there.
    fn integer(&mut self, value: i64) {
        self.number(Some(value));
    }

    /// An amount, which databases keep as micro-credits.
    fn credits(&mut self, value: Credits) {
        self.number(Some(value.micros()));
    }

    /// A time, which databases keep in milliseconds.
    fn time(&mut self, value: Timestamp) {
        self.number(Some(value.as_millisecond()));
    }

    /// The number of a row, which never leaves the ledger.
    fn row_number(&mut self, value: i64) {
        self.number(Some(value));
    }
}

/// A value of one column.
pub trait Field: Sized {
    /// What such a column holds.
    const KIND: Kind;

    /// Reads it; none when the column is empty.
    fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow>;

    /// Writes it.
    fn write(&self, sink: &mut impl ColumnWriter);

    /// Leaves the column empty.
    fn leave_empty(sink: &mut impl ColumnWriter) {
        match Self::KIND {
            Kind::Number => sink.number(None),
            Kind::Flag => sink.flag(None),
            Kind::Text => sink.text(None),
            Kind::Bytes => sink.bytes(None),
        }
    }

    /// Reads a column that is never empty.
    fn get(row: &(impl Columns + ?Sized), column: usize) -> Result<Self, BadRow> {
        Self::read(row, column)?.ok_or_else(|| BadRow::new(column, "is empty"))
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow> {
        T::read(row, column).map(Some)
    }

    fn write(&self, sink: &mut impl ColumnWriter) {
        match self {
            Some(value) => value.write(sink),
            None => T::leave_empty(sink),
        }
    }
}

/// Fields that are integers: by which of a writer's functions such a value is written, how it is read, and what is written.
macro_rules! numbers {
    ($($kind:ty as $write_as:ident: $read:expr, $write:expr;)+) => {
        $(impl Field for $kind {
            const KIND: Kind = Kind::Number;

            fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow> {
                Ok(row.number(column)?.map($read))
            }

            fn write(&self, sink: &mut impl ColumnWriter) {
                let write: fn(&Self) -> _ = $write;
                sink.$write_as(write(self));
            }
        })+
    };
}

// What is out of range is held at its end: no column ever holds such a number.
numbers! {
    i64 as integer: |n| n, |n| *n;
    u64 as integer: |n| u64::try_from(n).unwrap_or(0), |n| i64::try_from(*n).unwrap_or(i64::MAX);
    u32 as integer: |n| u32::try_from(n).unwrap_or(u32::MAX), |n| i64::from(*n);
    u8 as integer: |n| u8::try_from(n).unwrap_or(u8::MAX), |n| i64::from(*n);
    u16 as integer: |n| u16::try_from(n).unwrap_or(u16::MAX), |n| i64::from(*n);
    Credits as credits: Credits::from_micros, |credits| *credits;
    Timestamp as time: at, |time| *time;
    AccountNo as row_number: Self, |no| no.0;
    GatewayNo as row_number: Self, |no| no.0;
    GrantNo as row_number: Self, |no| no.0;
    KeyNo as row_number: Self, |no| no.0;
    PlanNo as row_number: Self, |no| no.0;
    TeamNo as row_number: Self, |no| no.0;
}

impl Field for bool {
    const KIND: Kind = Kind::Flag;

    fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow> {
        row.flag(column)
    }

    fn write(&self, sink: &mut impl ColumnWriter) {
        sink.flag(Some(*self));
    }
}

impl Field for Vec<u8> {
    const KIND: Kind = Kind::Bytes;

    fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow> {
        Ok(row.bytes(column)?.map(<[u8]>::to_vec))
    }

    fn write(&self, sink: &mut impl ColumnWriter) {
        sink.bytes(Some(self));
    }
}

/// Fields that are texts: how one is read, given its column for errors, and how it is written.
macro_rules! texts {
    ($($kind:ty: $read:expr, $write:expr;)+) => {
        $(impl Field for $kind {
            const KIND: Kind = Kind::Text;

            fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow> {
                let read: fn(&str) -> Result<Self, String> = $read;
                row.text(column)?.map(read).transpose().map_err(|why| BadRow::new(column, why))
            }

            fn write(&self, sink: &mut impl ColumnWriter) {
                let write: fn(&Self) -> Cow<'_, str> = $write;
                sink.text(Some(&write(self)));
            }
        })+
    };
}

fn named<T: Copy, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
    found: &str,
) -> Result<T, String> {
    let known = all.into_iter().find(|one| name(*one) == found);
    known.ok_or_else(|| format!("{found:?} is not known to this version"))
}

texts! {
    String: |text| Ok(text.to_owned()), |text| text.into();
    AccountId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    KeyId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    GrantId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    TokenId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    EventId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    WebhookId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    MailId: |text| Ok(Self::stored(text.to_owned())), |id| id.as_str().into();
    AddressState: |text| named(AddressState::ALL, AddressState::as_str, text), |state| state.as_str().into();
    WebhookState: |text| named(WebhookState::ALL, WebhookState::as_str, text), |state| state.as_str().into();
    DeliveryState: |text| named(DeliveryState::ALL, DeliveryState::as_str, text), |state| state.as_str().into();
    QuotaWatch: |text| serde_json::from_str(text).map_err(|error| format!("is no watch of a quota: {error}")),
        |watch| serde_json::to_string(watch).unwrap_or_default().into();
    RefusalWatch: |text| serde_json::from_str(text).map_err(|error| format!("is no watch of refusals: {error}")),
        |watch| serde_json::to_string(watch).unwrap_or_default().into();
    Faults: |text| serde_json::from_str(text).map_err(|error| format!("is no list of faults: {error}")),
        |faults| serde_json::to_string(faults).unwrap_or_default().into();
    ReplayPlan: |text| serde_json::from_str(text).map_err(|error| format!("is no replay: {error}")),
        |plan| serde_json::to_string(plan).unwrap_or_default().into();
    TokenKind: |text| named(TokenKind::ALL, TokenKind::as_str, text), |kind| kind.as_str().into();
    AccessScope: |text| named(AccessScope::ALL, AccessScope::as_str, text), |scope| scope.as_str().into();
    AccountState: |text| named(AccountState::ALL, AccountState::as_str, text), |state| state.as_str().into();
    LeaseState: |text| named(LeaseState::ALL, LeaseState::as_str, text), |state| state.as_str().into();
    State: |text| named(State::ALL, State::as_str, text), |state| state.as_str().into();
    Unit: |text| named(Unit::ALL, Unit::as_str, text), |unit| unit.as_str().into();
    Anchor: |text| named([Anchor::Start, Anchor::Calendar], Anchor::as_str, text),
        |anchor| anchor.as_str().into();
    OveragePolicy: |text| named(OveragePolicy::ALL, OveragePolicy::as_str, text), |overage| overage.as_str().into();
    Remainder: |text| named(Remainder::ALL, Remainder::as_str, text), |whose| whose.as_str().into();
    TimeZone: |text| period::zone(text).ok_or_else(|| format!("the time zone {text:?} is not known to this version")),
        |zone| zone.iana_name().unwrap_or("UTC").into();
    CorrectionKind: |text| named(CorrectionKind::ALL, CorrectionKind::as_str, text), |kind| kind.as_str().into();
    ScopeName: |text| named(ScopeName::ALL, ScopeName::as_str, text), |scope| scope.as_str().into();
    Vec<Draw>: draws::read, |draws| draws::text(draws).into();
    Vec<Product>: |text| serde_json::from_str(text).map_err(|error| format!("is no list of products: {error}")),
        |products| serde_json::to_string(products).unwrap_or_default().into();
    ModelPrices: |text| serde_json::from_str(text).map_err(|error| format!("is no model's prices: {error}")),
        |prices| serde_json::to_string(prices).unwrap_or_default().into();
    // What can't be read allows no product.
    Vec<String>: |text| Ok(serde_json::from_str(text).unwrap_or_default()),
        |names| serde_json::Value::from(names.as_slice()).to_string().into();
}

impl Field for Entitlement {
    const KIND: Kind = Kind::Text;

    // One that can't be read is none.
    fn read(row: &(impl Columns + ?Sized), column: usize) -> Result<Option<Self>, BadRow> {
        Ok(row.text(column)?.and_then(|json| serde_json::from_str(json).ok()))
    }

    fn write(&self, sink: &mut impl ColumnWriter) {
        sink.text(serde_json::to_string(self).ok().as_deref());
    }
}

/// A row of a table.
pub trait Record: Clone + Default + PartialEq + Send + Sync + 'static {
    /// The table.
    const TABLE: &'static Table;
    /// By what it is found.
    type Key: Parts;

    /// By what this one is found.
    fn key(&self) -> Self::Key;
    /// Reads the table's columns, in their order.
    fn read(row: &(impl Columns + ?Sized)) -> Result<Self, BadRow>;
    /// Writes the columns of these roles.
    fn write(&self, roles: &[Role], sink: &mut impl ColumnWriter);
    /// The columns of which roles differ from an earlier version of the row: none, the hot ones alone, or more.
    fn difference(&self, before: &Self) -> Option<Role>;
    /// The first column that differs from an earlier version of the row, and is only written with a new one.
    fn lost_change(&self, before: &Self) -> Option<&'static str>;
    /// Adds another's sums to this one.
    fn add(&mut self, more: &Self);
}

/// What some columns must equal.
pub trait Parts: Clone + Eq + Ord + Hash + std::fmt::Debug + Send + Sync + 'static {
    /// What these columns hold.
    const KINDS: &'static [Kind];

    /// Writes the values.
    fn write(&self, sink: &mut impl ColumnWriter);
}

macro_rules! parts {
    ($($name:ident $n:tt),+) => {
        impl<$($name: Field + Clone + Eq + Ord + Hash + std::fmt::Debug + Send + Sync + 'static),+> Parts for ($($name,)+) {
            const KINDS: &'static [Kind] = &[$($name::KIND),+];

            fn write(&self, sink: &mut impl ColumnWriter) {
                $(self.$n.write(sink);)+
            }
        }
    };
}

parts!(A 0);
parts!(A 0, B 1);
parts!(A 0, B 1, C 2);
parts!(A 0, B 1, C 2, D 3);
parts!(A 0, B 1, C 2, D 3, E 4);
parts!(A 0, B 1, C 2, D 3, E 4, F 5);
parts!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);

/// What a field's column holds.
pub const fn kind_of<R, T: Field>(_: fn(&R) -> &T) -> Kind {
    T::KIND
}

/// A number that sums can be kept in.
pub trait Summed {
    /// Adds, up to the largest.
    fn add_up(&mut self, more: &Self);
}

impl Summed for i64 {
    fn add_up(&mut self, more: &Self) {
        *self = self.saturating_add(*more);
    }
}

impl Summed for Credits {
    fn add_up(&mut self, more: &Self) {
        *self = self.saturating_add(*more);
    }
}

/// Describes a table by a record: each column with its role and the field that holds it.
#[macro_export]
macro_rules! record {
    ($record:ident in $table:literal by $key:literal: $keytype:ty = $keyof:expr;
        $($column:ident: $role:ident $first:ident $(. $rest:tt)*,)+) => {
        impl $crate::store::record::Record for $record {
            const TABLE: &'static $crate::store::record::Table = &$crate::store::record::Table {
                name: $table,
                key: $key,
                columns: &[$($crate::store::record::Column {
                    name: stringify!($column),
                    kind: $crate::store::record::kind_of(|row: &$record| &row.$first$(.$rest)*),
                    role: $crate::store::record::Role::$role,
                }),+],
            };
            type Key = $keytype;

            fn key(&self) -> Self::Key {
                let key: fn(&Self) -> Self::Key = $keyof;
                key(self)
            }

            fn read(
                row: &(impl $crate::store::record::Columns + ?Sized),
            ) -> Result<Self, $crate::store::record::BadRow> {
                let mut read = Self::default();
                let mut column = 0..;
                $(read.$first$(.$rest)* =
                    $crate::store::record::Field::get(row, column.next().unwrap_or_default())?;)+
                Ok(read)
            }

            fn write(
                &self,
                roles: &[$crate::store::record::Role],
                sink: &mut impl $crate::store::record::ColumnWriter,
            ) {
                $(if roles.contains(&$crate::store::record::Role::$role) {
                    $crate::store::record::Field::write(&self.$first$(.$rest)*, sink);
                })+
            }

            fn difference(&self, before: &Self) -> Option<$crate::store::record::Role> {
                use $crate::store::record::Role;
                let mut differs = None;
                $(if differs != Some(Role::Cold) && self.$first$(.$rest)* != before.$first$(.$rest)* {
                    differs = Some(if Role::$role == Role::Hot { Role::Hot } else { Role::Cold });
                })+
                differs
            }

            #[allow(unused_variables, reason = "a table may have no such column")]
            fn lost_change(&self, before: &Self) -> Option<&'static str> {
                $($crate::record!(@lost $role $column self.$first$(.$rest)*, before.$first$(.$rest)*);)+
                None
            }

            #[allow(unused_variables, reason = "a table without sums adds nothing")]
            fn add(&mut self, more: &Self) {
                $($crate::record!(@add $role self.$first$(.$rest)*, more.$first$(.$rest)*);)+
            }
        }
    };
    (@lost Fixed $column:ident $now:expr, $before:expr) => {
        if $now != $before {
            return Some(stringify!($column));
        }
    };
    (@lost $role:ident $column:ident $now:expr, $before:expr) => {};
    (@add Sum $to:expr, $more:expr) => { $crate::store::record::Summed::add_up(&mut $to, &$more) };
    (@add Max $to:expr, $more:expr) => { $to = $to.max($more) };
    (@add Fixed $to:expr, $more:expr) => {};
    (@add $role:ident $to:expr, $more:expr) => { $to.clone_from(&$more) };
}

/// A text from outside as it is stored: no text in PostgreSQL can hold a zero byte, so both databases have another
/// character for it.
pub fn stored_text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same for a text that may be missing.
pub fn stored_note(note: Option<String>) -> Option<String> {
    note.map(|note| if note.contains('\0') { stored_text(&note).into_owned() } else { note })
}
