#!/bin/sh
# The web process. Stateless; any number may run.
if [ -n "${ANYMASK_METRICS_TOKEN:-}" ]; then
  # One folder for the counts of all processes below this gunicorn, emptied when they start anew. By port, since another
  # gunicorn of this machine has its own, which is in use.
  export PROMETHEUS_MULTIPROC_DIR="${ANYMASK_DATA:-data}/metrics-$(uname -n)-${PORT:-8000}"
  rm -rf "$PROMETHEUS_MULTIPROC_DIR" && mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
fi
# Idle connections stay open longer than people think and than proxies wait: whoever closes first must not be us.
exec gunicorn config.wsgi --bind "${HOST:-0.0.0.0}:${PORT:-8000}" --workers "${WEB_WORKERS:-2}" --threads "${WEB_THREADS:-8}" \
  --keep-alive 75 --timeout 120 --graceful-timeout 20 --log-level warning
