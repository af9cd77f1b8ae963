// SPDX-License-Identifier: Apache-2.0
// A certified OpenID provider (npm oidc-provider), dressed as one tenant: Entra's form of issuer and Entra's claims, and nothing else of ours.
// It signs one person in without a page. What it refuses, it refuses by its own rules.

import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

export const TENANT = '3d1f6c1e-8a4b-4f0e-9b57-2c6e5a7d9f10';
export const CLIENT = 'e7b2a9c4-1d3f-4a6b-8c5d-0f9e8d7c6b5a';
export const SECRET = 'a-secret-of-the-third-party-provider';
export const ACCOUNT = {
  sub: 'pairwise-subject-of-iris',
  oid: '6f0d2c3b-4a59-4e68-b7a6-c5d4e3f2a1b0',
  tid: TENANT,
  ver: '2.0',
  name: 'Iris Independent',
  preferred_username: 'iris@provider.example',
  email: 'iris@provider.example',
};

function signingKey(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' };
}

function configuration({ redirectUris, keys, cookieKey }) {
  return {
    clients: [{
      client_id: CLIENT,
      client_secret: SECRET,
      redirect_uris: redirectUris,
      post_logout_redirect_uris: redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: 'RS256',
    }],
    jwks: { keys },
    cookies: { keys: [cookieKey] },
    claims: { openid: ['sub', 'oid', 'tid', 'ver'], profile: ['name', 'preferred_username'], email: ['email'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true, methods: ['S256'] },
    responseTypes: ['code'],
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) { ctx.body = `<!doctype html><title>Sign out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`; },
      },
    },
    interactions: { url: (ctx, interaction) => `/${TENANT}/v2.0/interaction/${interaction.uid}` },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ACCOUNT }),
    // Consent is given beforehand, as an administrator of a tenant does.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile email offline_access');
      await grant.save();
      return grant;
    },
    ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 3600, IdToken: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
  };
}

/**
 * Starts the provider: {port, authority, issuer, requests, register(redirectUri), rotateKey(), close()}.
 * `requests` are {method, path, status}, and {error} where the provider itself failed.
 */
export async function startProvider() {
  const state = { requests: [], keys: [signingKey('first')] };
  const redirectUris = [];
  const cookieKey = createSecretKey(randomBytes(32)).export().toString('hex');
  const prefix = `/${TENANT}/v2.0`;
  let provider = null;

  async function interaction(req, res) {
    const { prompt } = await provider.interactionDetails(req, res);
    if (prompt.name !== 'login') throw new Error(`the provider asks for ${prompt.name}`);
    await provider.interactionFinished(req, res, { login: { accountId: ACCOUNT.sub } });
  }

  const server = http.createServer((req, res) => {
    const record = { method: req.method, path: req.url };
    state.requests.push(record);
    res.on('finish', () => { record.status = res.statusCode; });
    if (!req.url.startsWith(`${prefix}/`)) {
      res.writeHead(404).end();
      return;
    }
    req.originalUrl = req.url;
    if (req.url.startsWith(`${prefix}/interaction/`)) {
      interaction(req, res).catch((error) => res.writeHead(500).end(error.message));
      return;
    }
    req.url = req.url.slice(prefix.length);
    provider.callback()(req, res);
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(0, '127.0.0.1', resolve); });
  const { port } = server.address();
  const authority = `http://127.0.0.1:${port}`;
  // The provider reads its configuration once, so each change of it is a new provider behind the same address.
  const begin = () => {
    provider = new Provider(`${authority}${prefix}`, configuration({ redirectUris, keys: state.keys, cookieKey }));
    provider.on('server_error', (ctx, error) => state.requests.push({ error: String(error.stack) }));
  };
  begin();
  return Object.assign(state, {
    port,
    authority,
    issuer: `${authority}${prefix}`,
    /** The redirect URI of the application, known when its server has a port; it is the address to return to after a sign-out as well. */
    register(redirectUri) {
      redirectUris.push(redirectUri);
      begin();
    },
    /** From now on signs with a new key, and publishes both (or, with `forget`, the new one alone). Sessions of the provider are lost. */
    rotateKey({ forget = false } = {}) {
      state.keys = [signingKey(`key-${state.keys.length + 1}-${randomBytes(3).toString('hex')}`), ...(forget ? [] : state.keys)];
      begin();
    },
    close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }),
  });
}
