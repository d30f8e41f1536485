"""Prefixes of an S3-compatible object store that whoever runs the server has named. Originals stay there.

boto3 is loaded where it is used: most installations have no bucket.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings

from annotation import storage
from annotation.errors import Conflict, Missing, TooLarge, UserError
from annotation.models import Image
from annotation.s3 import client_config
from annotation.services.gathering import Item
from annotation.services.images import clean_name

logger = logging.getLogger(__name__)

SCHEME = "s3://"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
LISTED = 1000
MAX_FILES = 1_000_000
CHUNK = 1 << 18


def is_prefix(name: str) -> bool:
    """Whether a place that a person names is one of an object store."""
    return name.startswith(SCHEME)


def prefixes_list() -> list[str]:
    """What ANYMASK_S3_SOURCES names and the "folders" directly in it; only the former while the store is silent."""
    found: list[str] = []
    for root in _roots():
        found.append(root)
        bucket, prefix = _split(root)
        try:
            with _store() as client:
                answer = client.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=LISTED)
        except UserError as problem:
            logger.warning("object store: %s", problem.message, extra={"bucket": bucket})
            continue
        found += [f"{SCHEME}{bucket}/{row['Prefix'].rstrip('/')}" for row in answer.get("CommonPrefixes", [])]
    return found[:LISTED]


def prefix_find(name: str) -> str:
    """The name itself, if it is one of those on offer or inside. Raises Missing."""
    wanted = name.rstrip("/")
    if any(wanted == root or wanted.startswith(f"{root}/") for root in _roots()):
        return wanted
    raise Missing("folder_unknown", "There is no such folder among those that this server offers.")


def prefix_items(name: str) -> list[Item]:
    """Every object below, in order of key; hidden ones are passed over. Raises UserError for too many."""
    bucket, prefix = _split(prefix_find(name))
    items: list[Item] = []
    with _store() as client:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for row in page.get("Contents", []):
                key = str(row["Key"])
                if key.endswith("/") or PurePosixPath(key).name.startswith("."):
                    continue
                address = f"{SCHEME}{bucket}/{key}"
                fetch = partial(_fetch, bucket, key, _limit(key))
                items.append(Item(clean_name(key), key, fetch, source=address[:500], stays_at=address))
            if len(items) > MAX_FILES:
                raise UserError("folder_too_large", f"The folder holds more than {MAX_FILES} files: take its parts.")
    return items


def original_file(image: Image, work: Path) -> Path:
    """The original of an image, fetched into `work` if it lies in the store. Raises UserError if it has changed."""
    if not image.original_url:
        return storage.found(image.original_path, image.created_at)
    bucket, _, key = image.original_url.removeprefix(SCHEME).partition("/")
    target = work / "original"
    _fetch(bucket, key, settings.ANYMASK_MAX_IMAGE_BYTES, target)
    if storage.sha256_of(target) != image.sha256:
        raise Conflict("original_changed", "The original in the object store is no longer the one that was taken in.")
    return target


def _roots() -> list[str]:
    return [f"{SCHEME}{source.removeprefix(SCHEME).strip('/')}" for source in settings.ANYMASK_S3_SOURCES]


def _split(name: str) -> tuple[str, str]:
    """(bucket, prefix that ends with a slash, or nothing for the whole bucket)."""
    bucket, _, prefix = name.removeprefix(SCHEME).partition("/")
    return bucket, f"{prefix}/" if prefix else ""


def _limit(key: str) -> int:
    archive = key.lower().endswith(ARCHIVES)
    return int(settings.ANYMASK_MAX_ARCHIVE_BYTES if archive else settings.ANYMASK_MAX_IMAGE_BYTES)


@cache
def _client(endpoint: str) -> Any:
    """A client; it may be used from several threads. Keys and region come from where boto3 finds them."""
    import boto3

    retries = {"max_attempts": 3, "mode": "standard"}
    config = client_config(endpoint, connect_timeout=5, read_timeout=30, retries=retries)
    return boto3.client("s3", endpoint_url=endpoint or None, config=config)


@contextmanager
def _store() -> Iterator[Any]:
    """The client; what it raises becomes a sentence."""
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        yield _client(settings.ANYMASK_S3_ENDPOINT)
    except ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code", ""))
        if code in ("NoSuchKey", "NoSuchBucket", "404"):
            raise Missing("s3_missing", "The object store has no such bucket or object.") from None
        raise UserError("s3_refused", f"The object store refuses this: {code or 'no reason given'}.") from None
    except (BotoCoreError, HTTPClientError) as problem:
        raise UserError("s3_unreachable", f"The object store does not answer: {type(problem).__name__}.") from None


def _fetch(bucket: str, key: str, limit: int, target: Path) -> None:
    with _store() as client:
        answer = client.get_object(Bucket=bucket, Key=key)
        with closing(answer["Body"]) as body, target.open("wb") as file:
            if answer["ContentLength"] > limit:
                raise TooLarge("image_file_too_large", f"The file is larger than the limit of {limit >> 20} MiB.")
            for piece in body.iter_chunks(CHUNK):
                file.write(piece)
