// A provider of OpenID Connect, as oidc-provider makes one: with its own pages to sign in, where any login and password do. It listens
// on PORT and knows one client, CLIENT_ID with CLIENT_SECRET, whom it sends back to CONSOLE. Who is called admin-… is in the group
// faregate-admins; claims come from the userinfo endpoint, as the standard has it.
import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const { PORT, CLIENT_ID, CLIENT_SECRET, CONSOLE, ALGORITHM = 'RS256' } = process.env;
const pair = ALGORITHM === 'RS256'
  ? generateKeyPairSync('rsa', { modulusLength: 2048 })
  : generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'first', use: 'sig', alg: ALGORITHM };

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    redirect_uris: [`${CONSOLE}/oidc`],
    post_logout_redirect_uris: [`${CONSOLE}/sign-in`],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    id_token_signed_response_alg: ALGORITHM,
  }],
  jwks: { keys: [key] },
  pkce: { required: () => true },
  scopes: ['openid', 'email', 'profile', 'groups'],
  claims: { email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, name: id, email: `${id}@example.com`, email_verified: true,
      groups: id.startsWith('admin-') ? ['everybody', 'faregate-admins'] : ['everybody'],
    }),
  }),
  cookies: { keys: ['a key for tests'] },
});
provider.listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
