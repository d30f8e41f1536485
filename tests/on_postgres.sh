#!/usr/bin/env bash
# Start a PostgreSQL and a Redis of our own on loopback, run the tests of the product's rows and jobs against them,
# and leave nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"  # runuser lives there, and not every root's path has it

binaries=$(compgen -G "/usr/lib/postgresql/*/bin" | sort -V | tail -n 1 || true)
[ -n "$binaries" ] || binaries=$(dirname "$(command -v postgres || echo /nowhere/postgres)")
if [ ! -x "$binaries/postgres" ] || ! command -v redis-server >/dev/null; then
  echo "PostgreSQL or Redis is missing: these tests are skipped." >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
fi

folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
as_postgres() { if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
finish() {
  as_postgres "$binaries/pg_ctl" --pgdata "$folder/db" --mode immediate stop >/dev/null 2>&1 || true
  [ -s "$folder/redis.pid" ] && kill "$(cat "$folder/redis.pid")" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
chmod 755 "$folder"
[ "$(id -u)" -eq 0 ] && chown postgres "$folder"
as_postgres "$binaries/initdb" --pgdata "$folder/db" --username anymask --auth trust --encoding UTF8 --no-sync >/dev/null
as_postgres "$binaries/pg_ctl" --pgdata "$folder/db" --wait --log "$folder/log" \
  --options "-p $port -h 127.0.0.1 -k $folder -c fsync=off" start >/dev/null
redis-server --port $((port + 1)) --bind 127.0.0.1 --save '' --daemonize yes --pidfile "$folder/redis.pid" --dir "$folder" >/dev/null
export DATABASE_URL="postgres://anymask@127.0.0.1:$port/postgres" ANYMASK_BROKER_URL="redis://127.0.0.1:$((port + 1))/0"
pytest -n "${TEST_PROCESSES:-3}" --dist loadfile tests/annotation tests/engine tests/contracts -m "not slow" "$@"
