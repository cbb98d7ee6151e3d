#!/usr/bin/env bash
# A Python environment with exactly the packages of tests/NAME.txt, in target/NAME; made once for each such list.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1
wanted=$(sha256sum <"tests/$name.txt")
at=target/$name
if [ "$(cat "$at/made-for" 2>/dev/null)" != "$wanted" ]; then
  echo "installing tests/$name.txt into $at" >&2
  rm -rf "$at"
  python3 -m venv "$at"
  "$at/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r "tests/$name.txt"
  echo "$wanted" >"$at/made-for"
fi
