#!/usr/bin/env bash
# Real Kafka clients against our listener, in plain text and over TLS with a login: every event a client was told is kept must be in the
# spool, and nothing else. Installs the clients in a temporary folder; needs cargo and openssl, and for each client its own tools.
# A missing tool skips its client, or fails the run when CI=true.
# LISTEN names an already built example to run instead of building it; COUNT is how many events each client sends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
export TOPIC=gateway-events COUNT=${COUNT:-1050}

if [ -z "${LISTEN:-}" ]; then
  cargo build --quiet --manifest-path "$root/Cargo.toml" -p publisher --example listen
  target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
  LISTEN=$target/debug/examples/listen
fi

# An authority, and a certificate it signed for the address that clients are told.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=interop authority' \
  -keyout "$work/authority.key" -out "$work/authority.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' \
  -keyout "$work/key.pem" -out "$work/request.pem" 2>/dev/null
openssl x509 -req -in "$work/request.pem" -CA "$work/authority.pem" -CAkey "$work/authority.key" -days 2 \
  -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n') -out "$work/certificate.pem" 2>/dev/null
echo 'correct horse' >"$work/password"

# try NAME plain|tls VARIANT COMMAND...: runs a client against a fresh listener and compares what each of them says.
try() {
  local name=$1 mode=$2 variant=$3 ok=1
  shift 3
  local label="$name $mode${variant:+ $variant}" home="$work/spool-$RANDOM-$RANDOM" flags=()
  local -a login=()
  if [ "$mode" = tls ]; then
    flags=(--tls "$work/certificate.pem" "$work/key.pem" --login gateway "$work/password")
    login=(LOGIN_USER=gateway LOGIN_PASSWORD='correct horse' AUTHORITY="$work/authority.pem" SSL_CERT_FILE="$work/authority.pem")
  fi
  coproc LISTENER { "$LISTEN" "$home" "$TOPIC" "${flags[@]}"; }
  local listener=$LISTENER_PID out=${LISTENER[0]} in=${LISTENER[1]} line
  read -r -u "$out" line
  env "${login[@]}" BROKER="${line#listening }" VARIANT="$variant" timeout 60 "$@" >"$work/client" 2>"$work/errors" || ok=0
  exec {in}>&-
  cat <&"$out" >"$work/listener"
  wait "$listener" || ok=0
  sed -n 's/^acked //p' "$work/client" | sort >"$work/acked"
  sed -n 's/^kept //p' "$work/listener" | sort >"$work/kept"
  [ "$(wc -l <"$work/acked")" -eq "$COUNT" ] || ok=0
  cmp -s "$work/acked" "$work/kept" || ok=0
  if [ "$ok" = 1 ]; then
    echo "ok $label: $COUNT acknowledged, $COUNT kept"
  else
    failed=1
    echo "FAILED $label: $(wc -l <"$work/acked") of $COUNT acknowledged, $(wc -l <"$work/kept") kept"
    tail -n 5 "$work/errors"
    grep '^refused' "$work/listener" || true
  fi
}

# crash NAME COMMAND...: kills the listener while a client produces; what the client was told is kept must be there after.
crash() {
  local name=$1 round acked=0
  shift
  for round in 1 2 3 4 5; do
    local home="$work/crash-$round"
    coproc LISTENER { exec "$LISTEN" "$home" "$TOPIC"; }
    local listener=$LISTENER_PID out=${LISTENER[0]} line
    read -r -u "$out" line
    env BROKER="${line#listening }" VARIANT='' COUNT=1000000 timeout 30 "$@" >"$work/client" 2>/dev/null &
    local client=$!
    sleep "0.$((round * 17 + 10))"
    kill -9 "$listener"
    wait "$listener" 2>/dev/null || true
    kill "$client"
    wait "$client" 2>/dev/null || true
    "$LISTEN" "$home" "$TOPIC" </dev/null | sed -n 's/^kept //p' | sort -u >"$work/kept"
    sed -n 's/^acked //p' "$work/client" | sort -u >"$work/acked"
    acked=$((acked + $(wc -l <"$work/acked")))
    if [ -n "$(comm -23 "$work/acked" "$work/kept")" ]; then
      failed=1
      echo "FAILED $name killed: $(comm -23 "$work/acked" "$work/kept" | wc -l) acknowledged events are lost"
      return
    fi
  done
  echo "ok $name killed $round times: $acked acknowledged, none lost"
}

# has CLIENT TOOL...: whether its tools are here.
has() {
  local client=$1 tool
  shift
  for tool in "$@"; do
    if ! command -v "$tool" >/dev/null; then
      echo "SKIPPED $client (missing $tool)"
      [ "${CI:-}" != true ] || failed=1
      return 1
    fi
  done
}

if has kafka-go go; then
  (cd "$here/go" && go build -o "$work/gateway" .)
  try kafka-go plain '' "$work/gateway"
  try kafka-go tls '' "$work/gateway"
  crash kafka-go "$work/gateway"
fi
if has kafkajs node npm; then
  mkdir "$work/node"
  cp "$here"/node/{package.json,package-lock.json,.npmrc,produce.js} "$work/node"
  (cd "$work/node" && npm ci --no-audit --no-fund --silent)
  try kafkajs plain '' node "$work/node/produce.js"
  try kafkajs plain gzip node "$work/node/produce.js"
  try kafkajs plain idempotent node "$work/node/produce.js"
  try kafkajs tls '' node "$work/node/produce.js"
fi
if has 'confluent-kafka and aiokafka' python3; then
  python3 -m venv "$work/python"
  "$work/python/bin/pip" install --quiet -r "$here/python/requirements.txt"
  for variant in '' gzip idempotent 0.9.0; do
    try confluent-kafka plain "$variant" "$work/python/bin/python" "$here/python/produce.py" confluent
  done
  try confluent-kafka tls '' "$work/python/bin/python" "$here/python/produce.py" confluent
  for variant in '' gzip idempotent; do
    try aiokafka plain "$variant" "$work/python/bin/python" "$here/python/produce.py" aio
  done
  try aiokafka tls '' "$work/python/bin/python" "$here/python/produce.py" aio
fi
exit $failed
