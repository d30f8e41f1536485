#!/bin/sh
# A worker for the queues named in $1. One job at a time: torch uses the cores by itself, and a job that kills its
# process takes no other with it.
queues="$1"
exec celery --quiet --app config worker --pool solo --queues "$queues" --hostname "$(echo "$queues" | tr , -)@%h-$$" \
  --without-gossip --without-mingle --loglevel WARNING
