-- Corrections: grants that are voided or changed, and adjustments.

-- Operators, the trail of what they did, and tokens of gateways.

-- Keys: rotation, last use.

-- What was refused within an hour (counted from 1970): to whom, under which rule, and why. Account and key are zero for callers
-- without a known key.
CREATE TABLE refusals (
  account INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  key INTEGER NOT NULL,
  rule TEXT NOT NULL,
  code TEXT NOT NULL,
  requests INTEGER NOT NULL,
  PRIMARY KEY (account, hour, key, rule, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusals_age ON refusals (hour);

-- The product of the rule when the minute began. Old minutes become hours, and old hours days: their rows begin with the hour or
-- the day.
ALTER TABLE usage ADD COLUMN product TEXT;
CREATE INDEX usage_age ON usage (minute);
CREATE INDEX usage_items_age ON usage_items (minute);
CREATE INDEX usage_quantities_age ON usage_quantities (minute);
