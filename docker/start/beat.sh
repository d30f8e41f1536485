#!/bin/sh
# The clock. One is enough; a second does no harm, since everything it starts is idempotent.
exec celery --quiet --app config beat --pidfile= --loglevel WARNING
