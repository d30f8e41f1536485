#!/bin/sh
# Before anything else starts: tables, and the default model in its place. Harmless when nothing is to be done.
set -e
python manage.py migrate --verbosity 0
exec python manage.py prepare "$@"
