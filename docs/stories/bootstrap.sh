#!/bin/sh
# Brings up a host of one site with the secrets of that site.
set -eu
site=$2
vault=https://vault.example.com
curl -sf -H "Authorization: DPoP $(waypass token)" \
     -H "DPoP: $(waypass token --dpop GET "$vault/sites/$site")" "$vault/sites/$site" > /etc/site.json
waypass logout
