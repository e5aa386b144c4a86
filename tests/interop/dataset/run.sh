#!/usr/bin/env bash
# A published dataset against readers that are not ours: DuckDB and pandas must read every file, agree with each other,
# with the manifest and with what the API serves over the same data folder, and the hashes and the signature must come
# out by other people's code. Needs cargo and python3 with venv; installs the readers in a temporary folder.
# A missing tool skips it, or fails the run when CI=true. NAAP_BIN names a built binary.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  echo "SKIPPED DuckDB and pandas (missing python3 with venv)"
  [ "${CI:-}" != true ] || exit 1
  exit 0
fi
work=$(mktemp -d)
server=
# The server is ours, started below.
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

NAAP_DATASET=$work cargo test --quiet --manifest-path "$root/Cargo.toml" --workspace --test e2e \
  a_dataset_for_other_readers -- --ignored
if [ -z "${NAAP_BIN:-}" ]; then
  target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
  NAAP_BIN=$target/debug/naap
fi
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

coproc SERVER { exec "$NAAP_BIN" serve --data "$work/data" --listen 127.0.0.1:0 --log error; }
server=$SERVER_PID
read -r -t 60 -u "${SERVER[0]}" line
api=${line#API }
"$work/python/bin/python" "$here/check.py" "$work/published" "${api%%,*}"
