-- What models cost, each from a moment on until its next row. Prices are the JSON that gateways read.
CREATE TABLE model_prices (
  model TEXT NOT NULL,
  valid_from_ms INTEGER NOT NULL,
  prices TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (model, valid_from_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX model_prices_time ON model_prices (valid_from_ms);

-- The price list as a whole: its row is made with the first change, and locked by every change.
CREATE TABLE price_list (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  change INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

-- What was sold under metered rules within a minute: of which model or tool, and on what the charge is based.
CREATE TABLE usage_items (
  account INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  key INTEGER NOT NULL,
  rule TEXT NOT NULL,
  item TEXT NOT NULL,
  basis TEXT NOT NULL,
  requests INTEGER NOT NULL,
  credits INTEGER NOT NULL,
  PRIMARY KEY (account, minute, key, rule, item, basis)
) STRICT, WITHOUT ROWID;

-- How much of each class of usage that was.
CREATE TABLE usage_quantities (
  account INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  key INTEGER NOT NULL,
  rule TEXT NOT NULL,
  item TEXT NOT NULL,
  class TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  PRIMARY KEY (account, minute, key, rule, item, class)
) STRICT, WITHOUT ROWID;
