-- Customers' sessions in the portal, mail for events, and what is kept of calls.

-- Sessions of customers in the portal.
CREATE TABLE portal_sessions (
  -- SHA-256 of the value in the cookie.
  hash BLOB NOT NULL PRIMARY KEY,
  -- What the trail calls it.
  id TEXT NOT NULL,
  account INTEGER NOT NULL,
  -- The key that it began with, without which it is over. Empty: it began otherwise.
  key INTEGER,
  read_only INTEGER NOT NULL,
  -- The operator's page that the customer came from.
  return_url TEXT,
  created_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX portal_sessions_account ON portal_sessions (account);
CREATE INDEX portal_sessions_age ON portal_sessions (expires_ms);

-- Links by which customers sign in to the portal, each once.
CREATE TABLE portal_links (
  -- SHA-256 of what the link shows.
  hash BLOB NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  account INTEGER NOT NULL,
  return_url TEXT,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER
) STRICT;
CREATE INDEX portal_links_account ON portal_links (account);
CREATE INDEX portal_links_age ON portal_links (expires_ms);

-- Which version of the filter a gateway last said that it has.
ALTER TABLE gateways ADD COLUMN version TEXT;

-- Mail. An address gets events of an account; of all accounts, and the ledger's own, where that is 0.
CREATE TABLE mail_addresses (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  address TEXT NOT NULL,
  account INTEGER NOT NULL,
  kinds TEXT,
  state TEXT NOT NULL CHECK (state IN ('active', 'deleted')),
  changed_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX mail_addresses_account ON mail_addresses (account) WHERE state = 'active';

-- A delivery may be given up. Those of a webhook have its number; those to an address have minus its number.
ALTER TABLE deliveries RENAME TO deliveries_before;
CREATE TABLE deliveries (
  webhook INTEGER NOT NULL,
  account INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'given_up')),
  attempts INTEGER NOT NULL,
  first_ms INTEGER,
  next_ms INTEGER NOT NULL,
  claimed_ms INTEGER,
  status INTEGER,
  error TEXT,
  done_ms INTEGER,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (webhook, account, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO deliveries (webhook, account, seq, state, attempts, first_ms, next_ms, claimed_ms, status, error, done_ms, created_ms)
  SELECT webhook, account, seq, state, attempts, first_ms, next_ms, claimed_ms, status, error, done_ms, created_ms FROM deliveries_before;
DROP TABLE deliveries_before;
CREATE INDEX deliveries_waiting ON deliveries (webhook, account, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_due ON deliveries (webhook, next_ms) WHERE state = 'waiting';
CREATE INDEX deliveries_age ON deliveries (created_ms);
CREATE INDEX deliveries_mail ON deliveries (next_ms) WHERE state = 'waiting' AND webhook < 0;
-- An endpoint's deliveries, newest first.
CREATE INDEX deliveries_webhook ON deliveries (webhook, created_ms, account, seq);

-- Requests of an account are refused: since when (JSON), and when to look whether they still are.
ALTER TABLE accounts ADD COLUMN refusing TEXT;
ALTER TABLE accounts ADD COLUMN refusing_ms INTEGER;
CREATE INDEX accounts_refusing ON accounts (refusing_ms) WHERE refusing_ms IS NOT NULL;
-- Below which balance an account with this plan is announced that says nothing else.
ALTER TABLE plan_versions ADD COLUMN alert_below INTEGER CHECK (alert_below >= 0);
-- What is wrong with the ledger itself (JSON), and the number of its last event: at most one row.
CREATE TABLE ledger_faults (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  faults TEXT NOT NULL,
  events INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

-- Operators who sign in by OpenID Connect: the subject that identifies one, instead of a token, and who names it.
ALTER TABLE tokens ADD COLUMN issuer TEXT;
ALTER TABLE tokens ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX tokens_subject ON tokens (issuer, subject) WHERE subject IS NOT NULL AND revoked_ms IS NULL;
-- Of a session that began so: the subject, and the ID token, with which the provider ends its own session. Where a rule about claims
-- let the operator in, there is no token, and the proof binds the session to that rule.
ALTER TABLE sessions ADD COLUMN subject TEXT;
ALTER TABLE sessions ADD COLUMN id_token TEXT;
