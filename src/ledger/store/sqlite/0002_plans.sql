-- Plans, their versions, and who has subscribed. A version never changes.

ALTER TABLE accounts ADD COLUMN plan TEXT;

-- Which subscription gave it.
ALTER TABLE grants ADD COLUMN subscription INTEGER;
CREATE INDEX grants_subscription ON grants (subscription, expires_ms) WHERE subscription IS NOT NULL;

CREATE TABLE plans (
  no INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  -- The newest version, and the newest that counts for running periods, too (zero: none).
  version INTEGER NOT NULL,
  at_once INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE plan_versions (
  plan INTEGER NOT NULL REFERENCES plans (no),
  version INTEGER NOT NULL,
  quota INTEGER NOT NULL CHECK (quota > 0),
  unit TEXT NOT NULL CHECK (unit IN ('hour', 'day', 'week', 'month', 'year')),
  every INTEGER NOT NULL CHECK (every > 0),
  anchor TEXT NOT NULL CHECK (anchor IN ('start', 'calendar')),
  zone TEXT NOT NULL,
  rollover INTEGER NOT NULL CHECK (rollover >= 0),
  made_ms INTEGER NOT NULL,
  PRIMARY KEY (plan, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscriptions (
  no INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account INTEGER NOT NULL REFERENCES accounts (no),
  plan INTEGER NOT NULL REFERENCES plans (no),
  version INTEGER NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('trialing', 'active', 'past_due', 'paused', 'cancelled', 'expired')),
  starts_ms INTEGER NOT NULL,
  -- Where periods are counted from that don't go by the calendar.
  anchor_ms INTEGER NOT NULL,
  -- When the trial or the grace ends; when it is cancelled.
  until_ms INTEGER,
  cancels_ms INTEGER,
  -- The period for which a quota was given last, and how much that was.
  period_ms INTEGER,
  granted_ms INTEGER NOT NULL,
  given INTEGER NOT NULL CHECK (given >= 0),
  -- When something is due the next time.
  due_ms INTEGER,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX subscriptions_live ON subscriptions (account) WHERE state NOT IN ('cancelled', 'expired');
CREATE INDEX subscriptions_account ON subscriptions (account, no);
CREATE INDEX subscriptions_due ON subscriptions (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX subscriptions_version ON subscriptions (plan, version) WHERE due_ms IS NOT NULL;
