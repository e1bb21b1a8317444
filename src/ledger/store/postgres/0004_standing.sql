-- What callers are told of how they stand.

-- Below how much they are to be warned; never when absent.
ALTER TABLE plan_versions ADD COLUMN warn_below bigint CHECK (warn_below > 0);
-- Contracts have the running period from now on: those from before are written anew.
UPDATE subscriptions SET due_ms = 0 WHERE state NOT IN ('cancelled', 'expired');
