"""Pictures from a list of addresses on the web, fetched by a job within the bounds of annotation.outbound."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import transaction

from annotation import jobkit, outbound, storage
from annotation.errors import TooLarge, UserError
from annotation.jobkit import JobContext
from annotation.models import Dataset, Job
from annotation.services.gathering import Item, gather
from annotation.services.images import Rights, clean_name

IMPORT = jobkit.declare("import_url_list", queue="io", title="Add pictures from addresses", time_limit=24 * 3600)
MAX_ADDRESSES = 100_000
FILE = "addresses.json"
SHOWN = 200


def addresses_request(*, dataset: Dataset, addresses: list[str], rights: dict[str, str], user: Any) -> Job:
    """Queue a list; blank lines are passed over. The same list that waits already is the same job. Raises UserError."""
    wanted = [address.strip() for address in addresses if address.strip()]
    if not wanted:
        raise UserError("addresses_empty", "Send at least one address.")
    if len(wanted) > MAX_ADDRESSES:
        raise TooLarge("addresses_too_many", f"A list may have {MAX_ADDRESSES} addresses at the most.")
    content = json.dumps(wanted).encode()
    with storage.work_folder() as work:
        kept = work / FILE
        kept.write_bytes(content)
        with transaction.atomic():
            job = jobkit.enqueue(
                IMPORT.name,
                {"dataset_id": dataset.pk, "rights": rights, "user_id": user.pk},
                dataset=dataset,
                created_by=user,
                dedupe_key=f"{dataset.pk} {hashlib.sha256(content).hexdigest()}",
                title=f"Add {len(wanted)} pictures from addresses",
            )
            # In place before the row is visible to a worker.
            storage.adopt(kept, storage.path_for("imports", str(job.pk), FILE))
    return job


def addresses_take(*, ctx: JobContext, dataset: Dataset, rights: Rights, user: Any) -> dict[str, Any]:
    """Fetch and take in the list that was kept for a job; the job's result."""
    kept = storage.found(storage.path_for("imports", str(ctx.job.pk), FILE))
    if not kept.is_file():
        raise UserError("upload_missing", "The list of addresses is no longer there. Send it again.")
    addresses = json.loads(kept.read_bytes())
    return gather(ctx=ctx, dataset=dataset, items=_items(addresses), total=len(addresses), rights=rights, user=user)


def _items(addresses: list[str]) -> Iterator[Item]:
    for number, address in enumerate(addresses, 1):
        shown = _shown(address)
        name = clean_name(unquote(shown.rstrip("/"), errors="replace"))
        yield Item(name, f"{number}: {shown}"[:SHOWN], partial(_fetch, address), source=shown)


def _shown(address: str) -> str:
    """An address for people and for the record: without its query, which may hold a signature or a key."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return clean_name(address)
    printable = "".join(c for c in f"{parts.scheme}://{host}{parts.path}" if c.isprintable())
    return printable.encode("utf-8", "replace").decode()[:500] if parts.scheme and host else clean_name(address)


def _fetch(address: str, target: Path) -> None:
    outbound.download(address, target, max_bytes=settings.ANYMASK_MAX_IMAGE_BYTES, seconds=settings.ANYMASK_URL_SECONDS)
