"""R26 on sets of pictures and masks from outside: into a dataset, out of it, into another one, and out again."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model

from annotation.formats.base import UNNAMED
from annotation.models import Dataset, Mask
from annotation.services import exports, imports

FORMATS = ("coco", "sa1b")


def sets_of(folder: Path) -> list[Path]:
    """The sets below a folder, or the folder itself: `images/` and `annotations.json` in the style of COCO."""
    return [one for one in sorted({folder, *folder.iterdir()}) if (one / "annotations.json").is_file()]


def round_trips(*, folder: str) -> dict[str, Any]:
    """{"sets", "images", "masks", "differing"}: the last counts masks and categories that came back as others.

    What is in the document is compared with the dataset, that with what both formats bring into a new dataset, and that
    with what is exported from there once more.
    """
    told: dict[str, Any] = {"sets": 0, "images": 0, "masks": 0, "differing": 0}
    with tempfile.TemporaryDirectory() as work:
        for one in sets_of(Path(folder)):
            first = _taken(one)
            meant, there = _document(one / "annotations.json"), _content(first)
            told["sets"] += 1
            told["images"] += first.images.count()
            told["masks"] += sum(meant.values())
            told["differing"] += _apart(meant, there)
            for name in FORMATS:
                out = [Path(work, f"{one.name}-{name}-{number}") for number in (1, 2)]
                _written(first, name, out[0])
                second = _taken(out[0])
                with_names = name == "coco"  # SA-1B has no categories
                told["differing"] += _apart(_content(first, with_names), _content(second, with_names))
                _written(second, name, out[1])
                told["differing"] += _apart(*(_exported(place, name) for place in out))
    return told


def _taken(folder: Path) -> Dataset:
    lead, _ = get_user_model().objects.get_or_create(username="lead")
    dataset = Dataset.objects.create(name=f"{folder.name} {uuid.uuid4().hex[:8]}", created_by=lead)
    report = imports.import_folder(
        dataset=dataset, folder=folder, import_format=imports.AUTO, user=lead, progress=lambda *_: None
    )
    unknown = [one for one in report.refusals.listed if one["code"] != "not_an_image"]  # a README lies beside them
    if unknown:
        raise RuntimeError(f"{folder.name}: {unknown[:3]}")
    return dataset


def _written(dataset: Dataset, name: str, out: Path) -> None:
    exports.export_folder(dataset=dataset, export_format=name, out=out, progress=lambda *_: None)


def _content(dataset: Dataset, with_names: bool = True) -> Counter[Any]:
    masks = Mask.objects.filter(image__dataset=dataset, status=Mask.Status.ACCEPTED)
    return Counter(
        (row.image.width, row.image.height, row.segmentation["counts"], row.area, tuple(row.bbox))
        + ((row.category,) if with_names else ())
        for row in masks.select_related("image").iterator(chunk_size=500)
    )


def _document(path: Path) -> Counter[Any]:
    """The same of a document in the style of COCO; a category that is called "object" says nothing."""
    told = json.loads(path.read_bytes())
    names = {one["id"]: one["name"] for one in told["categories"]}
    return Counter(
        (*_shape(one), "" if names[one["category_id"]] == UNNAMED else names[one["category_id"]])
        for one in told["annotations"]
    )


def _exported(out: Path, name: str) -> Counter[Any]:
    if name == "coco":
        return _document(out / "annotations.json")
    documents = [json.loads(path.read_bytes()) for path in out.glob("sa_*.json")]
    return Counter(_shape(one) for document in documents for one in document["annotations"])


def _shape(annotation: dict[str, Any]) -> tuple[Any, ...]:
    """Width and height of its picture, its run lengths, area and box."""
    height, width = annotation["segmentation"]["size"]
    return width, height, annotation["segmentation"]["counts"], annotation["area"], tuple(annotation["bbox"])


def _apart(one: Counter[Any], other: Counter[Any]) -> int:
    return max(sum((one - other).values()), sum((other - one).values()))
