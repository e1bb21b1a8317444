-- Teams, budgets, what a plan says beyond its quota, and what rules that only watch would have refused.

-- What the newest subscription means for exchanges, as JSON; written whenever that changes.
ALTER TABLE accounts ADD COLUMN contract TEXT;
-- How many budgets there are of the account, its teams and its keys.
ALTER TABLE accounts ADD COLUMN budgets INTEGER NOT NULL DEFAULT 0;

-- 'bought': what was bought pays next; 'refuse': nothing does; 'overdraft': a grant of its own, up to a cap.
ALTER TABLE plan_versions ADD COLUMN beyond TEXT NOT NULL DEFAULT 'bought'
  CHECK (beyond IN ('bought', 'refuse', 'overdraft'));
ALTER TABLE plan_versions ADD COLUMN overdraft INTEGER NOT NULL DEFAULT 0 CHECK (overdraft >= 0);
-- Thousandths of a request per second, requests at once after a pause, requests at the same time.
ALTER TABLE plan_versions ADD COLUMN rate_milli INTEGER CHECK (rate_milli > 0);
ALTER TABLE plan_versions ADD COLUMN burst INTEGER CHECK (burst > 0);
ALTER TABLE plan_versions ADD COLUMN concurrent INTEGER CHECK (concurrent > 0);
-- Which products are included, as JSON; all when absent.
ALTER TABLE plan_versions ADD COLUMN products TEXT;
-- Whose is what a gateway that died had not reported.
ALTER TABLE plan_versions ADD COLUMN remainder TEXT NOT NULL DEFAULT 'customer'
  CHECK (remainder IN ('customer', 'operator'));

-- The plan that it changes to when the running period ends.
ALTER TABLE subscriptions ADD COLUMN next_plan INTEGER REFERENCES plans (no);
-- What was given beyond the quota, could not be taken back yet, and counts against what is given next.
ALTER TABLE subscriptions ADD COLUMN excess INTEGER NOT NULL DEFAULT 0 CHECK (excess >= 0);
-- Those from before are looked at once, so that their accounts get a contract.
UPDATE subscriptions SET due_ms = 0 WHERE state NOT IN ('cancelled', 'expired');

CREATE TABLE teams (
  no INTEGER PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES accounts (no),
  id TEXT NOT NULL,
  name TEXT,
  created_ms INTEGER NOT NULL,
  UNIQUE (account, id)
) STRICT;

ALTER TABLE keys ADD COLUMN team INTEGER REFERENCES teams (no);
-- To which products it is limited, as JSON; none when absent.
ALTER TABLE keys ADD COLUMN products TEXT;

-- How much an account, a team or a key may use per period. What is held is in leases now.
CREATE TABLE budgets (
  account INTEGER NOT NULL REFERENCES accounts (no),
  scope TEXT NOT NULL CHECK (scope IN ('account', 'team', 'key')),
  -- The team's or the key's row; zero for the account.
  target INTEGER NOT NULL,
  credits INTEGER NOT NULL CHECK (credits > 0),
  unit TEXT NOT NULL CHECK (unit IN ('hour', 'day', 'week', 'month', 'year')),
  every INTEGER NOT NULL CHECK (every > 0),
  zone TEXT NOT NULL,
  -- The period that is counted.
  period_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  spent INTEGER NOT NULL CHECK (spent >= 0),
  held INTEGER NOT NULL CHECK (held >= 0),
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (account, scope, target)
) STRICT, WITHOUT ROWID;

-- How many requests came per second lately, where the plan limits them.
ALTER TABLE leases ADD COLUMN demand INTEGER NOT NULL DEFAULT 0;

-- What rules that only watch would have refused. Account and key are zero for callers without a known key.
CREATE TABLE shadow (
  account INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  key INTEGER NOT NULL,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  requests INTEGER NOT NULL,
  PRIMARY KEY (account, minute, key, rule, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX shadow_age ON shadow (minute);

INSERT INTO entry_kinds (kind, name, from_book, to_book) VALUES (13, 'forfeited', 'held', 'revenue');
