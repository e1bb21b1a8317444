-- Sessions of operators in the console.
CREATE TABLE sessions (
  -- SHA-256 of the value in the cookie.
  hash bytea NOT NULL PRIMARY KEY,
  operator text COLLATE "C" NOT NULL,
  -- The token that it began with. Empty: the token of the environment; then the proof binds the session to that token.
  token text,
  proof bytea,
  created_ms bigint NOT NULL,
  used_ms bigint NOT NULL,
  expires_ms bigint NOT NULL,
  CHECK ((token IS NULL) = (proof IS NOT NULL))
);
CREATE INDEX sessions_operator ON sessions (operator);
CREATE INDEX sessions_age ON sessions (expires_ms);
