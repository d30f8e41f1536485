"""Masks that look alike to the model, and those that look least like their own kind.

A mask's vector is the stored embedding of its picture, averaged inside the mask (``modelzoo.pooling``). Vectors lie in
blocks that are read one after another: memory is bounded by a block and twelve bytes for each mask, time grows with
the number of masks. The index of a dataset is made when somebody first asks for it, kept up by a job from then on, and
made anew beside the old one when another version serves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.utils import timezone
from numpy.typing import NDArray

from annotation.counts import figure
from annotation.errors import Missing, NotReady
from annotation.jobkit import JobContext, declare, enqueue
from annotation.models import Dataset, Image, Job, Mask, Task
from engine.embeddings import being_prepared, read_pixels, stored_maps
from engine.mask_vectors import SERIAL, block_add, blocks_of, index_locked, total_of
from engine.models import Embedding, MaskIndex, ModelVersion
from engine.serving import predictor_for, serving_version
from engine.tally import SETTLED
from modelzoo.embedding import STORED
from modelzoo.embedding import Embedding as Maps
from modelzoo.pooling import pooled

logger = logging.getLogger(__name__)

INDEX = declare("index_masks", queue="batch", title="Describe masks", lease=120)
BLOCK = 1000  # masks of one block
SLICE_SECONDS = 240  # of one job: uploads wait in the same queue
MOST_MASKS = 1_000_000  # of one dataset; later ones are not searched
PASSED = 10_000  # serials of other datasets, from which they are not passed again at every look
FEWEST = 5  # masks of a category, below which nothing can be unlike the rest
LOOKED_UP = 200  # candidates whose rows are read at once

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """One mask and how like it is, cosine -1..1."""

    mask: Mask
    similarity: float


@figure("describable")
def describable(dataset_id: int) -> int:
    """How many masks could be described; of a large dataset as of a while ago (annotation.counts)."""
    return searchable(dataset_id).count()


def searchable(dataset_id: int) -> QuerySet[Mask]:
    """What is described: masks as they stand when they are looked at, without crowds."""
    return Mask.objects.filter(image__dataset=dataset_id, status__in=Mask.CURRENT, crowd=False)


# --- Making and keeping the index --------------------------------------------------------------------------------


def index_request(*, dataset: Dataset) -> Job | None:
    """Have the masks described for the version that serves; None if all are."""
    version = serving_version(dataset.pk)
    index, _ = MaskIndex.objects.get_or_create(dataset=dataset, version=version)
    last = _newest_settled()
    if index.masks >= MOST_MASKS or not _waiting(index).exists():
        if index.complete_at is None:
            _complete(index)
        if last - index.upto > PASSED:
            MaskIndex.objects.filter(pk=index.pk).update(upto=last)
        return None
    payload = {"dataset": dataset.pk, "digest": version.digest}
    return enqueue(INDEX.name, payload, dataset=dataset, dedupe_key=f"{dataset.pk}:{version.digest}")


def indexes_consider() -> None:
    """Keep up the indexes of datasets where somebody has asked for one."""
    for dataset in list(Dataset.objects.filter(mask_indexes__isnull=False).distinct()):
        try:
            index_request(dataset=dataset)
        except NotReady:
            return
        except Exception:
            logger.exception("masks not described", extra={"dataset": dataset.pk})


def _newest_settled() -> int:
    settled = Mask.objects.filter(created_at__lt=timezone.now() - SETTLED).order_by("-serial")
    return settled.values_list("serial", flat=True).first() or 0


def _waiting(index: MaskIndex) -> QuerySet[Mask]:
    """Masks that are not looked at yet. A save that is being committed may carry a lower serial than one there is."""
    return searchable(index.dataset_id).filter(serial__gt=index.upto, created_at__lt=timezone.now() - SETTLED)


def index_build(*, ctx: JobContext, dataset_id: int, version: ModelVersion) -> dict[str, int]:
    """Describe the next masks, for some minutes at the most; the clock asks again for the rest. Workers only."""
    index = MaskIndex.objects.filter(dataset=dataset_id, version=version).first()
    if index is None:  # no longer wanted
        return {"described": 0, "left": 0}
    until, described = time.monotonic() + SLICE_SECONDS, 0
    total = _waiting(index).count()
    while index.masks < MOST_MASKS:
        last = _newest_settled()
        masks = list(_waiting(index).select_related("image").order_by("serial")[:BLOCK])
        serials, vectors = _describe(masks, version, partial(_tell, ctx, described, total))
        ended = len(masks) < BLOCK
        with ctx.fenced():
            index = index_locked(index.pk)
            if index is None:  # it is made anew
                return {"described": described, "left": 0}
            block_add(index, serials, vectors)
            # Masks of other datasets in between need not be passed again.
            index.upto = max(index.upto, last if ended else 0, masks[-1].serial if masks else 0)
            index.save(update_fields=["total", "masks", "upto"])
        described += len(serials)
        if ended or time.monotonic() > until:
            break
    if index.masks >= MOST_MASKS or not _waiting(index).exists():
        _complete(index)
    return {"described": described, "left": max(0, total - described)}


def _tell(ctx: JobContext, before: int, total: int, now: int) -> None:
    done = before + now
    ctx.progress(done / max(total, 1), f"{done} of {total} masks")


def _complete(index: MaskIndex) -> None:
    """It holds every mask: those of other versions are of no use any more."""
    if index.complete_at is None:
        index.complete_at = timezone.now()
        index.save(update_fields=["complete_at"])
    MaskIndex.objects.filter(dataset=index.dataset_id).exclude(pk=index.pk).delete()


def _describe(
    masks: Sequence[Mask], version: ModelVersion, tell: Callable[[int], None]
) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """(serials N, ascending; vectors N x D). Pictures that are not encoded are, without keeping what comes of it."""
    found: dict[int, Vector] = {}
    done = 0
    for _, group in groupby(sorted(masks, key=lambda mask: mask.image_id), key=lambda mask: mask.image_id):
        together = list(group)
        maps = _maps(together[0].image, version)
        if maps is not None:
            found |= {mask.serial: pooled(maps, mask.segmentation) for mask in together}
        done += len(together)
        tell(done)
    serials = np.array(sorted(found), SERIAL)
    vectors = np.array([found[serial] for serial in serials.tolist()], np.float32).astype(STORED)
    return serials, vectors


def _maps(image: Image, version: ModelVersion) -> Maps | None:
    """The stored embedding, or one made for the moment; None if the picture is gone."""
    stored = _stored(image, version)
    if stored is not None:
        return stored
    try:
        return predictor_for(version).encode(read_pixels(image))
    except FileNotFoundError:
        return None


def _stored(image: Image, version: ModelVersion) -> Maps | None:
    row = Embedding.objects.filter(image=image, version=version).first()
    try:
        return stored_maps(row) if row is not None else None
    except FileNotFoundError:
        return None


def vectors_of(masks: Sequence[Mask], version: ModelVersion) -> dict[int, Vector]:
    """Serial -> vector of each mask whose picture is there: from the index of the version, else made for the moment."""
    wanted, found = {mask.serial: mask for mask in masks}, dict[int, Vector]()
    index = MaskIndex.objects.filter(version=version, dataset__in={mask.image.dataset_id for mask in masks}).first()
    for serials, vectors in blocks_of(index) if index else ():
        for place in np.flatnonzero(np.isin(serials, list(wanted))):
            found[int(serials[place])] = vectors[place].astype(np.float32)
    rest = [mask for serial, mask in wanted.items() if serial not in found]
    serials, vectors = _describe(rest, version, lambda _done: None)
    return found | {int(serial): vector.astype(np.float32) for serial, vector in zip(serials, vectors, strict=True)}


# --- Asking it ---------------------------------------------------------------------------------------------------


def index_of(dataset_id: int) -> MaskIndex | None:
    """The index to search: that of the serving version, or while it is made the one of the version before."""
    rows = list(MaskIndex.objects.filter(dataset=dataset_id).select_related("version"))
    if not rows:
        return None
    serving = serving_version(dataset_id).pk
    return max(rows, key=lambda row: (row.complete_at is not None, row.version_id == serving))


def masks_like(*, index: MaskIndex, mask: Mask, limit: int) -> list[Found]:
    """The masks most like this one, without itself, most alike first; accepted and proposed ones.

    Cosine of the vectors after the mean of all masks is taken away: what every mask of the dataset shares says nothing.
    NotReady (the encoding is queued by then) for a new mask on a picture that the model has not seen.
    """
    wanted = _vector_of(index, mask)
    mean = _mean(index, wanted)
    wanted = wanted - mean
    wanted = wanted / max(float(np.linalg.norm(wanted)), 1e-12)
    serials, scores = [], []
    for block_serials, vectors in blocks_of(index):
        centred = vectors.astype(np.float32) - mean
        lengths = np.maximum(np.linalg.norm(centred, axis=1), 1e-12)
        serials.append(block_serials)
        scores.append(centred @ wanted / lengths)
    return _ranked(index, _joined(serials, SERIAL), -_joined(scores, np.dtype(np.float32)), limit, without=mask.serial)


def _vector_of(index: MaskIndex, mask: Mask) -> Vector:
    if mask.serial <= index.upto:
        for serials, vectors in blocks_of(index):
            place = int(np.searchsorted(serials, mask.serial))
            if place < len(serials) and serials[place] == mask.serial:
                found: Vector = vectors[place].astype(np.float32)
                return found
    maps = _stored(mask.image, index.version)
    if maps is None:
        raise being_prepared(mask.image, index.version)
    return pooled(maps, mask.segmentation)


def _mean(index: MaskIndex, like: Vector) -> Vector:
    if not index.masks:
        return np.zeros_like(like)
    return (np.asarray(total_of(index)) / index.masks).astype(np.float32)


def masks_unusual(*, index: MaskIndex, limit: int, category: str | None = None, in_review: bool = False) -> list[Found]:
    """Accepted masks least like the others of their category (or of one), the least alike first.

    The similarity is the cosine of a mask's vector and the mean of the others'. Categories with fewer than FEWEST masks
    are left out; masks without a category are one of their own. `in_review`: only those of images that wait for a
    reviewer are told; they are compared with all.
    """
    serials, codes, names = _categories(index)
    if category is not None:
        codes = np.where(codes == names.get(category, -1), codes, -1)
    counts = np.bincount(codes[codes >= 0], minlength=max(len(names), 1))
    sums: NDArray[np.float64] | None = None
    for part, vectors in _parts(index, codes):
        sums = np.zeros((len(counts), vectors.shape[1])) if sums is None else sums
        order = np.argsort(part, kind="stable")
        present, starts = np.unique(part[order], return_index=True)
        added = np.add.reduceat(vectors[order].astype(np.float64), starts, axis=0)
        sums[present[present >= 0]] += added[present >= 0]
    alike = np.full(len(serials), np.inf, np.float32)
    place = 0
    for part, vectors in _parts(index, codes):
        assert sums is not None
        known = (part >= 0) & (counts[part] >= FEWEST)
        own = vectors[known].astype(np.float64)
        others = sums[part[known]] - own
        lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(others, axis=1)
        alike[place : place + len(part)][known] = (own * others).sum(axis=1) / np.maximum(lengths, 1e-12)
        place += len(part)
    if in_review:
        alike[~np.isin(serials, _in_review(index.dataset_id))] = np.inf
    return [Found(one.mask, -one.similarity) for one in _ranked(index, serials, alike, limit)]


def _in_review(dataset_id: int) -> list[int]:
    """Serials of the accepted masks on images that wait for a reviewer."""
    waiting = Task.objects.filter(
        image__dataset=dataset_id, kind=Task.Kind.REVIEW, state__in=[Task.State.OPEN, Task.State.CLAIMED]
    )
    masks = Mask.objects.filter(image__in=waiting.values("image"), status=Mask.Status.ACCEPTED)
    return list(masks.values_list("serial", flat=True).order_by())


def _categories(index: MaskIndex) -> tuple[NDArray[np.int64], NDArray[np.int32], dict[str, int]]:
    """(serials of all blocks, the category of each as a number or -1 where it is not accepted, numbers by name)."""
    serials, codes = [], []
    names: dict[str, int] = {}
    for row in index.blocks.values_list("serials", flat=True).iterator(chunk_size=20):
        block = np.frombuffer(bytes(row), SERIAL)
        if not len(block):
            continue
        accepted = Mask.objects.filter(serial__range=(block[0], block[-1]), status=Mask.Status.ACCEPTED)
        found = dict(accepted.filter(image__dataset=index.dataset_id).values_list("serial", "category").order_by())
        serials.append(block)
        codes.append([names.setdefault(found[one], len(names)) if one in found else -1 for one in block.tolist()])
    return _joined(serials, SERIAL), _joined(codes, np.dtype(np.int32)), names


def _parts(index: MaskIndex, codes: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float16]]]:
    """Blocks with the codes of their masks; a block that was added meanwhile is left out."""
    place = 0
    for serials, vectors in blocks_of(index):
        if place + len(serials) > len(codes):
            return
        yield codes[place : place + len(serials)], vectors
        place += len(serials)


def _ranked(
    index: MaskIndex, serials: NDArray[np.int64], order: NDArray[np.float32], limit: int, without: int | None = None
) -> list[Found]:
    """The first masks by ascending `order` (finite ones) that still stand; `similarity` is the order turned round."""
    places = np.argsort(order, kind="stable")
    places = places[np.isfinite(order[places])]
    found: list[Found] = []
    for start in range(0, len(places), LOOKED_UP):
        some = places[start : start + LOOKED_UP]
        rows = searchable(index.dataset_id).select_related("image").in_bulk(serials[some].tolist())
        for place in some:
            mask = rows.get(int(serials[place]))
            if mask is not None and mask.serial != without:
                found.append(Found(mask, -float(order[place])))
            if len(found) == limit:
                return found
    return found


def _joined(parts: Sequence[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    return np.concatenate([np.asarray(part, kind) for part in parts]) if parts else np.zeros(0, kind)


def mask_with_index(mask: Mask) -> MaskIndex:
    """The index that holds the like of a mask. Missing while nobody has asked for one."""
    index = index_of(mask.image.dataset_id)
    if index is None:
        raise Missing("no_index", "The masks of this dataset are not described yet.")
    return index
