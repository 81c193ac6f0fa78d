// `openid-client` asks the owner of its instance by OpenID CIBA in poll mode, and polls until somebody has decided:
// private_key_jwt and DPoP by one key. It knows nothing of Waypass.
import * as client from 'openid-client'
import { calculateJwkThumbprint, importJWK } from 'jose'
import { setting, say } from './common.mjs'

const { kid: _, d, ...jwk } = setting.jwk
const publicKey = await importJWK(jwk, 'ES256')
const privateKey = await importJWK({ ...jwk, d }, 'ES256')
const kid = await calculateJwkThumbprint(jwk)
const config = await client.discovery(new URL(setting.issuer), setting.client_id, undefined,
  client.PrivateKeyJwt({ key: privateKey, kid }), { algorithm: 'oidc', execute: [client.allowInsecureRequests] })
const DPoP = client.getDPoPHandle(config, { privateKey, publicKey })

const asked = await client.initiateBackchannelAuthentication(config, {
  scope: setting.scope, binding_message: setting.binding_message, ...setting.more,
})
say({ expires_in: asked.expires_in, interval: asked.interval })
const tokens = await client.pollBackchannelAuthenticationGrant(config, asked, undefined, { DPoP })
say({ ...tokens, kid, claims: tokens.claims() })
