// `jose` verifies a token as a resource server would: keys from the JWKS document, type, issuer,
// audience and lifetime from RFC 9068 §4. Prints header and claims.
import { createRemoteJWKSet, jwtVerify } from 'jose'

const { issuer, jwks_uri, audience, token, typ } = JSON.parse(process.argv[2])
// A debug build beside a busy browser may need longer than the five seconds that jose waits of itself.
const keys = createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: 50_000 })
const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, typ })
process.stdout.write(JSON.stringify({ header: protectedHeader, claims: payload }) + '\n')
