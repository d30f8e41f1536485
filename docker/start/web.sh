#!/bin/sh
# The web process. Stateless; any number may run.
exec gunicorn config.wsgi --bind "${HOST:-0.0.0.0}:${PORT:-8000}" --workers "${WEB_WORKERS:-2}" --threads "${WEB_THREADS:-8}" \
  --timeout 120 --graceful-timeout 20 --log-level warning
