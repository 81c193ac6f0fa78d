// `openid-client` as a machine that asks nobody: private_key_jwt and DPoP by the one key of its instance, with the
// client credentials grant. It knows nothing of Waypass.
import * as client from 'openid-client'
import { calculateJwkThumbprint, importJWK } from 'jose'
import { setting, say } from './common.mjs'

const { kid: _, d, ...jwk } = setting.jwk
const publicKey = await importJWK(jwk, 'ES256')
const privateKey = await importJWK({ ...jwk, d }, 'ES256')
const kid = await calculateJwkThumbprint(jwk)
const config = await client.discovery(new URL(setting.issuer), setting.client_id, undefined,
  client.PrivateKeyJwt({ key: privateKey, kid }), { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
const DPoP = client.getDPoPHandle(config, { privateKey, publicKey })

const tokens = await client.clientCredentialsGrant(config, { scope: 'read' }, { DPoP })
say({ ...tokens, kid, grant_types: config.serverMetadata().grant_types_supported })
