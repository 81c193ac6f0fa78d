#!/bin/sh
# Has one site deployed. The host compares what it is told with what was approved.
set -eu
site=${SITE:-$2}
digest=$(sha256sum "$0")
printf 'Waypass-Run: %s' "$WAYPASS_SECRET" |
    curl --silent --show-error --fail-with-body -H @- "$WAYPASS_ENDPOINT/deploys/$site" \
        --data "{\"argv\": [\"./deploy.sh\", \"--site\", \"$site\"], \"executable_sha256\": \"${digest%% *}\"}"
