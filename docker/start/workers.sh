#!/bin/sh
# All workers of one machine and the clock, each started again when it dies. $WORKERS chooses, by the names in Procfile.
exec honcho start --no-prefix --procfile docker/start/Procfile ${WORKERS:-interactive io exports webhooks batch training beat}
