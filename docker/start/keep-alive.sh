#!/bin/sh
# Run a command, start it again whenever it dies by itself, and end with it when told to stop.
child=
stop() {
  trap '' TERM INT
  if [ -n "$child" ]; then
    kill -TERM "$child" 2>/dev/null
    wait "$child"
  fi
  exit 0
}
trap stop TERM INT
while :; do
  "$@" &
  child=$!
  wait "$child"
  echo "$* ended with code $?; it starts again in a second" >&2
  sleep 1 &
  child=$!
  wait "$child"
done
