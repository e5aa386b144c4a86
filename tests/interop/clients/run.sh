#!/usr/bin/env bash
# The API against clients that are not ours, over a live simulated network: go-livepeer's reading of the scores and of the
# list (Go, with go-ethereum's address), the python gateway's reading of the list, and Schemathesis, which makes requests
# of its own from the API description and fails on a server error, or on an answer that the description does not have.
# Needs cargo or NAAP_BIN, go, and python3 with venv. A missing tool skips it, or fails the run when CI=true.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
missing=
command -v go >/dev/null || missing="go"
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3 with venv"
if [ -n "$missing" ]; then
  echo "SKIPPED the clients of the API (missing $missing)"
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
work=$(mktemp -d)
server=
# The server is ours, started below.
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

if [ -z "${NAAP_BIN:-}" ]; then
  cargo build --quiet --manifest-path "$root/Cargo.toml" --package naap
  target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
  NAAP_BIN=$target/debug/naap
fi
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
(cd "$here/go" && go build -o "$work/clients" .)

# A short past is enough for everybody to be known, if not for scores of every grade.
NAAP_SIMULATION__PAST_DAYS=2 "$NAAP_BIN" dev --simulate --data "$work/data" --listen 127.0.0.1:0 --kafka 127.0.0.1:0 \
  >"$work/out" 2>"$work/log" &
server=$!
ready=
for _ in $(seq 600); do
  api=$(sed -n 's/.*"api": *"\([^"]*\)".*/\1/p' "$work/data/addresses.json" 2>/dev/null || true)
  if [ -n "$api" ] && curl -sf "http://$api/v1/route/webhook?network=simulation" >/dev/null; then
    ready=1
    break
  fi
  kill -0 "$server" || { cat "$work/log"; exit 1; }
  sleep 0.5
done
[ -n "$ready" ] || { echo "no scores within five minutes"; tail -20 "$work/log"; exit 1; }

"$work/clients" "http://$api" simulation
"$work/python/bin/python" "$here/gateway.py" "http://$api" simulation
# It keeps what it learned beside where it runs.
(cd "$work" && SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1 python/bin/schemathesis --config-file "$here/schemathesis.toml" run "http://$api/v1/openapi.json" \
  --url "http://$api" --seed 1)
kill -0 "$server" || { echo "the server ended"; tail -20 "$work/log"; exit 1; }
