"""Measurements of masks: each mask once, by a job; then the figures of the dataset in the unit that its lead chose.

A mask's lengths in a unit are its lengths in pixels times the size of a pixel: the image's own, else the dataset's.
Where the dataset's unit is not the pixel, masks on images of unknown scale are counted and left out of the figures.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db.models import Count, FloatField, Max, QuerySet, Sum
from django.db.models.functions import Coalesce
from numpy.typing import NDArray

from annotation import jobkit
from annotation.jobkit import JobContext
from annotation.measures import equivalent_diameter, measure
from annotation.models import Dataset, Job, LengthUnit, Mask, Measurement, MeasurementSummary, Member

MEASURE = jobkit.declare(
    "measure_masks", queue="batch", title="Measure masks", lease=120, time_limit=3600, role=Member.Role.VIEWER
)
CHUNK = 500
MOST_FIGURES = 1_000_000  # masks that the figures rest on, a regular sample of more
BINS = 24
HIGHEST = 0.99  # quantile that the last bar begins at: a few giants must not flatten the rest
NAMES = 30  # categories with figures of their own, the most frequent
METRES = {LengthUnit.MICROMETRE: 1e-6, LengthUnit.MILLIMETRE: 1e-3, LengthUnit.METRE: 1.0}
QUANTITIES = ("area", "perimeter", "length", "diameter")
SCALE = Coalesce("image__pixel_size", "image__dataset__pixel_size", output_field=FloatField())


def measurable(dataset: Dataset) -> QuerySet[Mask]:
    """Accepted masks; crowds are no single objects."""
    return Mask.objects.filter(image__dataset=dataset, status=Mask.Status.ACCEPTED, crowd=False)


def measured(dataset: Dataset) -> QuerySet[Mask]:
    """Those that are measured, with what was measured and `scale`, metres per pixel or null."""
    rows = measurable(dataset).filter(measurement__isnull=False).select_related("measurement", "image")
    return rows.annotate(scale=SCALE)


def factor(dataset: Dataset, scale: float | None) -> float | None:
    """Units of the dataset per pixel; None where the scale is not known."""
    if dataset.length_unit == LengthUnit.PIXEL:
        return 1.0
    return None if scale is None else scale / METRES[LengthUnit(dataset.length_unit)]


def values_of(mask: Any, per_pixel: float) -> dict[str, float]:
    """The quantities of one measured mask in a unit: lengths times `per_pixel`, the area times its square."""
    row = mask.measurement
    return {
        "area": mask.area * per_pixel**2,
        "perimeter": row.perimeter * per_pixel,
        "length": row.length * per_pixel,
        "diameter": equivalent_diameter(mask.area) * per_pixel,
    }


def measurements_request(*, dataset: Dataset, user: Any) -> Job | None:
    """Queue what is to be measured; None if nothing changed since the last time."""
    if is_current(dataset):
        return None
    return jobkit.enqueue(
        MEASURE.name, {"dataset_id": dataset.pk}, dataset=dataset, created_by=user, dedupe_key=str(dataset.pk)
    )


def is_current(dataset: Dataset) -> bool:
    """Whether masks, unit and pixel sizes are those of the figures."""
    row = MeasurementSummary.objects.filter(dataset=dataset).first()
    return row is not None and row.version == version_of(dataset)


def version_of(dataset: Dataset) -> str:
    """Names what the figures rest on: changes whenever accepted masks, the unit or a pixel size does."""
    masks = measurable(dataset).aggregate(n=Count("pk"), last=Max("status_changed_at"))
    sizes = dataset.images.aggregate(known=Count("pixel_size"), total=Sum("pixel_size"))
    parts = [masks["n"], masks["last"], sizes["known"], sizes["total"], dataset.pixel_size, dataset.length_unit]
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()


def measurements_make(*, ctx: JobContext, dataset: Dataset) -> dict[str, Any]:
    """Measure what is not measured yet and work out the figures; the job's result. Workers only."""
    version = version_of(dataset)
    waiting = measurable(dataset).filter(measurement=None)
    total, done, last = waiting.count(), 0, 0
    while chunk := list(waiting.filter(serial__gt=last).order_by("serial").only("serial", "segmentation")[:CHUNK]):
        rows = [_row(mask) for mask in chunk]
        with ctx.fenced():
            there = set(Mask.objects.filter(pk__in=[row.mask_id for row in rows]).values_list("pk", flat=True))
            Measurement.objects.bulk_create([row for row in rows if row.mask_id in there], ignore_conflicts=True)
        last, done = chunk[-1].serial, done + len(chunk)
        ctx.progress(0.9 * done / total, f"{done} of {total} masks")
    found = figures_of(dataset)
    with ctx.fenced():
        MeasurementSummary.objects.update_or_create(dataset=dataset, defaults={"figures": found, "version": version})
    return {"measured": done, "masks": found["masks"]}


def _row(mask: Mask) -> Measurement:
    found = measure(mask.segmentation)
    return Measurement(mask_id=mask.serial, perimeter=found.perimeter, length=found.length, x=found.x, y=found.y)


