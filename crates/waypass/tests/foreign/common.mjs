// What the two OAuth programs share: their setting (one JSON argument) and their one way to speak.
import { importJWK } from 'jose'

export const setting = JSON.parse(process.argv[2])

export function say(line) {
  process.stdout.write(JSON.stringify(line) + '\n')
}

/** The client's own signing key, for `private_key_jwt`. */
export async function signingKey() {
  const { kid, ...jwk } = setting.jwk
  return { key: await importJWK(jwk, 'ES256'), kid }
}
