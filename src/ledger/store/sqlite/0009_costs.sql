-- What a model costs the seller: the same JSON as its prices. Empty: that isn't known.
ALTER TABLE model_prices ADD COLUMN cost TEXT;

-- Of how many requests the seller's cost is known, what those were charged, and what they cost.
ALTER TABLE usage_items ADD COLUMN costed_requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_items ADD COLUMN costed_credits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_items ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;
