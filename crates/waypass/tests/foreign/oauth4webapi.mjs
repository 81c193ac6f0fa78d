// `oauth4webapi` against a running server: the same walk as openid_client.mjs with the library below it,
// which leaves polling to its caller, so that `slow_down` and a nonce while polling are met by hand.
import * as oauth from 'oauth4webapi'
import { setting, say, signingKey } from './common.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(setting.issuer)
const as = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: setting.algorithm === 'oidc' ? 'oidc' : 'oauth2', ...insecure }),
)
const client = { client_id: setting.client_id }
const authentication = {
  plain: () => oauth.None(),
  dpop: () => oauth.None(),
  secret: () => oauth.ClientSecretBasic(setting.secret),
  assertion: async () => oauth.PrivateKeyJwt(await signingKey()),
}
const auth = await authentication[setting.mode]()
const options = setting.mode === 'dpop'
  ? { ...insecure, DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) }
  : insecure

// A nonce that is asked for is remembered by the handle: the same call again carries it.
async function withNonce(send, process) {
  try {
    return await process(await send())
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return process(await send())
  }
}

async function poll(started) {
  let interval = started.interval
  for (;;) {
    try {
      return await withNonce(
        () => oauth.deviceCodeGrantRequest(as, client, auth, started.device_code, options),
        (response) => oauth.processDeviceCodeResponse(as, client, response),
      )
    } catch (error) {
      if (error.error === 'slow_down') interval += 5
      else if (error.error !== 'authorization_pending') throw error
      await new Promise((resolve) => setTimeout(resolve, interval * 1000))
    }
  }
}

const started = await oauth.processDeviceAuthorizationResponse(
  as, client, await oauth.deviceAuthorizationRequest(as, client, auth, { scope: setting.scope }, options))
say({ user_code: started.user_code, expires_in: started.expires_in, interval: started.interval })
const tokens = await poll(started)
const refreshed = await withNonce(
  () => oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options),
  (response) => oauth.processRefreshTokenResponse(as, client, response),
)

const resourceServer = { client_id: setting.rs.client_id }
const introspect = async () => oauth.processIntrospectionResponse(as, resourceServer, await oauth.introspectionRequest(
  as, resourceServer, oauth.ClientSecretBasic(setting.rs.secret), refreshed.access_token, insecure))
const person = await withNonce(
  () => oauth.userInfoRequest(as, client, refreshed.access_token, options),
  (response) => oauth.processUserInfoResponse(as, client, oauth.getValidatedIdTokenClaims(tokens).sub, response),
)
const before = await introspect()
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, auth, refreshed.refresh_token, insecure))
const after = await introspect()

say({
  access_token: refreshed.access_token,
  token_type: refreshed.token_type,
  id_claims: oauth.getValidatedIdTokenClaims(tokens),
  person,
  before,
  after,
})
