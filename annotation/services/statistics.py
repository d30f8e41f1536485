"""What a dataset looks like in numbers: the four figures of SA-1B, sizes, names, sources, rights. Counted by a job.

The figures are those of "Segment Anything" (Kirillov et al., 2023, figures 5 and 6): where masks lie, how many an
image has, the root of a mask's share of its image, and concavity, 1 - area / area of the convex hull.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db.models import Count, Max, Q

from annotation import jobkit
from annotation.counts import counted_at, figure
from annotation.jobkit import JobContext
from annotation.models import Dataset, Job, Mask, Member, Statistics
from modelzoo import rle

COUNT = jobkit.declare("statistics", queue="batch", title="Count statistics", time_limit=3600, role=Member.Role.VIEWER)
GRID = 32  # cells of the map of centres, on a side
BINS = 20
PER_IMAGE = (0, 1, 6, 11, 51, 101, 201)  # lowest number of masks of each class
CONCAVITY_MASKS = 20_000  # a regular sample beyond; each takes about half a millisecond
CHUNK = 2000
NAMES = 30
HULL_COLUMNS = 512  # of a wide mask so many columns are looked at


def statistics_request(*, dataset: Dataset, user: Any) -> Job | None:
    """Queue the count if something changed since the last one; None if not."""
    kept = Statistics.objects.filter(dataset=dataset).first()
    if kept is not None and is_current(kept):
        return None
    return jobkit.enqueue(
        COUNT.name, {"dataset_id": dataset.pk}, dataset=dataset, created_by=user, dedupe_key=str(dataset.pk)
    )


def is_current(kept: Statistics) -> bool:
    """Whether nothing changed since they were counted; of a large dataset as far as its figures know."""
    known = counted_at(kept.dataset_id)
    return (known is not None and kept.counted_at > known) or kept.version == version_kept(kept.dataset_id)


@figure("statistics-version")
def version_kept(dataset_id: int) -> str:
    """`version_of`, of a large dataset as of a while ago."""
    return version_of(Dataset.objects.get(pk=dataset_id))


def version_of(dataset: Dataset) -> str:
    """Names what is counted: changes whenever images, their rights or accepted masks do."""
    images = dataset.images.aggregate(n=Count("pk"), last=Max("pk"))
    rights = dataset.images.order_by().values_list("licence", "consent").annotate(n=Count("pk"))
    masks = Mask.objects.filter(image__dataset=dataset).aggregate(
        n=Count("pk", filter=Q(status=Mask.Status.ACCEPTED)), last=Max("status_changed_at")
    )
    parts = [images["n"], images["last"], sorted(map(str, rights)), masks["n"], masks["last"]]
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def statistics_count(*, ctx: JobContext, dataset: Dataset) -> dict[str, Any]:
    """Count everything anew and keep it; the job's result."""
    version = version_of(dataset)
    figures = _of_images(dataset) | _of_masks(ctx, dataset)
    with ctx.fenced():
        Statistics.objects.update_or_create(dataset=dataset, defaults={"figures": figures, "version": version})
    return {"images": figures["images"], "masks": figures["masks"]}


def _of_images(dataset: Dataset) -> dict[str, Any]:
    images = dataset.images.order_by()
    sizes = images.values_list("width", "height").annotate(n=Count("pk")).order_by("-n", "width", "height")
    megapixels: Counter[int] = Counter()
    kinds = 0
    for width, height, number in sizes.iterator(chunk_size=CHUNK):
        kinds += 1
        megapixels[_size_class(width * height)] += number
    masked = images.annotate(found=Count("masks", filter=Q(masks__status=Mask.Status.ACCEPTED))).values_list(
        "found", flat=True
    )
    per_image = [0] * len(PER_IMAGE)
    for found in masked.iterator(chunk_size=CHUNK):
        per_image[int(np.searchsorted(PER_IMAGE, found, side="right")) - 1] += 1
    return {
        "images": images.count(),
        "sizes": [{"width": w, "height": h, "images": n} for w, h, n in sizes[:NAMES]],
        "size_kinds": kinds,
        "megapixels": [{"name": name, "images": megapixels[place]} for place, name in enumerate(SIZE_CLASSES)],
        "masks_per_image": [{"name": _range_name(place), "images": number} for place, number in enumerate(per_image)],
        "kinds": _named(images, "media_type"),
        "splits": _named(images, "split"),
        "licences": _named(images, "licence"),
        "consents": _named(images, "consent"),
        "image_sources": _named(images, "source"),
    }


SIZE_CLASSES = ("below 0.1", "0.1 to 0.5", "0.5 to 1", "1 to 2", "2 to 5", "5 to 10", "10 to 25", "above 25")
_EDGES = (0.1, 0.5, 1, 2, 5, 10, 25)


def _size_class(pixels: int) -> int:
    return int(np.searchsorted(_EDGES, pixels / 1e6, side="right"))


