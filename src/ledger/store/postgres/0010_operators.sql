-- Corrections: grants that are voided or changed, and adjustments.

-- Operators, the trail of what they did, and tokens of gateways.

-- Keys: rotation, last use.
-- The key that it was rotated to.
ALTER TABLE keys ADD COLUMN replaced_by bigint;
-- The last minute for which usage of a key was reported. A usage report holds no lock on the key's own row, nor on what
-- that refers to.
CREATE TABLE key_uses (
  key bigint PRIMARY KEY,
  minute bigint NOT NULL
) WITH (fillfactor = 80);
INSERT INTO key_uses (key, minute) SELECT key, max(minute) FROM usage GROUP BY key;
-- Keys by how they begin.
ALTER TABLE keys ALTER COLUMN prefix TYPE text COLLATE "C";
CREATE INDEX keys_prefix ON keys (prefix, no) WHERE prefix IS NOT NULL;
-- Accounts by what operators look for, in the order of their identifiers.
CREATE INDEX accounts_plan ON accounts (plan, id) WHERE plan IS NOT NULL;
CREATE INDEX accounts_state ON accounts (state, id) WHERE state <> 'active';

-- Refusals by hour, and usage rolled up to hours and days.
