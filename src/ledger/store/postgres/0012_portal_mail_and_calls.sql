-- Customers' sessions in the portal, mail for events, and what is kept of calls.

-- Call records, in a partition for each day (UTC). The number is the time at which it was stored, in microseconds.
CREATE TABLE calls (
  id bigint NOT NULL,
  at_ms bigint NOT NULL,
  duration_ms bigint NOT NULL,
  gateway bigint NOT NULL,
  account text COLLATE "C",
  key text COLLATE "C",
  rule text COLLATE "C" NOT NULL,
  item text COLLATE "C",
  decision text COLLATE "C" NOT NULL,
  code text COLLATE "C",
  charge bigint NOT NULL,
  hold bigint NOT NULL,
  basis text COLLATE "C",
  used text,
  status bigint,
  request_id text COLLATE "C",
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX calls_account ON calls (account, id) WHERE account IS NOT NULL;
CREATE INDEX calls_request ON calls (request_id) WHERE request_id IS NOT NULL;
-- How many records each day has.
CREATE TABLE call_days (day bigint PRIMARY KEY, records bigint NOT NULL);
CREATE TABLE call_gateways (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  heard_ms bigint NOT NULL
);
-- The last batch that is stored of each worker.
CREATE TABLE call_senders (sender text COLLATE "C" PRIMARY KEY, number bigint NOT NULL, heard_ms bigint NOT NULL);
-- Sessions of customers in the portal.
CREATE TABLE portal_sessions (
  -- SHA-256 of the value in the cookie.
  hash bytea NOT NULL PRIMARY KEY,
  -- What the trail calls it.
  id text NOT NULL,
  account bigint NOT NULL,
  -- The key that it began with, without which it is over. Empty: it began otherwise.
  key bigint,
  read_only boolean NOT NULL,
  -- The operator's page that the customer came from.
  return_url text,
  created_ms bigint NOT NULL,
  used_ms bigint NOT NULL,
  expires_ms bigint NOT NULL
);
CREATE INDEX portal_sessions_account ON portal_sessions (account);
CREATE INDEX portal_sessions_age ON portal_sessions (expires_ms);

-- Links by which customers sign in to the portal, each once.
CREATE TABLE portal_links (
  -- SHA-256 of what the link shows.
  hash bytea NOT NULL PRIMARY KEY,
  id text NOT NULL,
  account bigint NOT NULL,
  return_url text,
  created_ms bigint NOT NULL,
  expires_ms bigint NOT NULL,
  used_ms bigint
);
CREATE INDEX portal_links_account ON portal_links (account);
CREATE INDEX portal_links_age ON portal_links (expires_ms);
-- Which version of the filter a gateway last said that it has.
ALTER TABLE gateways ADD COLUMN version text;
-- An endpoint's deliveries, newest first.
CREATE INDEX deliveries_webhook ON deliveries (webhook, created_ms, account, seq);
