"""WSGI entry point of the web process. It must never import torch (tests/contracts/test_no_torch_in_web.py)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
