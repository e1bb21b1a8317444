//! A batch of messages from gateways, in one transaction. Each is taken in wholly or not at all, but for entries that
//! can't be booked: they leave no trace, and the others alone. The number of statements doesn't grow with the batch.

use super::keep::{self, Change};
use super::load::{self, Busy};
use super::pool::Task;
use super::recall::{self, Short};
use super::sheet::{Draft, LeaseRow, Money, Sheet};
use super::trouble::Trouble;
use super::usage::{self, Reports};
use super::{named, payers};
use crate::domain::exchange::{ask_again, beat_ms, needs_grants, unknown};
use crate::domain::unbooked::Unbooked;
use crate::domain::{AccountNo, GatewayNo, KeyNo, LeaseState};
use crate::store::{Booked, Exchanged, RETRY_MS};
use deadpool_postgres::Client;
use faregate_protocol::exchange::{Entry, EntryAnswer, ExchangeRequest, ExchangeResponse, VERSION};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A message that waits for its answer.
#[derive(Debug)]
pub struct Message {
    pub request: ExchangeRequest,
    pub now: Timestamp,
    pub ttl_ms: u64,
}

/// Messages for one transaction, with the rows of their gateways.
#[derive(Debug)]
pub struct Batch<'a> {
    pub messages: &'a [Message],
    pub gateways: &'a HashMap<String, GatewayNo>,
}

impl Task for Batch<'_> {
    type Done = Vec<Exchanged>;

    async fn attempt(&self, conn: &Client) -> Result<Self::Done, Trouble> {
        let known = payers::find(conn, self.messages).await?;
        let mut sheet = self.load(conn, &known).await?;
        self.load_grants(conn, &known, &mut sheet).await?;
        let mut reports = usage::lock(conn, self).await?;
        let mut decided: Vec<_> = self
            .messages
            .iter()
            .map(|message| self.decide(message, &known, &mut sheet, &mut reports))
            .collect();

        keep::sheet(conn, &sheet).await?;
        usage::keep(conn, &reports).await?;
        let mut changes = Vec::new();
        self.recall(conn, &mut decided, &mut changes).await?;
        if let Some(last) = self.messages.last() {
            keep::announce(conn, &changes, last.now).await?;
        }
        Ok(decided.into_iter().map(Decided::finish).collect())
    }
}

/// What comes of a message, before it is known who else can hand something back.
struct Decided {
    answers: Vec<EntryAnswer>,
    short: Vec<(usize, Short)>,
    brisk: bool,
    usage_seq: Option<u64>,
    booked: Booked,
    unbooked: Vec<Unbooked>,
}

impl Decided {
    fn finish(self) -> Exchanged {
        let response = ExchangeResponse {
            protocol: VERSION,
            seen: None,
            beat_ms: beat_ms(self.brisk),
            entries: self.answers,
            changes: Vec::new(),
            usage_seq: self.usage_seq,
        };
        Exchanged { response, booked: self.booked, unbooked: self.unbooked }
    }
}

