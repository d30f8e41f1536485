"""Pictures from folders of the server and prefixes of object stores that whoever runs it has named.

On the same disk nothing is copied, and what lies in an object store stays there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from annotation import jobkit, storage
from annotation.errors import Missing, UserError
from annotation.jobkit import JobContext
from annotation.models import Dataset, Job
from annotation.services import buckets
from annotation.services.gathering import Item, gather
from annotation.services.images import Rights, clean_name

IMPORT = jobkit.declare("import_server_folder", queue="io", title="Add a folder of the server", time_limit=24 * 3600)
MAX_FILES = 1_000_000
LISTED = 1000  # folders offered


def roots() -> list[Path]:
    """The folders that may be read; none unless ANYMASK_SERVER_FOLDERS names some."""
    return [Path(name).resolve() for name in settings.ANYMASK_SERVER_FOLDERS if Path(name).is_dir()]


def folders_list() -> list[str]:
    """Roots and the folders directly in them, as "root" or "root/folder" by the root's own name; then prefixes of
    object stores, as "s3://bucket/prefix"."""
    found: list[str] = []
    for root in roots():
        found.append(root.name)
        with os.scandir(root) as entries:
            inner = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        found += [f"{root.name}/{name}" for name in inner if not name.startswith(".")]
    return found[:LISTED] + buckets.prefixes_list()


def folder_find(name: str) -> Path:
    """The folder that a person calls "root/part/part". Raises Missing, also for what lies outside or behind a link."""
    first, *rest = name.strip("/").split("/")
    for root in roots():
        if root.name == first and not any(part in ("", ".", "..") for part in rest):
            wanted = root.joinpath(*rest)
            if wanted.is_dir() and wanted.resolve() == wanted:
                return wanted
    raise Missing("folder_unknown", "There is no such folder among those that this server offers.")


def folder_request(*, dataset: Dataset, folder: str, rights: dict[str, str], user: Any) -> Job:
    """Queue the pictures and zip archives of a folder and all folders in it."""
    buckets.prefix_find(folder) if buckets.is_prefix(folder) else folder_find(folder)
    return jobkit.enqueue(
        IMPORT.name,
        {"dataset_id": dataset.pk, "folder": folder, "rights": rights, "user_id": user.pk},
        dataset=dataset,
        created_by=user,
        dedupe_key=f"{dataset.pk} {folder}"[:200],
        title=f"Add folder {clean_name(folder)}"[:200],
    )


def folder_take(*, ctx: JobContext, dataset: Dataset, folder: str, rights: Rights, user: Any) -> dict[str, Any]:
    """Take everything in; the job's result. Files that are there already cost one read each."""
    items = buckets.prefix_items(folder) if buckets.is_prefix(folder) else list(_folder_items(folder))
    return gather(ctx=ctx, dataset=dataset, items=items, total=len(items), rights=rights, user=user)


def _folder_items(folder: str) -> Iterator[Item]:
    for path in _files(folder_find(folder)):
        yield Item(name := clean_name(path.name), name, partial(storage.link_or_copy, path))


def _files(folder: Path) -> Iterator[Path]:
    """Every file below, in order of name; links and hidden ones are passed over. Raises UserError for too many."""
    found = 0
    for here, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(here) / name
            if name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            found += 1
            if found > MAX_FILES:
                raise UserError("folder_too_large", f"The folder holds more than {MAX_FILES} files: take its parts.")
            yield path
