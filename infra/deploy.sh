#!/usr/bin/env bash
# Give one function the code of a release; everything else about it is Terraform's. deploy.sh FUNCTION, with RELEASE, REGION, RUNTIME.
set -euo pipefail
function=$1
: "${RELEASE:?}" "${REGION:?}" "${RUNTIME:?}"
if [ "${DEPLOY:-yes}" != yes ]; then
  echo "Not deployed: DEPLOY is '${DEPLOY}'. The bundle lies at $RELEASE/$function.zip."
  exit 0
fi
gcloud functions deploy "broadcast-manager-$function" --gen2 --quiet --region="$REGION" --runtime="$RUNTIME" \
  --source="$RELEASE/$function.zip" --entry-point="$function" --trigger-http
