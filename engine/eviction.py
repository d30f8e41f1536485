"""Embeddings take only so much room: what nobody will open soon goes first, and is made again when asked for."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from annotation import object_store, room, storage
from annotation.jobkit import declare, enqueue
from annotation.models import Task
from engine.models import Embedding, ModelVersion

EVICT = declare("evict_embeddings", queue="batch", title="Make room among prepared images")
SHARE_OF_DISK = 1 / 3  # where no limit is set
DOWN_TO = 0.9  # of the limit, so that the next image does not start it again
CHUNK = 200
COUNTED_SECONDS = 60  # how old the sum may be that jobs ask for: of millions of rows it takes seconds
_counted = (-math.inf, 0)  # when this process summed up last, and what came out


def limit_bytes() -> int:
    """Bytes that all embeddings together may take. An object store bounds nothing by itself."""
    if not settings.ANYMASK_EMBEDDING_BYTES and object_store.is_used():
        return sys.maxsize
    return settings.ANYMASK_EMBEDDING_BYTES or int(shutil.disk_usage(storage.root()).total * SHARE_OF_DISK)


def embeddings_bytes() -> int:
    """Bytes that the rows stand for; a file that two datasets share counts twice."""
    return Embedding.objects.aggregate(total=Sum("byte_size"))["total"] or 0


def has_room() -> bool:
    """Whether images may be prepared ahead of need: neither is the room for embeddings taken nor the disk full."""
    global _counted
    if time.monotonic() - _counted[0] > COUNTED_SECONDS:
        _counted = (time.monotonic(), embeddings_bytes())
    return _counted[1] < limit_bytes() and room.has_room()


def eviction_consider() -> None:
    """Have room made where the limit is passed."""
    if embeddings_bytes() > limit_bytes():
        enqueue(EVICT.name, {}, dedupe_key="evict")


def embeddings_evict(*, each: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Remove embeddings, oldest first, until there is room: those of versions that do not serve, then those of images
    without a live task. What people hold or wait for stays. Returns {"removed", "bytes", "left"}.
    """
    over = embeddings_bytes() - int(limit_bytes() * DOWN_TO)
    removed = freed = 0
    for idle in _idle():
        while freed < over and (rows := list(idle.order_by("created_at", "pk")[:CHUNK])):
            for row in rows:
                each()
                row.delete()  # one by one: the file goes with its last row
                removed, freed = removed + 1, freed + row.byte_size
                if freed >= over:
                    break
    return {"removed": removed, "bytes": freed, "left": embeddings_bytes()}


def _idle() -> list[QuerySet[Embedding]]:
    """Embeddings that may go, those that will be missed least in front."""
    tasks = Task.objects.filter(image=OuterRef("image"))
    held = Exists(tasks.filter(state=Task.State.CLAIMED))
    live = Exists(tasks.filter(state__in=[Task.State.OPEN, Task.State.CLAIMED]))
    default = ModelVersion.objects.filter(is_default=True).values("pk")[:1]
    serving = Coalesce(
        "image__dataset__serving_model__version", Subquery(default), output_field=models.BigIntegerField()
    )
    rows = Embedding.objects.annotate(serving=serving)
    serves = Q(version=F("serving"))
    return [rows.filter(~serves, ~held), rows.filter(serves, ~live)]
