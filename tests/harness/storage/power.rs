//! Power failures at many points of a ledger's run: everything acknowledged by then must survive.

use super::{Disk, DiskState, Loss};
use crate::ledger_process::LedgerProcess;
use crate::random::Random;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Gateways count in millionths of a credit.
const MICROS: u64 = 1_000_000;

/// What the ledger has acknowledged, and how long the diary was by then.
#[derive(Clone, Debug)]
struct Promise {
    by: u64,
    account: String,
    /// The member of the balance, and what it had reached.
    member: &'static str,
    credits: u64,
}

/// What a ledger acknowledged on a disk, to hold against what is left of the disk.
pub struct PowerCuts {
    promises: Vec<Promise>,
    /// The most that was ever asked for, per account and member.
    asked: BTreeMap<(String, &'static str), u64>,
}

/// A ledger's working day on a disk: each of these accounts is granted credits one by one, and a gateway spends them.
/// Then the ledger stops, restarts, continues, and is killed.
pub async fn a_working_day(disk: &Disk, accounts: u64, rounds: u64) -> PowerCuts {
    // However slow the machine is, no lease ends during that day.
    let mut ledger = LedgerProcess::start(disk.dir(), &["--lease-ttl", "300s"], &disk.environment()).await;
    let mut customers = Vec::new();
    for number in 0..accounts {
        let account = format!("account-{number}");
        let key = ledger.account(&account, "0").await;
        customers.push(Customer { disk, account, key, granted: 0, spent: 0, promises: Vec::new() });
    }
    for part in 0..2 {
        let customers_at_work = customers.iter_mut().map(|customer| customer.works(&ledger, rounds / 2));
        join_all(customers_at_work).await;
        if part == 0 {
            assert_eq!(ledger.process.stop(), Some(0), "{}", ledger.process.output());
            ledger.restart().await;
        }
    }
    ledger.process.kill();
    let mut cuts = PowerCuts { promises: Vec::new(), asked: BTreeMap::new() };
    for customer in customers {
        cuts.asked.insert((customer.account.clone(), "granted"), customer.granted);
        cuts.asked.insert((customer.account.clone(), "spent"), customer.spent);
        cuts.promises.extend(customer.promises);
    }
    cuts.promises.sort_by_key(|promise| promise.by);
    cuts
}

struct Customer<'a> {
    disk: &'a Disk,
    account: String,
    key: String,
    granted: u64,
    spent: u64,
    promises: Vec<Promise>,
}

impl Customer<'_> {
    async fn works(&mut self, ledger: &LedgerProcess, rounds: u64) {
        for _ in 0..rounds {
            self.granted += 1;
            ledger.grant(&self.account, "1").await;
            self.promised("granted", self.granted);
            let granted = self.exchange(ledger, self.spent).await;
            let spent = (self.spent + 1).min(granted);
            self.exchange(ledger, spent).await;
            self.spent = spent;
            self.promised("spent", spent);
        }
    }

    /// Reports what was spent, and asks for one credit more; returns the level that is granted.
    async fn exchange(&self, ledger: &LedgerProcess, spent: u64) -> u64 {
        let (spent, next) = (spent * MICROS, (spent + 1) * MICROS);
        let entry = json!({
            "payer": {"key": self.key},
            "lease": {"epoch": 1, "spent": spent, "returned": 0, "held": 0},
            "ask": {"least": next, "need": next, "want": next}
        });
        let body = json!({"protocol": 2, "gateway": "a-gateway", "entries": [entry]});
        let (status, answer) = ledger.exchange(&body).await.expect("an answer to the exchange");
        assert_eq!(status, 200, "{answer}");
        answer["entries"][0]["lease"]["granted"].as_u64().unwrap_or(0) / MICROS
    }

    fn promised(&mut self, member: &'static str, credits: u64) {
        let by = self.disk.now();
        self.promises.push(Promise { by, account: self.account.clone(), member, credits });
    }
}

impl PowerCuts {
    /// Cuts the power at `cuts` points, half of them right behind an acknowledgement, and starts a ledger on what is left
    /// each time. Returns what was wrong.
    pub async fn after(&self, disk: &Disk, cuts: usize, random: &mut Random) -> Vec<String> {
        let diary = disk.diary();
        let first = self.promises.first().map_or(0, |promise| promise.by);
        let mut points: Vec<u64> = (0..cuts)
            .map(|number| match number % 2 {
                0 => self.promises[random.below(self.promises.len())].by,
                _ => diary.acts[random.below(diary.acts.len())].0,
            })
            .collect();
        points.sort_unstable();
        let mut remains = DiskState::default();
        let mut acts = diary.acts.iter().peekable();
        let mut wrong = Vec::new();
        for (number, point) in points.into_iter().enumerate() {
            while let Some((_, name, act)) = acts.next_if(|(behind, _, _)| *behind <= point) {
                remains.take(name, act);
            }
            let loss = Loss::EACH[number / 2 % Loss::EACH.len()];
            let dir = tempfile::TempDir::with_prefix("faregate-power-").expect("a folder");
            remains.leave(&dir.path().join("ledger"), loss, random);
            if let Err(what) = self.check(disk, dir.path(), point, point >= first).await {
                wrong.push(format!(
                    "power cut behind byte {point} of the diary, {loss:?} of {} writes lost: {what}",
                    remains.unsynced()
                ));
            }
        }
        wrong
    }

    /// Starts a ledger on what is left and compares it with what was promised by then.
    async fn check(
        &self,
        disk: &Disk,
        dir: &std::path::Path,
        point: u64,
        in_use: bool,
    ) -> Result<(), String> {
        let mut ledger = LedgerProcess::try_start(dir, &[], &disk.without_syncs(&dir.join("ledger"))).await?;
        let (_, audit) = ledger.call(Method::GET, "/admin/v1/audit", None).await;
        if audit["ok"] != true {
            return Err(format!("the audit says {audit}"));
        }
        let mut balances: BTreeMap<&str, Value> = BTreeMap::new();
        for (account, member) in self.asked.keys().filter(|_| in_use) {
            if *member == "granted" {
                let path = format!("/admin/v1/accounts/{account}/balance");
                balances.insert(account, ledger.call(Method::GET, &path, None).await.1);
            }
        }
        ledger.process.kill();
        let found = |account: &str, member: &str| -> u64 {
            balances
                .get(account)
                .and_then(|balance| balance[member].as_str())
                .and_then(|credits| credits.parse().ok())
                .unwrap_or(0)
        };
        for promise in self.promises.iter().take_while(|promise| promise.by <= point) {
            let found = found(&promise.account, promise.member);
            if found < promise.credits {
                let Promise { account, member, credits, .. } = promise;
                return Err(format!("{account} has {member} = {found}, and {credits} were acknowledged"));
            }
        }
        for ((account, member), most) in &self.asked {
            let found = found(account, member);
            if found > *most {
                return Err(format!("{account} has {member} = {found}, and {most} were ever asked for"));
            }
        }
        Ok(())
    }
}
