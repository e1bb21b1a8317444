-- What every exchange writes is in no index any more, so that the new version of a row stays on its page, and no index is
-- written for it.

-- When something is due about the account's subscription that is not over.
ALTER TABLE accounts ADD COLUMN due_ms bigint;
UPDATE accounts SET due_ms = (SELECT s.due_ms FROM subscriptions s
  WHERE s.account = accounts.no AND s.state NOT IN ('cancelled', 'expired'));

-- Leases that were not named since are found by walking the key. When a lease was changed is, while it is open, when it
-- was opened: `leases_closed` has only those that are closed, and nothing in it changes while a lease is open.
DROP INDEX leases_touch;

-- Whether there is something left. What remains changes often, and this once.
ALTER TABLE grants ADD COLUMN live boolean NOT NULL GENERATED ALWAYS AS (remaining > 0) STORED;
DROP INDEX grants_live;
DROP INDEX grants_expiry;
CREATE INDEX grants_live ON grants (account) WHERE live;
CREATE INDEX grants_expiry ON grants (expires_ms) WHERE expires_ms IS NOT NULL AND live;

-- Both databases order alike.
ALTER TABLE budgets ALTER COLUMN scope TYPE text COLLATE "C";

-- Room on each page for new versions of its rows.
ALTER TABLE grants SET (fillfactor = 80);
ALTER TABLE entries SET (fillfactor = 70);
ALTER TABLE budgets SET (fillfactor = 80);
ALTER TABLE brokers SET (fillfactor = 70);
ALTER TABLE usage SET (fillfactor = 80);
