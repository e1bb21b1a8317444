-- What gateways said they had sold and was not charged, because it was beyond all that is believed: how often, and how
-- much together. An audit shows it as long as it is kept.
CREATE TABLE unbooked (
  gateway bigint NOT NULL REFERENCES gateways (no),
  key bigint NOT NULL REFERENCES keys (no),
  account bigint NOT NULL REFERENCES accounts (no),
  -- The last fence that it was about.
  fence bigint NOT NULL,
  reports bigint NOT NULL,
  credits bigint NOT NULL CHECK (credits > 0),
  last_ms bigint NOT NULL,
  PRIMARY KEY (gateway, key)
);
CREATE INDEX unbooked_age ON unbooked (last_ms);
