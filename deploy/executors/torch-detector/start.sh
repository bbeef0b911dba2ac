#!/usr/bin/env bash
# Runs the executor by the container contract; PYTHON chooses the interpreter, which needs PyTorch.
set -euo pipefail

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

# So that matrices are multiplied in the same order every time on a GPU too.
export CUBLAS_WORKSPACE_CONFIG="${CUBLAS_WORKSPACE_CONFIG:-:4096:8}"
export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"

exec "${PYTHON:-python3}" -m torch_detector
