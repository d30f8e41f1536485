#!/usr/bin/env bash
# Every test, from nothing: TypeScript, Python on SQLite, the same on PostgreSQL, the browser. Called by `make test`.
# Extra arguments go to pytest and then only Python on SQLite runs: `tests/run.sh tests/modelzoo -k clicks`.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OMP_WAIT_POLICY=PASSIVE OPENBLAS_NUM_THREADS=1
export ANYMASK_DATA="${ANYMASK_TEST_DATA:-$PWD/build/test-data}"
mkdir -p "$ANYMASK_DATA"

if [ "$#" -gt 0 ]; then
  exec pytest "$@"
fi

tests/prepare_machine.sh
echo "== TypeScript"
(cd frontend && npm test --silent)
echo "== Python"
# One process more than two cores: journeys, browsers and retrainings mostly wait (tests/scheduling.py).
pytest -n "${TEST_PROCESSES:-3}" --dist loadfile
echo "== The same on PostgreSQL and Redis"
tests/on_postgres.sh
