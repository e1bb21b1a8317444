-- Corrections: grants that are voided or changed, and adjustments.

-- Operators, the trail of what they did, and tokens of gateways.

-- Keys: rotation, last use.

-- What was refused within an hour (counted from 1970): to whom, under which rule, and why. Account and key are zero for callers
-- without a known key.
CREATE TABLE refusals (
  account bigint NOT NULL,
  hour bigint NOT NULL,
  key bigint NOT NULL,
  rule text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  requests bigint NOT NULL,
  PRIMARY KEY (account, hour, key, rule, code)
);
CREATE INDEX refusals_age ON refusals (hour);
ALTER TABLE refusals SET (fillfactor = 80);

-- The product of the rule when the minute began. Old minutes become hours, and old hours days: their rows begin with the hour or
-- the day.
ALTER TABLE usage ADD COLUMN product text COLLATE "C";
CREATE INDEX usage_age ON usage (minute);
CREATE INDEX usage_items_age ON usage_items (minute);
CREATE INDEX usage_quantities_age ON usage_quantities (minute);
