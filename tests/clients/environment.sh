#!/usr/bin/env bash
# A Python environment with exactly the packages of tests/clients/NAME.txt, in target/clients/NAME; made once for each such list.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1
wanted=$(sha256sum <"tests/clients/$name.txt")
at=target/clients/$name
if [ "$(cat "$at/made-for" 2>/dev/null)" != "$wanted" ]; then
  echo "installing tests/clients/$name.txt into $at" >&2
  rm -rf "$at"
  python3 -m venv "$at"
  "$at/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r "tests/clients/$name.txt"
  echo "$wanted" >"$at/made-for"
fi
