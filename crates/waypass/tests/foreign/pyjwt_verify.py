"""PyJWT verifies a token as a resource server would: keys from the JWKS document, issuer, audience and
lifetime, every claim of RFC 9068 §2.2 required. Prints header and claims."""

import json
import sys

import jwt

setting = json.loads(sys.argv[1])
token = setting["token"]
key = jwt.PyJWKClient(setting["jwks_uri"]).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token,
    key,
    algorithms=["ES256", "RS256", "EdDSA"],
    issuer=setting["issuer"],
    audience=setting["audience"],
    options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
)
header = jwt.get_unverified_header(token)
assert header["typ"] == setting["typ"], header
print(json.dumps({"header": header, "claims": claims}))
