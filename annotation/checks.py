"""System checks: a process that is set up wrongly says so before it starts."""

from __future__ import annotations

import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connection

from annotation import object_store, storage


@register()
def storage_is_writable(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.E001: ANYMASK_DATA must take files."""
    if storage.is_writable():
        return []
    return [
        Error(
            f"{storage.root()} cannot be written.",
            hint="Set ANYMASK_DATA to a folder of your own.",
            id="annotation.E001",
        )
    ]


@register()
def sqlite_waits_for_its_turn(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.E002: on SQLite, transactions must start as IMMEDIATE; else a third of concurrent writes fail."""
    if connection.vendor != "sqlite":
        return []
    if settings.DATABASES["default"].get("OPTIONS", {}).get("transaction_mode") == "IMMEDIATE":
        return []
    return [Error("SQLite needs transaction_mode IMMEDIATE.", id="annotation.E002")]


@register()
def messages_are_json(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.E003: workers must take JSON messages only; a pickle runs code."""
    if list(settings.CELERY_ACCEPT_CONTENT) == ["json"] and settings.CELERY_TASK_SERIALIZER == "json":
        return []
    return [Error("Celery must accept JSON only.", id="annotation.E003")]


@register()
def networks_are_networks(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.E004: ANYMASK_URL_NETWORKS must hold networks such as 10.1.0.0/16."""
    try:
        for network in settings.ANYMASK_URL_NETWORKS:
            ipaddress.ip_network(network, strict=False)
    except ValueError as problem:
        return [Error(f"ANYMASK_URL_NETWORKS: {problem}.", id="annotation.E004")]
    return []


@register()
def machines_share_a_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.W002: machines with disks of their own need one key, or a session of one is none elsewhere."""
    if not object_store.is_used() or os.environ.get("SECRET_KEY"):
        return []
    hint = "Give every machine the same SECRET_KEY, unless there is only one."
    return [Warning("Files are in an object store, the secret key on this disk.", hint=hint, id="annotation.W002")]


@register()
def store_wants_a_database_server(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.E006: while a file is sent to the store a transaction may be open, and SQLite has one writer."""
    if not object_store.is_used() or connection.vendor != "sqlite":
        return []
    return [Error("ANYMASK_STORE needs PostgreSQL (DATABASE_URL).", id="annotation.E006")]


LOOPBACK = ("localhost", "127.0.0.1", "::1")
MOST_ISSUER = 200  # characters that allauth keeps of one


@register()
def provider_is_whole(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.E005: sign-in by a provider needs https, an id, a secret, and a word on who may come."""
    if not (issuer := settings.ANYMASK_OIDC_ISSUER):
        return []
    wrong = []
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        wrong.append("ANYMASK_OIDC_ISSUER must begin with https://.")
    if len(issuer) > MOST_ISSUER or "/.well-known/" in issuer:
        wrong.append(f"ANYMASK_OIDC_ISSUER is the issuer alone, {MOST_ISSUER} characters at the most.")
    wrong += [
        f"{name} is missing."
        for name in ("ANYMASK_OIDC_CLIENT_ID", "ANYMASK_OIDC_CLIENT_SECRET")
        if not getattr(settings, name)
    ]
    if settings.ANYMASK_OIDC_NEW_PEOPLE not in ("invited", "anyone"):
        wrong.append("ANYMASK_OIDC_NEW_PEOPLE must be invited or anyone.")
    return [Error(sentence, id="annotation.E005") for sentence in wrong]


@register(deploy=True)
def temporary_uploads_are_on_the_same_disk(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """annotation.W001: uploads are moved into place by rename, which needs one file system."""
    if settings.FILE_UPLOAD_TEMP_DIR.stat().st_dev == storage.root().stat().st_dev:
        return []
    return [Warning("Uploads land on another disk than the data and will be copied.", id="annotation.W001")]
