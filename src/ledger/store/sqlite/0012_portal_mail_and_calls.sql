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
-- An endpoint's deliveries, newest first.
CREATE INDEX deliveries_webhook ON deliveries (webhook, created_ms, account, seq);
