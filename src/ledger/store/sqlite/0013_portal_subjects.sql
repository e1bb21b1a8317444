-- Customers who sign in to the portal at the operator's provider of identities.

-- Which account a subject of an issuer belongs to.
CREATE TABLE portal_subjects (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account INTEGER NOT NULL,
  read_only INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX portal_subjects_account ON portal_subjects (account);
CREATE INDEX portal_subjects_subject ON portal_subjects (subject);
-- Of a session that began so: the subject, without whose link it is over, and the ID token, with which the provider ends its own session.
ALTER TABLE portal_sessions ADD COLUMN issuer TEXT;
ALTER TABLE portal_sessions ADD COLUMN subject TEXT;
ALTER TABLE portal_sessions ADD COLUMN id_token TEXT;
