-- Alerts. Below how much an account's balance is announced as low (empty: as for all), and whether it was; what was announced of the
-- quota of the running period (JSON); and the number of the account's last event.
ALTER TABLE accounts ADD COLUMN alert_below INTEGER;
ALTER TABLE accounts ADD COLUMN low INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN quota_watch TEXT;
ALTER TABLE accounts ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
-- The percentage of it that was last announced as used in the period that is counted.
ALTER TABLE budgets ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
-- The end that was announced to come soon.
ALTER TABLE grants ADD COLUMN soon_ms INTEGER;
ALTER TABLE keys ADD COLUMN soon_ms INTEGER;
ALTER TABLE subscriptions ADD COLUMN soon_ms INTEGER;
CREATE INDEX grants_soon ON grants (expires_ms) WHERE live AND subscription IS NULL AND soon_ms IS NULL AND expires_ms IS NOT NULL;
CREATE INDEX keys_soon ON keys (expires_ms) WHERE soon_ms IS NULL AND NOT revoked AND expires_ms IS NOT NULL;
-- What holds for accounts that say nothing else: at most one row.
CREATE TABLE alert_defaults (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  balance_below INTEGER,
  changed_ms INTEGER NOT NULL
) STRICT;

-- What happened about accounts, numbered by account.
CREATE TABLE events (
  account INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  data TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_age ON events (created_ms, account, seq);
CREATE INDEX events_kind ON events (kind, created_ms);

-- Where events are delivered. A secret is kept, because each delivery is signed with it.
CREATE TABLE webhooks (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  url TEXT NOT NULL,
  kinds TEXT,
  account INTEGER REFERENCES accounts (no),
  secret BLOB NOT NULL,
  old_secret BLOB,
  old_until_ms INTEGER,
  state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'failing', 'deleted')),
  note TEXT,
  replay TEXT,
  changed_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_state ON webhooks (state);

CREATE TABLE deliveries (
  webhook INTEGER NOT NULL,
  account INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered')),
  attempts INTEGER NOT NULL,
  -- When it was first tried since the endpoint last worked or was resumed; when it may be tried next; and until when a ledger is
  -- trying it.
  first_ms INTEGER,
  next_ms INTEGER NOT NULL,
  claimed_ms INTEGER,
  status INTEGER,
  error TEXT,
  done_ms INTEGER,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (webhook, account, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (webhook, account, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON deliveries (webhook, next_ms) WHERE state = 'waiting';
CREATE INDEX deliveries_age ON deliveries (created_ms);

-- Sessions of operators in the console.
CREATE TABLE sessions (
  -- SHA-256 of the value in the cookie.
  hash BLOB NOT NULL PRIMARY KEY,
  operator TEXT NOT NULL,
  -- The token that it began with. Empty: the token of the environment; then the proof binds the session to that token.
  token TEXT,
  proof BLOB,
  created_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  CHECK ((token IS NULL) = (proof IS NOT NULL))
) STRICT;
CREATE INDEX sessions_operator ON sessions (operator);
CREATE INDEX sessions_age ON sessions (expires_ms);
