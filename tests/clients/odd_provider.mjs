// A provider of OpenID Connect that does what it is asked to, right or wrong. It listens on PORT. POST /plan sets what it does next,
// as JSON: `claims` of the ID token, over good ones; how that is signed (`alg`, `kid`, `key`: one that it publishes or not); `crit`;
// what the endpoints answer (`token`, `keys`, `userinfo`, `discovery`: a status, a body, how late, how large, where it redirects to).
// POST /rotate replaces its key. GET /calls says how often each endpoint was called, and with what the last time.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT, CLIENT_ID } = process.env;
const ISSUER = `http://127.0.0.1:${PORT}`;
const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
let number = 0;
const fresh = () => ({ kid: `key-${++number}`, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) });
let current = fresh();
const secret = fresh();
let plan = {};
const calls = {};

const published = () => ({ ...current.publicKey.export({ format: 'jwk' }), kid: current.kid, use: 'sig', alg: 'RS256' });

function idToken() {
  const now = Math.floor(Date.now() / 1000);
  const good = { iss: ISSUER, aud: CLIENT_ID, sub: 'odd-1', iat: now, exp: now + 300 };
  const claims = { ...good, ...plan.claims };
  for (const [name, shift] of Object.entries(plan.shifted ?? {})) claims[name] = now + shift;
  const key = plan.key === 'secret' ? { ...secret, kid: plan.kid ?? current.kid } : current;
  const header = { alg: plan.alg ?? 'RS256', kid: plan.kid ?? key.kid, ...(plan.crit ? { crit: plan.crit } : {}) };
  if (plan.kid === null) delete header.kid;
  const signed = `${part(header)}.${part(claims)}`;
  if (header.alg === 'none') return `${signed}.`;
  if (header.alg.startsWith('HS')) {
    // The classic confusion: the public key taken for a shared secret.
    const pem = current.publicKey.export({ format: 'pem', type: 'spki' });
    return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
  }
  const signature = sign('sha256', Buffer.from(signed), key.privateKey).toString('base64url');
  return `${signed}.${plan.broken ? (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1) : signature}`;
}

const endpoints = {
  '/.well-known/openid-configuration': ['discovery', () => ({
    issuer: ISSUER, authorization_endpoint: `${ISSUER}/auth`, token_endpoint: `${ISSUER}/token`, jwks_uri: `${ISSUER}/keys`,
    userinfo_endpoint: `${ISSUER}/userinfo`, end_session_endpoint: `${ISSUER}/end`,
    id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'], ...plan.metadata,
  })],
  '/keys': ['keys', () => ({ keys: [published()] })],
  '/token': ['token', () => ({ token_type: 'Bearer', access_token: 'access-1', id_token: idToken() })],
  '/userinfo': ['userinfo', () => ({ sub: 'odd-1', ...plan.info })],
};

createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { pathname } = new URL(request.url, ISSUER);
  const answer = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (pathname === '/plan') { plan = JSON.parse(body); return answer(200, {}); }
  if (pathname === '/rotate') { current = fresh(); return answer(200, { kid: current.kid }); }
  if (pathname === '/calls') return answer(200, calls);
  const [name, good] = endpoints[pathname] ?? [];
  if (!name) return answer(404, {});
  calls[name] = { count: (calls[name]?.count ?? 0) + 1, body, authorization: request.headers.authorization ?? null };
  const odd = plan[name] ?? {};
  if (odd.late_ms) await new Promise((resolve) => setTimeout(resolve, odd.late_ms));
  if (odd.hang) return undefined;
  if (odd.to) return response.writeHead(302, { location: odd.to }).end();
  if (odd.large) return response.writeHead(200, { 'content-type': 'application/json' }).end('{"x":"' + 'y'.repeat(odd.large) + '"}');
  if (odd.text !== undefined) return response.writeHead(odd.status ?? 200).end(odd.text);
  return answer(odd.status ?? 200, odd.body ?? good());
}).listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
