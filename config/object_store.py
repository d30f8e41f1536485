"""What django-storages is told of the object store that ANYMASK_STORE names."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from annotation.s3 import client_config


def storage_of(address: str, endpoint: str) -> dict[str, Any]:
    """The entry of STORAGES for `s3://bucket` or `s3://bucket/prefix`; keys and region are those that boto3 finds."""
    bucket, _, prefix = address.removeprefix("s3://").strip("/").partition("/")
    if not address.startswith("s3://") or not bucket:
        raise ImproperlyConfigured(f"ANYMASK_STORE must be like s3://bucket/prefix, not {address!r}.")
    config = client_config(
        endpoint,
        connect_timeout=3,  # a web thread waits
        read_timeout=10,
        retries={"total_max_attempts": 2, "mode": "standard"},
        signature_version="s3v4",
    )
    options = {
        "bucket_name": bucket,
        "location": prefix,
        "endpoint_url": endpoint or None,
        "client_config": config,
        "file_overwrite": True,  # names are digests and numbers of ours: the same name is the same file, made again
        # Stated, since it is guessed from names otherwise: what ends in .gz would come back inflated.
        "object_parameters": {"ContentType": "application/octet-stream"},
    }
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
