-- Customers' sessions in the portal, mail for events, and what is kept of calls.

-- Operators who sign in by OpenID Connect: the subject that identifies one, instead of a token, and who names it.
ALTER TABLE tokens ADD COLUMN issuer TEXT;
ALTER TABLE tokens ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX tokens_subject ON tokens (issuer, subject) WHERE subject IS NOT NULL AND revoked_ms IS NULL;
-- Of a session that began so: the subject, and the ID token, with which the provider ends its own session. Where a rule about claims
-- let the operator in, there is no token, and the proof binds the session to that rule.
ALTER TABLE sessions ADD COLUMN subject TEXT;
ALTER TABLE sessions ADD COLUMN id_token TEXT;
