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
