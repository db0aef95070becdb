#!/bin/sh
# upgrade.sh FOLDER: the first rollout and every later one. Migrations run first, with the new image,
# while the old pods go on serving; when they fail nothing is rolled out (docs/upgrading.md).
set -eu
folder=${1:?which overlay?}
rendered=$(mktemp)
trap 'rm -f "$rendered"' EXIT
kubectl kustomize "$folder" >"$rendered"
namespace=$(sed -n '/^kind: Namespace$/,/^---$/s/^  name: //p' "$rendered")
[ -n "$namespace" ] || { echo "$folder names no namespace." >&2; exit 1; }

run() { kubectl --namespace "$namespace" "$@"; }

# What the migrations need, and what has no pods: account, settings, policies, stores of the demo.
component=app.kubernetes.io/component
run apply -f "$rendered" -l "!$component"
run apply -f "$rendered" -l "$component in (postgres, redis)"

# A Job cannot be changed, only made anew.
run delete job etims-migrate --ignore-not-found --wait
run apply -f "$rendered" -l "$component=migrate"
if ! run wait --for=condition=complete --timeout="${MIGRATE_TIMEOUT:-15m}" job/etims-migrate; then
    run logs job/etims-migrate --tail=50 >&2 || true
    echo "The migrations did not end well. Nothing was rolled out; the old version goes on." >&2
    exit 1
fi

run apply -f "$rendered"
for each in web worker beat watchdog; do
    run rollout status deployment/etims-$each --timeout=10m
done
