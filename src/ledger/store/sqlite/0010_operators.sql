-- Corrections: grants that are voided or changed, and adjustments.

-- Taken back by corrections; and what leases have of voided grants that is owed if they spend it.
ALTER TABLE accounts ADD COLUMN voided INTEGER NOT NULL DEFAULT 0 CHECK (voided >= 0);
ALTER TABLE accounts ADD COLUMN voiding INTEGER NOT NULL DEFAULT 0 CHECK (voiding >= 0);
-- When it was closed, as far as that is known.
ALTER TABLE accounts ADD COLUMN closed_ms INTEGER;

-- Taken back of it; to be taken back as leases hand it back; and the same of which also what is spent is taken back.
ALTER TABLE grants ADD COLUMN voided INTEGER NOT NULL DEFAULT 0 CHECK (voided >= 0);
ALTER TABLE grants ADD COLUMN voiding INTEGER NOT NULL DEFAULT 0 CHECK (voiding >= 0);
ALTER TABLE grants ADD COLUMN voiding_owed INTEGER NOT NULL DEFAULT 0 CHECK (voiding_owed >= 0);

ALTER TABLE plans ADD COLUMN archived_ms INTEGER;
-- Whether a plan is still subscribed to.
CREATE INDEX subscriptions_running ON subscriptions (plan) WHERE state NOT IN ('cancelled', 'expired');
CREATE INDEX subscriptions_next ON subscriptions (next_plan) WHERE next_plan IS NOT NULL;

CREATE TABLE corrections (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account INTEGER NOT NULL REFERENCES accounts (no),
  -- The grant that was voided, or that was given by an adjustment upwards.
  grant_no INTEGER REFERENCES grants (no),
  kind TEXT NOT NULL CHECK (kind IN ('void', 'adjustment')),
  -- Below zero where credits were taken; and how much of that was taken at once, is still in leases, or is owed.
  amount INTEGER NOT NULL,
  taken INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  owed INTEGER NOT NULL,
  note TEXT,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX corrections_account ON corrections (account, no);

INSERT INTO entry_kinds (kind, name, from_book, to_book) VALUES
  (16, 'void', 'available', 'voided'),
  (17, 'void_owed', 'owed', 'voided'),
  (18, 'void_returned', 'held', 'voided'),
  (19, 'adjust_up', 'issued', 'available'),
  (20, 'adjust_down', 'available', 'voided'),
  (21, 'adjust_owed', 'owed', 'voided');

-- Operators, the trail of what they did, and tokens of gateways.
CREATE TABLE tokens (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('operator', 'gateway')),
  name TEXT NOT NULL,
  scope TEXT,
  hash BLOB NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  expires_ms INTEGER,
  revoked_ms INTEGER,
  used_ms INTEGER,
  created_ms INTEGER NOT NULL,
  CHECK ((kind = 'operator') = (scope IS NOT NULL))
) STRICT;
CREATE INDEX tokens_name ON tokens (kind, name);

-- The gateway token that a gateway is tied to. Empty: the token of the environment.
ALTER TABLE gateways ADD COLUMN token TEXT;

CREATE TABLE trail (
  no INTEGER PRIMARY KEY,
  created_ms INTEGER NOT NULL,
  operator TEXT NOT NULL,
  token TEXT,
  peer TEXT NOT NULL,
  command TEXT NOT NULL,
  account TEXT,
  idempotency_key TEXT NOT NULL,
  before TEXT,
  after TEXT NOT NULL
) STRICT;
CREATE INDEX trail_age ON trail (created_ms);
CREATE INDEX trail_account ON trail (account, no) WHERE account IS NOT NULL;
CREATE INDEX trail_operator ON trail (operator, no);

-- Keys: rotation, last use.
-- The key that it was rotated to.
ALTER TABLE keys ADD COLUMN replaced_by INTEGER;
-- The last minute for which usage of a key was reported. A usage report holds no lock on the key's own row, nor on what
-- that refers to.
CREATE TABLE key_uses (
  key INTEGER PRIMARY KEY,
  minute INTEGER NOT NULL
) STRICT;
INSERT INTO key_uses (key, minute) SELECT key, max(minute) FROM usage GROUP BY key;
-- Keys by how they begin.
CREATE INDEX keys_prefix ON keys (prefix, no) WHERE prefix IS NOT NULL;
-- Accounts by what operators look for, in the order of their identifiers.
CREATE INDEX accounts_plan ON accounts (plan, id) WHERE plan IS NOT NULL;
CREATE INDEX accounts_state ON accounts (state, id) WHERE state <> 'active';

-- What was refused within an hour (counted from 1970): to whom, under which rule, and why. Account and key are zero for callers
-- without a known key.
CREATE TABLE refusals (
  account INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  key INTEGER NOT NULL,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  requests INTEGER NOT NULL,
  PRIMARY KEY (account, hour, key, rule, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusals_age ON refusals (hour);

-- The product of the rule when the minute began. Old minutes become hours, and old hours days: their rows begin with the hour or
-- the day.
ALTER TABLE usage ADD COLUMN product TEXT;
CREATE INDEX usage_age ON usage (minute);
CREATE INDEX usage_items_age ON usage_items (minute);
CREATE INDEX usage_quantities_age ON usage_quantities (minute);
