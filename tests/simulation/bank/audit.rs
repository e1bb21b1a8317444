//! What `faregate audit` looks at: whether entries, sums, grants and leases say the same.

use super::Bank;
use faregate_ledger::domain::Kind;
use faregate_ledger::domain::entry::Book;
use faregate_protocol::Credits;

/// The first thing that is wrong with an account's money.
///
/// # Errors
/// Says what.
pub fn account(bank: &Bank, number: usize) -> Result<(), String> {
    let account = &bank.accounts[number];
    let books = account.books;
    let wrong = |what: &str| Err(format!("{}: {what}: {books:?}", account.id));
    if !books.agree() {
        return wrong("granted + owed is not available + held + spent + expired");
    }
    let sums = [books.available, books.held, books.spent, books.expired, books.owed, books.granted];
    if sums.iter().any(|sum| *sum < Credits::ZERO) {
        return wrong("a sum is below zero");
    }
    let mut moved = [0_i64; Book::ALL.len()];
    for kind in Kind::ALL {
        let amount = bank.moved(number, kind);
        moved[kind.from() as usize] -= amount;
        moved[kind.to() as usize] += amount;
    }
    let said = [
        (Book::Issued, -books.granted.micros()),
        (Book::Available, books.available.micros()),
        (Book::Held, books.held.micros()),
        (Book::Revenue, books.spent.micros()),
        (Book::Expired, books.expired.micros()),
        (Book::Owed, -books.owed.micros()),
    ];
    if let Some((book, _)) = said.iter().find(|(book, sum)| moved[*book as usize] != *sum) {
        return wrong(&format!("the entries of book {} don't add up to its sum", book.as_str()));
    }
    let in_grants = bank.grants.iter().filter(|(owner, _)| *owner == number);
    if in_grants.map(|(_, grant)| grant.remaining.micros()).sum::<i64>() != books.available.micros() {
        return wrong("available is not what remains in the grants");
    }
    if books.owed.is_positive() && books.available.is_positive() {
        return wrong("something is owed while something is available");
    }
    let leases = || bank.leases.values().map(|row| &row.lease).filter(|lease| lease.account == account.no);
    if leases().map(|lease| lease.escrow().micros()).sum::<i64>() != books.held.micros() {
        return wrong("held is not what the leases hold");
    }
    if leases().filter(|lease| lease.has_money()).count() as i64 != account.holders {
        return wrong(&format!("{} holders are counted", account.holders));
    }
    Ok(())
}

/// The first thing that is wrong with any account.
///
/// # Errors
/// Says what.
pub fn all(bank: &Bank) -> Result<(), String> {
    (0..bank.accounts.len()).try_for_each(|number| account(bank, number))
}
