-- What gateways said they had sold and was not charged, because it was beyond all that is believed: how often, and how
-- much together. An audit shows it as long as it is kept.
CREATE TABLE unbooked (
  gateway INTEGER NOT NULL REFERENCES gateways (no),
  key INTEGER NOT NULL REFERENCES keys (no),
  account INTEGER NOT NULL REFERENCES accounts (no),
  -- The last fence that it was about.
  fence INTEGER NOT NULL,
  reports INTEGER NOT NULL,
  credits INTEGER NOT NULL CHECK (credits > 0),
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (gateway, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX unbooked_age ON unbooked (last_ms);
