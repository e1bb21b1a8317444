//! What the operator takes back: grants that were given by mistake, and balances that are put right.

use crate::world::World;
use faregate_ledger::api::{NewAdjustment, SpentCredits, VoidGrant};
use faregate_ledger::command::admin::Command;
use faregate_ledger::command::corrections::{Adjust, Void};
use faregate_ledger::domain::{CorrectionId, GrantId};
use faregate_protocol::Credits;

impl World {
    /// The operator corrects something about an account.
    pub fn correct(&mut self) -> Result<(), String> {
        let random = &mut self.of_corrections;
        let account = random.below(self.model.accounts.len());
        let spent = random.pick(&[SpentCredits::Keep, SpentCredits::Owed]);
        let id = CorrectionId::stored(format!("correction_{}", self.model.db.corrections.len()));
        let no = self.model.accounts[account];
        let given: Vec<String> = self
            .model
            .db
            .grants
            .values()
            .filter(|row| row.account == no)
            .map(|row| row.id.to_string())
            .collect();
        let command = if !given.is_empty() && random.chance(600) {
            let grant = random.pick(&given.iter().collect::<Vec<_>>()).clone();
            let amount = random.between(1, 40) as i64 * 500_000;
            let amount = random.chance(500).then(|| Credits::from_micros(amount));
            self.trace.count("grants voided");
            Command::VoidGrant(Void { id, grant, asked: VoidGrant { amount, spent, note: None } })
        } else {
            let micros = random.between(1, 40) as i64 * 500_000;
            let amount = Credits::from_micros(if random.chance(300) { micros } else { -micros });
            self.trace.count("balances adjusted");
            let grant = GrantId::stored(format!("grant_{}", self.model.db.grants.len()));
            let asked = NewAdjustment { amount, missing: spent, note: None };
            let account = self.model.account(account).id.to_string();
            Command::Adjust(Adjust { id, account, grant, asked })
        };
        self.say(|| format!("account {account}: {command:?}"));
        let now = self.wall_at(self.time, 0);
        let done = self.model.command(command, now);
        self.allow_refusal(done)?;
        self.check_account(account)
    }
}
