#!/bin/sh
# All workers of one machine and the clock, each started again when it dies. $WORKERS chooses, by the names in Procfile.
# They get 50 s to end what they do, within the 60 s that compose.yaml gives the container.
exec python docker/start/processes.py 50 start --no-prefix --procfile docker/start/Procfile ${WORKERS:-interactive io exports webhooks batch training beat}
