"""The product's settings and the probe. Everything else comes from the environment, as always."""

import os

from config.settings import *  # noqa: F403, TID251  the same installation
from config.settings import CELERY_BROKER_URL, INSTALLED_APPS  # noqa: TID251  the same

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.reliability.probe.apps.ProbeConfig"]
if CELERY_BROKER_URL.startswith("redis") and os.environ.get("PROBE_VISIBILITY"):
    # A day cannot be waited for: the trial of long jobs makes Redis deliver them again within minutes.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": int(os.environ["PROBE_VISIBILITY"]), "socket_timeout": 10}
