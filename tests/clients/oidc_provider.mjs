// A provider of OpenID Connect, as oidc-provider makes one, with a page on which one chooses who one is. It listens on PORT and knows
// one client, CLIENT_ID with CLIENT_SECRET, whom it sends back to CONSOLE. Who is called admin-… is in the group faregate-admins; claims
// come from the userinfo endpoint, as the standard has it.
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
  features: { devInteractions: { enabled: false } },
  // There is no question about consent: the client is the operators' own.
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid email profile groups');
    await grant.save();
    return grant;
  },
  cookies: { keys: ['a key for tests'] },
});
const people = ['admin-anna', 'linked-lou', 'stranger-sam'];
provider.use(async (ctx, next) => {
  const [, uid, login] = /^\/interaction\/([\w-]+)(?:\/([\w-]+))?$/.exec(ctx.path) ?? [];
  if (!uid) return next();
  if (login) return provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: login } });
  ctx.type = 'html';
  ctx.body = `<!doctype html><title>Who are you?</title>${people.map((who) => `<a href="/interaction/${uid}/${who}">${who}</a>`).join(' ')}`;
  return undefined;
});
provider.listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
