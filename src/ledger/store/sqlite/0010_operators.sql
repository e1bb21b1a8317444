-- Corrections: grants that are voided or changed, and adjustments.

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

-- Refusals by hour, and usage rolled up to hours and days.
