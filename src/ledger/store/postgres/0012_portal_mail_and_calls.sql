-- Customers' sessions in the portal, mail for events, and what is kept of calls.

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
