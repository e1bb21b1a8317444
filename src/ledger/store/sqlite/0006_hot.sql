-- Columns and indexes as PostgreSQL has them, so that one text finds rows in both.

-- When something is due about the account's subscription that is not over.
ALTER TABLE accounts ADD COLUMN due_ms INTEGER;
UPDATE accounts SET due_ms = (SELECT s.due_ms FROM subscriptions s
  WHERE s.account = accounts.no AND s.state NOT IN ('cancelled', 'expired'));

-- The number from which stamps of leases are counted. A ledger that opens raises it beyond all that were given.
CREATE TABLE epoch (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  number INTEGER NOT NULL
) STRICT;
INSERT INTO epoch (one, number) SELECT 1, 1 + coalesce(max(touch), 0) FROM leases;

-- Leases that were not named since are found by walking the key.
DROP INDEX leases_touch;

-- Whether there is something left.
ALTER TABLE grants ADD COLUMN live INTEGER GENERATED ALWAYS AS (remaining > 0) VIRTUAL;
DROP INDEX grants_live;
DROP INDEX grants_expiry;
CREATE INDEX grants_live ON grants (account) WHERE live;
CREATE INDEX grants_expiry ON grants (expires_ms) WHERE expires_ms IS NOT NULL AND live;

-- An index is used only where a query says the same as its condition.
DROP INDEX keys_subject;
DROP INDEX keys_expiry;
CREATE UNIQUE INDEX keys_subject ON keys (subject) WHERE subject IS NOT NULL AND NOT revoked;
CREATE INDEX keys_expiry ON keys (expires_ms) WHERE expires_ms IS NOT NULL AND NOT expiry_told;
