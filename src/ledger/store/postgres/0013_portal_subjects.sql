-- Customers who sign in to the portal at the operator's provider of identities.

-- Which account a subject of an issuer belongs to.
CREATE TABLE portal_subjects (
  issuer text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  account bigint NOT NULL,
  read_only boolean NOT NULL,
  created_ms bigint NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX portal_subjects_account ON portal_subjects (account);
CREATE INDEX portal_subjects_subject ON portal_subjects (subject);
-- Of a session that began so: the subject, without whose link it is over, and the ID token, with which the provider ends its own session.
ALTER TABLE portal_sessions ADD COLUMN issuer text COLLATE "C";
ALTER TABLE portal_sessions ADD COLUMN subject text COLLATE "C";
ALTER TABLE portal_sessions ADD COLUMN id_token text;
