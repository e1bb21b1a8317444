-- What models cost, each from a moment on until its next row. Prices are the JSON that gateways read.
CREATE TABLE model_prices (
  model text COLLATE "C" NOT NULL,
  valid_from_ms bigint NOT NULL,
  prices text NOT NULL,
  created_ms bigint NOT NULL,
  PRIMARY KEY (model, valid_from_ms)
);
CREATE INDEX model_prices_time ON model_prices (valid_from_ms);

-- The price list as a whole: its row is made with the first change, and locked by every change.
CREATE TABLE price_list (
  one bigint PRIMARY KEY CHECK (one = 1),
  change bigint NOT NULL,
  changed_ms bigint NOT NULL
);

-- What was sold under metered rules within a minute: of which model or tool, and on what the charge is based.
CREATE TABLE usage_items (
  account bigint NOT NULL,
  minute bigint NOT NULL,
  key bigint NOT NULL,
  rule text COLLATE "C" NOT NULL,
  item text COLLATE "C" NOT NULL,
  basis text COLLATE "C" NOT NULL,
  requests bigint NOT NULL,
  credits bigint NOT NULL,
  PRIMARY KEY (account, minute, key, rule, item, basis)
);

-- How much of each class of usage that was.
CREATE TABLE usage_quantities (
  account bigint NOT NULL,
  minute bigint NOT NULL,
  key bigint NOT NULL,
  rule text COLLATE "C" NOT NULL,
  item text COLLATE "C" NOT NULL,
  class text COLLATE "C" NOT NULL,
  quantity bigint NOT NULL,
  PRIMARY KEY (account, minute, key, rule, item, class)
);

-- Room on each page for new versions of its rows.
ALTER TABLE usage_items SET (fillfactor = 80);
ALTER TABLE usage_quantities SET (fillfactor = 80);
