#!/usr/bin/env bash
# Runs the executor by the container contract; PYTHON chooses the interpreter.
set -euo pipefail

here="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

# One thread: the matrices are small, several executors share a machine, and results stay the same to the last bit.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"

exec "${PYTHON:-python3}" -m tiny_detector
