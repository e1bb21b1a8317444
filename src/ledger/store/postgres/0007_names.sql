-- Names as the code and the documentation have them now. No row changes, but for the names within an entitlement's text.

ALTER TABLE epoch RENAME TO sweep;
ALTER TABLE pulse RENAME TO write_probe;

ALTER TABLE leases RENAME COLUMN fence TO epoch;
ALTER TABLE leases RENAME COLUMN brisk TO fast_heartbeat;
ALTER TABLE entries RENAME COLUMN fence TO epoch;
ALTER TABLE unbooked RENAME COLUMN fence TO epoch;
ALTER TABLE keys RENAME COLUMN expiry_told TO expiry_announced;
ALTER TABLE plan_versions RENAME COLUMN beyond TO overage;
ALTER TABLE plan_versions RENAME COLUMN made_ms TO created_ms;
ALTER TABLE changes RENAME COLUMN made_ms TO created_ms;
ALTER TABLE idempotency RENAME COLUMN made_ms TO created_ms;

ALTER TABLE accounts RENAME COLUMN contract TO entitlement;
UPDATE accounts
  SET entitlement = replace(replace(entitlement, '"standing":', '"status":'), '"beyond":', '"overage":')
  WHERE entitlement IS NOT NULL;

ALTER INDEX leases_brisk RENAME TO leases_fast_heartbeat;

-- Holds of requests that outlive their epoch are carried over into a lease of their own, under the name of their gateway with
-- ` (holds)` behind it.
INSERT INTO entry_kinds (kind, name, from_book, to_book) VALUES
  (14, 'carry_out', 'held', 'available'),
  (15, 'carry_in', 'available', 'held');