def _range_name(place: int) -> str:
    low = PER_IMAGE[place]
    if place + 1 == len(PER_IMAGE):
        return f"{low} and more"
    high = PER_IMAGE[place + 1] - 1
    return str(low) if high == low else f"{low} to {high}"


def _named(rows: Any, field: str) -> list[dict[str, Any]]:
    """[{"name", "count"}] of a field's values, the most frequent first; at most NAMES, with the rest as one."""
    counted = list(rows.order_by().values_list(field).annotate(n=Count("pk")).order_by("-n", field))
    shown = [{"name": str(name), "count": n} for name, n in counted[:NAMES]]
    rest = sum(n for _, n in counted[NAMES:])
    return [*shown, {"name": f"{len(counted) - NAMES} others", "count": rest}] if rest else shown


def _of_masks(ctx: JobContext, dataset: Dataset) -> dict[str, Any]:
    masks = Mask.objects.filter(image__dataset=dataset, status=Mask.Status.ACCEPTED)
    total = masks.count()
    centres = np.zeros((GRID, GRID), np.int64)
    sizes, concavity = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    step = max(1, math.ceil(total / CONCAVITY_MASKS))
    looked, done = 0, 0
    for chunk in _chunks(masks):
        boxes = np.array([row[1] for row in chunk], np.float64)
        frames = np.array([row[3:5] for row in chunk], np.float64)
        areas = np.array([row[2] for row in chunk], np.float64)
        x = np.clip((boxes[:, 0] + boxes[:, 2] / 2) / frames[:, 0] * GRID, 0, GRID - 1).astype(int)
        y = np.clip((boxes[:, 1] + boxes[:, 3] / 2) / frames[:, 1] * GRID, 0, GRID - 1).astype(int)
        np.add.at(centres, (y, x), 1)
        sizes += _histogram(np.sqrt(areas / (frames[:, 0] * frames[:, 1])))
        chosen = [row[0] for place, row in enumerate(chunk, done) if place % step == 0]
        shapes = Mask.objects.filter(pk__in=chosen).values_list("segmentation", flat=True)
        hollow = [value for value in map(concavity_of, shapes.iterator(chunk_size=200)) if value is not None]
        concavity += _histogram(np.array(hollow))
        looked += len(hollow)
        done += len(chunk)
        ctx.progress(done / total, f"{done} of {total} masks")
    return {
        "masks": total,
        "centres": centres.tolist(),
        "relative_sizes": sizes.tolist(),
        "concavity": concavity.tolist(),
        "concavity_masks": looked,
        "categories": _named(masks, "category"),
        "sources": _named(masks, "source"),
        "stages": _named(masks, "stage"),
    }


def _chunks(masks: Any) -> Iterator[list[tuple[Any, ...]]]:
    """(serial, bbox, area, width, height) of masks by key, without one long query."""
    last = 0
    fields = ("serial", "bbox", "area", "image__width", "image__height")
    while chunk := list(masks.filter(serial__gt=last).order_by("serial").values_list(*fields)[:CHUNK]):
        yield chunk
        last = chunk[-1][0]


def _histogram(values: Any) -> Any:
    return np.histogram(np.clip(values, 0, 1), BINS, (0, 1))[0]


def concavity_of(segmentation: rle.RLE) -> float | None:
    """1 - area / area of the convex hull of the mask's pixels as squares; 0 is convex. None for an empty mask.

    The hull is that of the first and last pixel of every column, read from the runs without decoding the mask; of a
    mask wider than HULL_COLUMNS the ends and every n-th column are looked at.
    """
    from scipy.spatial import ConvexHull  # the web process has no scipy

    height = segmentation["size"][0]
    ends = np.cumsum(rle.runs(segmentation))
    starts, stops = ends[0:-1:2], ends[1::2]
    keep = stops > starts
    starts, stops = starts[keep], stops[keep]
    if not len(starts):
        return None
    area = int((stops - starts).sum())
    first, last = starts // height, (stops - 1) // height
    width = int(last.max()) + 1
    low, high = np.full(width, height), np.full(width, -1)
    np.minimum.at(low, first, starts % height)
    np.maximum.at(high, last, (stops - 1) % height)
    over = last > first  # a run over the end of a column fills it to the bottom, and the next ones from the top
    np.maximum.at(high, first[over], height - 1)
    np.minimum.at(low, last[over], 0)
    for begin, end in zip(first[over], last[over], strict=True):
        low[begin + 1 : end], high[begin + 1 : end] = 0, height - 1
    columns = np.flatnonzero(high >= 0)
    if len(columns) > HULL_COLUMNS:
        columns = np.unique(columns[np.linspace(0, len(columns) - 1, HULL_COLUMNS).astype(int)])
    left = np.concatenate([columns, columns])
    rows = np.concatenate([low[columns], high[columns] + 1])
    corners = np.stack([np.concatenate([left, left + 1]), np.concatenate([rows, rows])], axis=1)
    hull = float(ConvexHull(corners).volume)
    return max(0.0, 1 - area / hull)
