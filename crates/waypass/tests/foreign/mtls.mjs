// `openid-client` over mutual TLS (RFC 8705): `tls_client_auth` at the aliased endpoints, certificate-bound tokens.
// The library chooses the endpoints; this program only says which certificate its connections show.
import https from 'node:https'
import * as client from 'openid-client'
import { setting, say } from './common.mjs'

// Node's own fetch has no way to say a certificate.
function fetchWith(identity) {
  return (url, { method, headers, body }) => new Promise((resolve, reject) => {
    const request = https.request(url, { method, headers, ca: setting.ca, ...identity, agent: false }, (answer) => {
      const chunks = []
      answer.on('data', (chunk) => chunks.push(chunk))
      answer.on('end', () => resolve(new Response(Buffer.concat(chunks), {
        status: answer.statusCode,
        headers: Object.entries(answer.headers).flatMap(([name, values]) => [values].flat().map((value) => [name, value])),
      })))
    })
    request.on('error', reject)
    request.end(body ? String(body) : undefined)
  })
}

const config = await client.discovery(new URL(setting.issuer), setting.client_id,
  { use_mtls_endpoint_aliases: true }, client.TlsClientAuth(),
  { algorithm: 'oauth2', [client.customFetch]: fetchWith(setting.own) })

const started = await client.initiateDeviceAuthorization(config, { scope: setting.scope })
say({ user_code: started.user_code })
const tokens = await client.pollDeviceAuthorizationGrant(config, started)
const person = await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck)

// The same token, over a connection with another certificate of the same authority.
config[client.customFetch] = fetchWith(setting.other)
const stolen = await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck).then(
  () => 'accepted', (error) => error.cause?.[0]?.parameters?.error ?? String(error))
const impostor = await client.refreshTokenGrant(config, tokens.refresh_token).then(
  () => 'accepted', (error) => error.status)

config[client.customFetch] = fetchWith(setting.renewed)
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
const again = await client.fetchUserInfo(config, refreshed.access_token, client.skipSubjectCheck)

say({ access_token: tokens.access_token, refreshed: refreshed.access_token, person, stolen, impostor, again })
