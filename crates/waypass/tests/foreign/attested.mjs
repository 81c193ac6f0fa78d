// An attester and an attested instance, both signing with `jose`: the challenge, a request, polls and a refresh,
// with a proof of possession of its own (`normal`) or by the DPoP proof alone (`combined`).
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose'
import { setting, say } from './common.mjs'

const discovered = await fetch(`${setting.issuer}/.well-known/oauth-authorization-server`)
const as = await discovered.json()
const attester = await importJWK(setting.attester, 'ES256')
const instance = await generateKeyPair('ES256')
const jwk = await exportJWK(instance.publicKey)

function signed(key, header, claims) {
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).setIssuedAt().sign(key)
}

const attestation = await signed(attester, { typ: 'oauth-client-attestation+jwt' }, {
  iss: 'https://attester.example',
  sub: setting.client_id,
  exp: Math.floor(Date.now() / 1000) + 600,
  cnf: { jwk },
  key_storage: 'secure element',
})

async function challenge() {
  const answer = await fetch(as.challenge_endpoint, { method: 'POST' })
  return (await answer.json()).attestation_challenge
}

async function post(url, form) {
  const value = await challenge()
  const jti = () => crypto.randomUUID()
  const headers = {
    'OAuth-Client-Attestation': attestation,
    DPoP: await signed(instance.privateKey, { typ: 'dpop+jwt', jwk }, { htm: 'POST', htu: url, jti: jti(), nonce: value }),
  }
  if (setting.mode === 'normal') {
    headers['OAuth-Client-Attestation-PoP'] = await signed(
      instance.privateKey,
      { typ: 'oauth-client-attestation-pop+jwt' },
      { aud: as.issuer, jti: jti(), challenge: value },
    )
  }
  const answer = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form) })
  return answer.json()
}

const started = await post(as.device_authorization_endpoint, { scope: setting.scope })
say({ ...started, thumbprint: await calculateJwkThumbprint(jwk) })
let tokens
do {
  await new Promise((resolve) => setTimeout(resolve, started.interval * 1000))
  tokens = await post(as.token_endpoint, {
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: started.device_code,
  })
} while (tokens.error === 'authorization_pending')
const refreshed = await post(as.token_endpoint, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
say(refreshed)
