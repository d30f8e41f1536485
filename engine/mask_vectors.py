"""The vectors of an index of masks, block by block: added, read one after another, taken out with their masks.

Whoever changes an index holds the lock on its row: one describes new masks while another forgets those of a picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from annotation.models import Mask
from engine.models import MaskIndex, MaskVectors
from modelzoo.embedding import STORED

SERIAL = np.dtype("<i8")
TOTAL = np.dtype("<f8")


def index_locked(pk: int) -> MaskIndex | None:
    """Inside a transaction: the index as it is, changed by nobody else before the end of the transaction."""
    return MaskIndex.objects.select_for_update().filter(pk=pk).first()


def block_add(index: MaskIndex, serials: NDArray[np.int64], vectors: NDArray[np.float16]) -> None:
    """One more block, without masks whose picture was removed for good while they were described."""
    there = _there(serials)
    serials, vectors = serials[there], vectors[there]
    if len(serials):
        MaskVectors.objects.create(index=index, serials=serials.tobytes(), vectors=vectors.tobytes())
        index.total = (total_of(index) + vectors.astype(TOTAL).sum(axis=0)).tobytes()
        index.masks += len(serials)


def _there(serials: NDArray[np.int64]) -> NDArray[np.bool_]:
    there = Mask.objects.filter(serial__in=serials.tolist()).values_list("serial", flat=True)
    return np.isin(serials, np.array(list(there), SERIAL))


def total_of(index: MaskIndex) -> NDArray[np.float64] | float:
    """The sum of all vectors (D), 0.0 of an index that is empty."""
    return np.frombuffer(bytes(index.total), TOTAL) if index.total else 0.0


def blocks_of(index: MaskIndex) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """(serials N, vectors float16 N x D), block by block."""
    for row in index.blocks.all().iterator(chunk_size=4):
        serials, vectors = _read(row)
        if len(serials):
            yield serials, vectors


def _read(row: MaskVectors) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    serials = np.frombuffer(bytes(row.serials), SERIAL)
    return serials, np.frombuffer(bytes(row.vectors), STORED).reshape(len(serials), -1)


def masks_forget(*, dataset_id: int) -> int:
    """Take the vectors of masks that are gone for good out of every block; how many there were."""
    removed = 0
    for index in MaskIndex.objects.filter(dataset=dataset_id):
        with transaction.atomic():
            index_locked(
                index.pk
            )  # a block that is being added is among these, and who adds a later one misses the masks
            blocks = list(index.blocks.values_list("pk", flat=True))
        # Not by one open read: once somebody else has written meanwhile, SQLite lets who reads write no more.
        removed += sum(_forget_in(index.pk, pk) for pk in blocks)
    return removed


def _forget_in(index_pk: int, pk: int) -> int:
    """The same of one block; most hold none of them and are not locked."""
    block = MaskVectors.objects.filter(pk=pk).first()
    if block is None or _there(_read(block)[0]).all():
        return 0
    with transaction.atomic():
        index = index_locked(index_pk)
        if index is None:
            return 0
        block.refresh_from_db()  # another picture of it may be removed at this moment
        serials, vectors = _read(block)
        keep = _there(serials)
        index.total = (total_of(index) - vectors[~keep].astype(TOTAL).sum(axis=0)).tobytes()
        index.masks -= int((~keep).sum())
        index.save(update_fields=["total", "masks"])
        block.serials, block.vectors = serials[keep].tobytes(), vectors[keep].tobytes()
        block.save(update_fields=["serials", "vectors"])
    return int((~keep).sum())


def index_renew(*, dataset_id: int) -> None:
    """Pixels of a picture are shown otherwise: an index that exists is made anew when the clock comes by."""
    with transaction.atomic():
        versions = list(MaskIndex.objects.filter(dataset=dataset_id).values_list("version", flat=True))
        MaskIndex.objects.filter(dataset=dataset_id).delete()
        MaskIndex.objects.bulk_create(MaskIndex(dataset_id=dataset_id, version_id=version) for version in versions)
