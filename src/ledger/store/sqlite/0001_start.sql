-- Amounts are micro-credits, times are milliseconds since 1970, minutes are minutes since 1970.
-- Tables refer to each other by number (no); identifiers (id) are what people and gateways see.

CREATE TABLE accounts (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT,
  state TEXT NOT NULL CHECK (state IN ('active', 'suspended', 'closed')),
  available INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
  held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
  spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0),
  expired INTEGER NOT NULL DEFAULT 0 CHECK (expired >= 0),
  owed INTEGER NOT NULL DEFAULT 0 CHECK (owed >= 0),
  granted INTEGER NOT NULL DEFAULT 0 CHECK (granted >= 0),
  -- Open leases with money in them, and whether they share the last of it.
  holders INTEGER NOT NULL DEFAULT 0,
  tight INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL
) STRICT;

-- A credential: a key, of which only the hash is kept, or a subject that gateways vouch for.
CREATE TABLE keys (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account INTEGER NOT NULL REFERENCES accounts (no),
  hash BLOB UNIQUE,
  prefix TEXT,
  subject TEXT,
  revoked INTEGER NOT NULL DEFAULT 0,
  expires_ms INTEGER,
  expiry_told INTEGER NOT NULL DEFAULT 0,
  note TEXT,
  created_ms INTEGER NOT NULL,
  CHECK ((hash IS NULL) <> (subject IS NULL))
) STRICT;
CREATE UNIQUE INDEX keys_subject ON keys (subject) WHERE subject IS NOT NULL AND revoked = 0;
CREATE INDEX keys_account ON keys (account, no);
CREATE INDEX keys_expiry ON keys (expires_ms) WHERE expires_ms IS NOT NULL AND expiry_told = 0;

CREATE TABLE grants (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account INTEGER NOT NULL REFERENCES accounts (no),
  amount INTEGER NOT NULL CHECK (amount > 0),
  remaining INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND amount),
  priority INTEGER NOT NULL,
  expires_ms INTEGER,
  note TEXT,
  source TEXT,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_account ON grants (account, no);
CREATE INDEX grants_live ON grants (account) WHERE remaining > 0;
CREATE INDEX grants_expiry ON grants (expires_ms) WHERE expires_ms IS NOT NULL AND remaining > 0;

CREATE TABLE gateways (
  no INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- The current fence of each key on each gateway.
CREATE TABLE leases (
  gateway INTEGER NOT NULL REFERENCES gateways (no),
  key INTEGER NOT NULL REFERENCES keys (no),
  account INTEGER NOT NULL REFERENCES accounts (no),
  fence INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'ended', 'reclaimed')),
  granted INTEGER NOT NULL,
  spent INTEGER NOT NULL,
  returned INTEGER NOT NULL,
  held INTEGER NOT NULL,
  -- What is left from which grants, in the order of spending: [[grant, amount], ...]; and its sum.
  draws TEXT NOT NULL,
  escrow INTEGER NOT NULL,
  on_credit INTEGER NOT NULL,
  recall INTEGER NOT NULL,
  brisk INTEGER NOT NULL,
  -- The number, in one running count, of the last exchange that named this lease.
  touch INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  PRIMARY KEY (gateway, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_account ON leases (account) WHERE escrow > 0;
CREATE INDEX leases_touch ON leases (touch) WHERE state = 'open';
CREATE INDEX leases_recall ON leases (gateway) WHERE recall = 1;
CREATE INDEX leases_brisk ON leases (gateway) WHERE brisk = 1;
CREATE INDEX leases_closed ON leases (changed_ms) WHERE state <> 'open';

-- Why money moves, and from which book to which. The code has the same list; a test compares them.
CREATE TABLE entry_kinds (
  kind INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  from_book TEXT NOT NULL,
  to_book TEXT NOT NULL
) STRICT;
INSERT INTO entry_kinds (kind, name, from_book, to_book) VALUES
  (1, 'grant', 'issued', 'available'),
  (2, 'draw', 'available', 'held'),
  (3, 'spend', 'held', 'revenue'),
  (4, 'return', 'held', 'available'),
  (5, 'reclaimed', 'held', 'available'),
  (6, 'breakage', 'held', 'expired'),
  (7, 'expire', 'available', 'expired'),
  (8, 'late_spend', 'available', 'revenue'),
  (9, 'late_spend_owed', 'owed', 'revenue'),
  (10, 'on_credit', 'available', 'revenue'),
  (11, 'on_credit_owed', 'owed', 'revenue'),
  (12, 'pay_owed', 'available', 'owed');

-- Every movement of money; what moved for the same reason within a minute is one row that grows.
-- Zero stands for "none" in key, gateway, fence and grant.
CREATE TABLE entries (
  account INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  key INTEGER NOT NULL,
  gateway INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  grant_no INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  PRIMARY KEY (account, minute, kind, key, gateway, fence, grant_no)
) STRICT, WITHOUT ROWID;

-- What gateways must hear: about an account (gateway 0), about one key of it, or, with account 0,
-- that a gateway (or all, when that is 0 too) should hand back what is unused.
CREATE TABLE changes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER NOT NULL,
  key INTEGER NOT NULL,
  gateway INTEGER NOT NULL,
  made_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX changes_age ON changes (made_ms);

CREATE TABLE usage (
  account INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  key INTEGER NOT NULL,
  rule TEXT NOT NULL,
  requests INTEGER NOT NULL,
  credits INTEGER NOT NULL,
  refunds INTEGER NOT NULL,
  PRIMARY KEY (account, minute, key, rule)
) STRICT, WITHOUT ROWID;

-- The last usage report of each broker of each gateway.
CREATE TABLE brokers (
  gateway INTEGER NOT NULL REFERENCES gateways (no),
  broker TEXT NOT NULL,
  seq INTEGER NOT NULL,
  heard_ms INTEGER NOT NULL,
  PRIMARY KEY (gateway, broker)
) STRICT, WITHOUT ROWID;
CREATE INDEX brokers_age ON brokers (heard_ms);

-- First answers to the admin API's writes. Where the answer showed a new key there is no body, only
-- the key's identifier: a key is never stored.
CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  body TEXT,
  shown_key TEXT,
  made_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (made_ms);

-- One row that is written to find out whether writing works.
CREATE TABLE pulse (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO pulse (one, at_ms) VALUES (1, 0);
