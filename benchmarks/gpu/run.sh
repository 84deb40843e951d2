#!/usr/bin/env bash
# One command on a machine with a GPU: the tests of training there, then one table of speed.
# benchmarks/gpu/run.sh [SIZE ...]    sizes: 0.6b, 1.7b, 4b, 8b; default 8b
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-python3}
"$PYTHON" -m pytest -q -n 0 -m gpu tests/unit/trainer
"$PYTHON" benchmarks/gpu/speed.py "${@:-8b}"
