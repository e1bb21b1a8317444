-- Sessions of operators in the console.
CREATE TABLE sessions (
  -- SHA-256 of the value in the cookie.
  hash BLOB NOT NULL PRIMARY KEY,
  operator TEXT NOT NULL,
  -- The token that it began with. Empty: the token of the environment; then the proof binds the session to that token.
  token TEXT,
  proof BLOB,
  created_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  CHECK ((token IS NULL) = (proof IS NOT NULL))
) STRICT;
CREATE INDEX sessions_operator ON sessions (operator);
CREATE INDEX sessions_age ON sessions (expires_ms);
