// An OpenID provider of somebody else's making, on a port of its own: `oidc-provider`, which signs in anybody
// under any name. It says its port; the redirect URI of its one client comes on stdin.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { Provider } from 'oidc-provider'

const { client_id, client_secret, groups } = JSON.parse(process.argv[2])
const server = createServer()
server.listen(0, 'localhost', () => process.stdout.write(`${server.address().port}\n`))

createInterface({ input: process.stdin }).once('line', (redirectUri) => {
  const provider = new Provider(`http://localhost:${server.address().port}`, {
    clients: [{ client_id, client_secret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], profile: ['groups'] },
    // Groups in the ID token itself, as other providers have them.
    conformIdTokenClaims: false,
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, groups }) }),
  })
  server.on('request', provider.callback())
  process.stdout.write('ready\n')
}).on('close', () => process.exit())
