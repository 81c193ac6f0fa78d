// `openid-client` against a running server: discovery, device grant, refresh, userinfo, introspection,
// revocation. Prints one JSON object a line; the Rust test reads the user code from the first one,
// approves, and reads the outcome from the last. Here is no approval and no assertion about Waypass's
// own members: this program knows only what the library knows.
import * as client from 'openid-client'
import { setting, say, signingKey } from './common.mjs'

function authentication() {
  if (setting.mode === 'secret') return client.ClientSecretPost(setting.secret)
  if (setting.mode === 'assertion') return signingKey().then((key) => client.PrivateKeyJwt(key))
  return client.None()
}

const config = await client.discovery(new URL(setting.issuer), setting.client_id, undefined, await authentication(), {
  algorithm: setting.algorithm === 'oidc' ? 'oidc' : 'oauth2',
  execute: [client.allowInsecureRequests],
})
const options = setting.mode === 'dpop'
  ? { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256')) }
  : undefined

const started = await client.initiateDeviceAuthorization(config, { scope: setting.scope })
say({ user_code: started.user_code, expires_in: started.expires_in, interval: started.interval })
const tokens = await client.pollDeviceAuthorizationGrant(config, started, undefined, options)

const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, options)
const person = await client.fetchUserInfo(config, refreshed.access_token, refreshed.claims()?.sub ?? tokens.claims().sub, options)

const resourceServer = await client.discovery(new URL(setting.issuer), setting.rs.client_id, undefined,
  client.ClientSecretBasic(setting.rs.secret), { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
const before = await client.tokenIntrospection(resourceServer, refreshed.access_token)
await client.tokenRevocation(config, refreshed.refresh_token)
const after = await client.tokenIntrospection(resourceServer, refreshed.access_token)

say({
  access_token: refreshed.access_token,
  token_type: refreshed.token_type,
  id_claims: tokens.claims(),
  person,
  before,
  after,
})