impl Batch<'_> {
    /// The row of a message's gateway.
    pub fn gateway(&self, message: &Message) -> GatewayNo {
        self.gateways.get(named(&message.request.gateway).as_ref()).copied().unwrap_or_default()
    }

    /// Every entry with its message and its payer's key and account, as far as it is known.
    fn entries<'a>(
        &'a self,
        known: &'a payers::Known,
    ) -> impl Iterator<Item = (&'a Entry, LeaseRow, AccountNo)> + 'a {
        self.messages.iter().flat_map(move |message| {
            let gateway = self.gateway(message);
            let known =
                message.request.entries.iter().filter_map(|entry| Some((entry, known.payer(&entry.payer)?)));
            known.map(move |(entry, (key, account))| (entry, (gateway, key), account))
        })
    }

    async fn load(&self, conn: &Client, known: &payers::Known) -> Result<Sheet, Trouble> {
        let accounts = self.entries(known).map(|(_, _, account)| account).collect();
        let rows: BTreeSet<LeaseRow> = self.entries(known).map(|(_, row, _)| row).collect();
        let mut sheet = load::lock(conn, &accounts, Busy::Wait).await?;
        load::keys_and_leases(conn, &mut sheet, &rows).await?;
        Ok(sheet)
    }

    /// Loads the grants of accounts whose available money can move: by what one entry says, or, where
    /// several are about the same account, in any case, since one may change what holds for the next.
    async fn load_grants(
        &self,
        conn: &Client,
        known: &payers::Known,
        sheet: &mut Sheet,
    ) -> Result<(), Trouble> {
        let mut needed = BTreeMap::new();
        for (entry, row, account) in self.entries(known) {
            let alone = !needed.contains_key(&account);
            let lease = sheet.lease(row.0, row.1, account).lease;
            let needs = |money: &Money| needs_grants(&money.account, &lease, entry);
            needed.insert(account, !alone || sheet.money.get(&account).is_some_and(needs));
        }
        let accounts: BTreeSet<AccountNo> =
            needed.into_iter().filter_map(|(account, needed)| needed.then_some(account)).collect();
        load::grants(conn, sheet, &accounts).await
    }

    fn decide(
        &self,
        message: &Message,
        known: &payers::Known,
        sheet: &mut Sheet,
        reports: &mut Reports,
    ) -> Decided {
        let gateway = self.gateway(message);
        let mut draft = sheet.draft(message.now);
        let count = message.request.entries.len();
        let mut decided = Decided {
            answers: Vec::with_capacity(count),
            short: Vec::new(),
            brisk: false,
            usage_seq: None,
            booked: Booked::default(),
            unbooked: Vec::new(),
        };
        for entry in &message.request.entries {
            let payer = known.payer(&entry.payer).map(|(key, _)| (gateway, key));
            let answer = one(&mut draft, entry, payer, message, &mut decided);
            decided.answers.push(answer);
        }
        let own = draft.finish();
        sheet.accept(own);
        if let Some(report) = &message.request.usage {
            let (seq, booked) = reports.take(gateway, report, known, message.now);
            decided.usage_seq = Some(seq);
            decided.booked = booked;
        }
        decided
    }

    /// Asks other holders to hand back, where callers wait for more than was available.
    async fn recall(
        &self,
        conn: &Client,
        decided: &mut [Decided],
        changes: &mut Vec<Change>,
    ) -> Result<(), Trouble> {
        let short = decided.iter().flat_map(|one| one.short.iter().map(|(_, short)| *short));
        let short: BTreeSet<Short> = short.collect();
        if short.is_empty() {
            return Ok(());
        }
        let recalled = recall::others(conn, &short).await?;
        changes.extend(recalled.accounts.iter().map(|account| (*account, KeyNo(0), GatewayNo(0))));
        for one in decided {
            for (n, short) in &one.short {
                if recalled.contested.contains(short) {
                    one.brisk = true;
                    if let Some(answer) = one.answers.get_mut(*n) {
                        ask_again(answer, RETRY_MS);
                    }
                }
            }
        }
        Ok(())
    }
}

fn one(
    draft: &mut Draft<'_>,
    entry: &Entry,
    row: Option<LeaseRow>,
    message: &Message,
    decided: &mut Decided,
) -> EntryAnswer {
    let Some(before) = row.and_then(|(gateway, key)| draft.payer(gateway, key)) else {
        return unknown(entry);
    };
    let (payer, verdict) = before.exchange(entry, message.now, message.ttl_ms);
    if let Some(what) = verdict.unbooked {
        draft.note_unbooked(&what);
        decided.unbooked.push(what);
    }
    let touched = verdict.touched && payer.lease.state == LeaseState::Open;
    draft.keep_payer(&before, &payer, touched);
    decided.brisk |= payer.purse.account.tight;
    if let Some(scope) = verdict.short {
        let short = (payer.lease.account, payer.lease.gateway, payer.lease.key, scope);
        decided.short.push((decided.answers.len(), short));
    }
    verdict.answer
}
