#!/bin/sh
# The clock. One is enough; a second one waits until the first is gone.
exec celery --quiet --app config beat --pidfile= --loglevel WARNING