def figures_of(dataset: Dataset) -> dict[str, Any]:
    """Count, mean, spread, quantiles and a histogram of every quantity, and the same of the categories by name."""
    rows = measured(dataset)
    total = rows.count()
    step = max(1, math.ceil(total / MOST_FIGURES))
    fields = ("area", "measurement__perimeter", "measurement__length", "scale", "category")
    table: list[tuple[float, ...]] = []
    places: dict[str, list[int]] = defaultdict(list)
    without = 0
    listed = rows.order_by("serial").values_list(*fields).iterator(chunk_size=2000)
    for place, (area, perimeter, length, scale, category) in enumerate(listed):
        if place % step:
            continue
        per_pixel = factor(dataset, scale)
        if per_pixel is None:
            without += step
            continue
        places[category].append(len(table))
        diameter = equivalent_diameter(area)
        table.append((area * per_pixel**2, perimeter * per_pixel, length * per_pixel, diameter * per_pixel))
    values = np.array(table, np.float64).reshape(len(table), len(QUANTITIES))
    most = sorted(places, key=lambda name: (-len(places[name]), name))[:NAMES]
    return {
        "unit": dataset.length_unit,
        "masks": total,
        "sampled": len(table) if step > 1 else None,
        "without_scale": min(without, total),
        "images": rows.order_by().values("image").distinct().count(),
        "quantities": _summaries(values, histograms=True),
        "categories": [{"name": name, "quantities": _summaries(values[places[name]])} for name in most],
    }


def _summaries(values: NDArray[np.float64], *, histograms: bool = False) -> list[dict[str, Any]]:
    """One summary for each column of N x 4; nothing of no masks."""
    if not len(values):
        return []
    return [{"name": name, **_summary(values[:, place], histograms)} for place, name in enumerate(QUANTITIES)]


def _summary(values: NDArray[np.float64], histogram: bool) -> dict[str, Any]:
    low, median, high = (float(value) for value in np.quantile(values, [0.05, 0.5, 0.95]))
    told: dict[str, Any] = {
        "count": len(values),
        "mean": float(values.mean()),
        "deviation": float(values.std(ddof=1)) if len(values) > 1 else None,
        "least": float(values.min()),
        "p5": low,
        "median": median,
        "p95": high,
        "most": float(values.max()),
    }
    if histogram:
        edge = float(np.quantile(values, HIGHEST)) or 1.0
        counts = np.histogram(np.minimum(values, edge), BINS, (0, edge))[0]
        told |= {"bars": counts.tolist(), "edge": edge}
    return told


# --- To take along -----------------------------------------------------------------------------------------------

COLUMNS = (
    "mask", "image", "file_name", "category",
    "area_px", "perimeter_px", "length_px", "diameter_px", "centroid_x_px", "centroid_y_px",
    "unit", "pixel_size_m", "area", "perimeter", "length", "diameter",
)  # fmt: skip


def csv_lines(dataset: Dataset, chosen: QuerySet[Mask]) -> Iterator[str]:
    """Lines of RFC 4180 for these measured masks, a header first; read in chunks, so that none is too many."""
    writer = csv.writer(_Echo())
    yield str(writer.writerow(COLUMNS))
    last = 0
    while chunk := list(chosen.filter(serial__gt=last).order_by("serial")[:CHUNK]):
        for mask in chunk:
            yield str(writer.writerow(_cells(dataset, mask)))
        last = chunk[-1].serial


def _cells(dataset: Dataset, mask: Any) -> list[Any]:
    row, per_pixel = mask.measurement, factor(dataset, mask.scale)
    in_pixels = values_of(mask, 1.0)
    own = values_of(mask, per_pixel) if per_pixel is not None else dict.fromkeys(QUANTITIES, "")
    told = [mask.uuid, mask.image_id, _plain(mask.image.file_name), _plain(mask.category)]
    told += [_number(in_pixels[name]) for name in QUANTITIES] + [_number(row.x), _number(row.y)]
    return [*told, dataset.length_unit, mask.scale or "", *(_number(own[name]) for name in QUANTITIES)]


def _plain(text: str) -> str:
    """What a spreadsheet would take for a formula is kept from being one."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _number(value: Any) -> Any:
    return value if value == "" else float(f"{value:.6g}")


class _Echo:
    """csv.writer returns what its file's write returns."""

    def write(self, line: str) -> str:
        return line


def images_without_scale(dataset: Dataset) -> int:
    """Images whose scale nobody knows."""
    if dataset.pixel_size is not None:
        return 0
    return int(dataset.images.filter(pixel_size=None).count())


def scales_of(dataset: Dataset) -> list[dict[str, Any]]:
    """[{"said", "images"}]: who tells the scale of how many images."""
    told = dataset.images.exclude(pixel_size=None).order_by().values("pixel_size_from")
    rows = told.annotate(images=Count("pk")).order_by("-images", "pixel_size_from")
    return [{"said": row["pixel_size_from"], "images": row["images"]} for row in rows]
