#!/usr/bin/env bash
# Runs the executor by the container contract; PYTHON chooses the interpreter.
set -euo pipefail

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

exec "${PYTHON:-python3}" "$here/sample.py"
