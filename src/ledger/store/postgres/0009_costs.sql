-- What a model costs the seller: the same JSON as its prices. Empty: that isn't known.
ALTER TABLE model_prices ADD COLUMN cost text;

-- Of how many requests the seller's cost is known, what those were charged, and what they cost.
ALTER TABLE usage_items ADD COLUMN costed_requests bigint NOT NULL DEFAULT 0;
ALTER TABLE usage_items ADD COLUMN costed_credits bigint NOT NULL DEFAULT 0;
ALTER TABLE usage_items ADD COLUMN cost bigint NOT NULL DEFAULT 0;
