#!/bin/sh
# A worker for the queues named in $1. One job at a time: torch uses the cores by itself, and a job that kills its
# process takes no other with it. One that serves webhooks alone waits for other people's servers and does nothing else,
# so it waits for sixteen at once.
queues="$1"
pool="solo"
if [ "$queues" = webhooks ]; then pool="threads --concurrency 16"; fi
# shellcheck disable=SC2086  the pool is several words
exec celery --quiet --app config worker --pool $pool --queues "$queues" --hostname "$(echo "$queues" | tr , -)@%h-$$" \
  --without-gossip --without-mingle --loglevel WARNING
