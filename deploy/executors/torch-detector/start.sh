#!/usr/bin/env bash
# Runs the executor by the container contract; PYTHON chooses the interpreter, which needs PyTorch.
set -euo pipefail

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

# So that matrices are multiplied in the same order every time on a GPU too.
export CUBLAS_WORKSPACE_CONFIG="${CUBLAS_WORKSPACE_CONFIG:-:4096:8}"
export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"

# PyTorch makes a folder for what it compiles as soon as it is imported; nothing is compiled, and nothing is to be left.
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
export TORCHINDUCTOR_CACHE_DIR="$scratch"

"${PYTHON:-python3}" -m torch_detector &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' TERM INT
status=0
wait "$child" || status=$?
if kill -0 "$child" 2>/dev/null; then  # the wait was ended by a signal, which the program has by now
  wait "$child" || status=$?
fi
exit "$status"
