-- Customers' sessions in the portal, mail for events, and what is kept of calls.

-- Which version of the filter a gateway last said that it has.
ALTER TABLE gateways ADD COLUMN version text;
-- An endpoint's deliveries, newest first.
CREATE INDEX deliveries_webhook ON deliveries (webhook, created_ms, account, seq);
