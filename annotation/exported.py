"""Which images and masks an export holds, and reading them in memory that does not grow with the dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotation import ports
from annotation.models import Dataset, Image, Mask

CHUNK_IMAGES = 100
# What formats and versions write of a mask, or go by: dates and candidates are not read from the database for it.
WRITTEN = (
    *("uuid", "image", "parent", "segmentation", "bbox", "area", "category", "crowd", "stage", "source", "status"),
    *("prompts", "predicted_iou", "stability_score", "crop_box", "point_coords", "model", "seconds", "edits"),
    *("track", "created_by"),
)
CHUNK_MASKS = 2000  # about 10 MB of rows


@dataclass(frozen=True)
class ExportFilter:
    """What to choose from a dataset; an empty tuple means all.

    `categories` may hold "" for masks without one, `licences` "" for images without one. Images whose people refused
    consent are chosen only by name. `audited`: only images that people corrected in an audit. `masked`: only images
    with at least one mask that is chosen. `audit_iou_min` and `audit_iou_max`: only masks that an audit looked at and
    that people left with such an IoU (0..1, both ends included) with what they had found.
    """

    stages: tuple[str, ...] = ()
    statuses: tuple[str, ...] = (Mask.Status.ACCEPTED.value,)
    sources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    consents: tuple[str, ...] = ()
    audit_iou_min: float | None = None
    audit_iou_max: float | None = None
    audited: bool = False
    masked: bool = False

    @classmethod
    def of(cls, data: dict[str, Any]) -> ExportFilter:
        """From JSON that was checked; an empty list of statuses means accepted ones, which is what counts."""
        values: dict[str, Any] = {}
        values |= {
            name: tuple(sorted(set(value))) if isinstance(value, list | tuple) else value
            for name, value in data.items()
        }
        if not values.get("statuses", True):
            del values["statuses"]
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """What differs from everything, for the manifest and the job."""
        plain = ExportFilter()
        told = {name: value for name, value in asdict(self).items() if value != getattr(plain, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    def masks(self) -> Q:
        """The condition on masks."""
        chosen = Q(status__in=[status for status in self.statuses if status in Mask.CURRENT])
        for field, values in (
            ("stage", self.stages),
            ("source", self.sources),
            ("category", self.categories),
            ("model", self.models),
        ):
            if values:
                chosen &= Q(**{f"{field}__in": values})
        if self.audit_iou_min is not None:
            chosen &= Q(audit_iou__gte=self.audit_iou_min)
        if self.audit_iou_max is not None:
            chosen &= Q(audit_iou__lte=self.audit_iou_max)
        return chosen

    def images(self, dataset: Dataset) -> QuerySet[Image]:
        """The images, in order of id."""
        images = Image.objects.filter(dataset=dataset)
        if self.consents:
            images = images.filter(consent__in=self.consents)
        else:
            images = images.exclude(consent=Image.Consent.REFUSED)
        if self.splits:
            images = images.filter(split__in=self.splits)
        if self.licences:
            images = images.filter(licence__in=self.licences)
        if self.audited:
            images = images.filter(pk__in=ports.audited_images(dataset.pk))
        if self.masked:
            images = images.filter(Exists(Mask.objects.filter(self.masks(), image=OuterRef("pk"))))
        return images.order_by("pk")


def export_size(dataset: Dataset, chosen: ExportFilter) -> dict[str, int]:
    """{"images", "masks"} that an export would hold."""
    images = chosen.images(dataset)
    masks = Mask.objects.filter(chosen.masks(), image__in=images.order_by())
    return {"images": images.count(), "masks": masks.count()}


def export_records(dataset: Dataset, chosen: ExportFilter) -> Iterator[tuple[Image, list[Mask]]]:
    """Every image with its masks (by serial), in order of id: by key, a few images and masks at a time."""
    last = 0
    while images := list(chosen.images(dataset).filter(pk__gt=last)[:CHUNK_IMAGES]):
        last = images[-1].pk
        counted = Mask.objects.filter(chosen.masks(), image__in=images).order_by().values_list("image")
        counts = dict(counted.annotate(n=Count("pk")))
        for group in _groups(images, counts):
            rows = Mask.objects.filter(chosen.masks(), image__in=group).order_by("image_id", "serial")
            masks = {pk: list(mine) for pk, mine in groupby(rows.only(*WRITTEN), key=lambda mask: mask.image_id)}
            for image in group:
                yield image, masks.pop(image.pk, [])


def _groups(images: list[Image], counts: dict[int, int]) -> Iterator[list[Image]]:
    """Images in order, as many at a time as have CHUNK_MASKS masks together (but at least one)."""
    group: list[Image] = []
    masks = 0
    for image in images:
        more = counts.get(image.pk, 0)
        if group and masks + more > CHUNK_MASKS:
            yield group
            group, masks = [], 0
        group.append(image)
        masks += more
    if group:
        yield group


def export_names(dataset: Dataset, chosen: ExportFilter) -> tuple[list[str], list[str]]:
    """(all categories of the dataset, licences of what is chosen), sorted."""
    images = chosen.images(dataset).exclude(licence="")
    licences = images.order_by("licence").values_list("licence", flat=True).distinct()
    return category_names(dataset), list(licences)


def category_names(dataset: Dataset) -> list[str]:
    """Categories of all current masks, sorted; "" if there are masks without one.

    They are numbered by this list, whatever is chosen: a model that learnt from one selection is measured on another.
    """
    masks = Mask.objects.filter(image__dataset=dataset, status__in=Mask.CURRENT)
    return sorted(masks.order_by().values_list("category", flat=True).distinct())


def export_choices(dataset: Dataset) -> dict[str, list[dict[str, Any]]]:
    """What a dataset can be filtered by: per kind of choice the values that occur, {"value", "masks" or "images"}."""
    masks = Mask.objects.filter(image__dataset=dataset, status__in=Mask.CURRENT).order_by()
    images = Image.objects.filter(dataset=dataset).order_by()
    found: dict[str, list[dict[str, Any]]] = {}
    for name, rows, field, unit in (
        ("stages", masks, "stage", "masks"),
        ("statuses", masks, "status", "masks"),
        ("sources", masks, "source", "masks"),
        ("categories", masks, "category", "masks"),
        ("models", masks, "model", "masks"),
        ("splits", images, "split", "images"),
        ("licences", images, "licence", "images"),
        ("consents", images, "consent", "images"),
    ):
        counted = rows.values_list(field).annotate(n=Count("pk")).order_by("-n", field)[:200]
        found[name] = [{"value": value, "count": n, "unit": unit} for value, n in counted]
    return found
