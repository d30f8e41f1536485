"""The composition root. The Celery app is loaded with Django so that every process can send by name."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
