#!/usr/bin/env bash
# Everything on one machine: prepare what is missing, then web, workers and beat under one process manager.
# Called by `make run`; environment: PORT, HOST, ANYMASK_DATA and the rest of docs/settings.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PORT="${PORT:-8000}" HOST="${HOST:-127.0.0.1}" ANYMASK_DATA="${ANYMASK_DATA:-$PWD/data}"
export PATH="$PWD/.venv/bin:$PATH" PYTHONUNBUFFERED=1 OMP_WAIT_POLICY=PASSIVE OPENBLAS_NUM_THREADS=1
export LOG_LEVEL="${LOG_LEVEL:-WARNING}"

python -m config.ready --free
docker/start/prepare.sh
python manage.py load_samples
python manage.py prepare --encode 3
python -m config.ready --wait &
# The port is passed on as the environment says: honcho would count it up for every process.
# They get 25 s to end what they do: gunicorn takes 20 for its requests.
exec python docker/start/processes.py 25 start --no-prefix --port "$PORT" --procfile docker/start/Procfile
