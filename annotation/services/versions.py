"""Versions: what a dataset held at one moment, frozen for good; compared, and exported long afterwards.

    versions/<dataset>/<digest>.jsonl     one line per image, in order of id: {"image": id, "sha256", "split",
                                          "masks": [[serial, first serial of its history, category, digest of its RLE,
                                          and its status if it was not accepted or if a number for its track follows]]}
    versions/<dataset>/<digest>.json      what was known of the dataset then: {"about", "datasheet", "categories"}: all
                                          names, also those of masks that were not chosen, so that a number means the
                                          same in every version of that time

The digest is the SHA-256 of the first file: the same content is the same version. A mask's pixels never change, so
its serial says which were meant. Rights of images are not frozen: whoever refuses later is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from annotation import exported, jobkit, ports, storage
from annotation.errors import Conflict, Missing, UserError
from annotation.exported import ExportFilter
from annotation.models import Dataset, Image, Job, Mask, Member, Version
from annotation.room import need_room
from annotation.services.datasheet import datasheet

FREEZE = jobkit.declare(
    "freeze_version", queue="exports", title="Freeze a version", time_limit=6 * 3600, role=Member.Role.REVIEWER
)
LISTED = 100  # images of a comparison that are named
CHUNK = 25  # images whose masks are read together

Progress = Callable[[float, str], None]
Row = dict[str, Any]


def version_request(*, dataset: Dataset, note: str, chosen: ExportFilter, user: Any) -> Job:
    """Queue the freezing of what is chosen now; one at a time, asking for the same again gives that one.

    Raises Conflict `version_open` while another choice is being frozen (`details.job`).
    """
    asked = {"dataset_id": dataset.pk, "note": note, "filters": chosen.as_json()}
    payload = {**asked, "user_id": getattr(user, "pk", None)}
    job = jobkit.enqueue(FREEZE.name, payload, dataset=dataset, created_by=user, dedupe_key=str(dataset.pk))
    if {name: job.payload.get(name) for name in asked} != asked:
        told = "Another version is being frozen. Ask again once it is done."
        raise Conflict("version_open", told, {"job": str(job.pk)})
    return job


def version_freeze(
    *, dataset: Dataset, note: str, chosen: ExportFilter, user: Any, progress: Progress
) -> tuple[Version, bool]:
    """(a new version, True), or (the one that holds exactly this already, False).

    UserError if nothing is chosen, TooLarge if the disk has no room.
    """
    total = exported.export_size(dataset, chosen)["images"]
    if total == 0:
        raise UserError("nothing_chosen", "There is nothing to freeze: no image is like that.")
    digest = hashlib.sha256()
    images = masks = 0
    with storage.work_folder() as work:
        path = work / "version.jsonl"
        with path.open("wb") as file:
            for image, rows in exported.export_records(dataset, chosen):
                if images % 100 == 0:
                    need_room()
                    progress(min(0.99, images / total), f"{images} of {total} images")
                line = json.dumps(_row(image, rows), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
                digest.update(line)
                file.write(line)
                images += 1
                masks += len(rows)
        relative = storage.path_for("versions", dataset.pk, f"{digest.hexdigest()}.jsonl")
        storage.adopt(path, relative)
    known = storage.path_for("versions", dataset.pk, f"{digest.hexdigest()}.json")
    if not storage.exists(known):
        told = present(dataset) | {"categories": exported.category_names(dataset)}
        storage.write_atomic(known, json.dumps(told, ensure_ascii=False).encode())
    fields = {"note": note, "filters": chosen.as_json(), "images": images, "masks": masks, "created_by": user}
    return _stored(dataset, digest.hexdigest(), relative, fields)


def _row(image: Image, masks: list[Mask]) -> Row:
    roots = _roots(image, masks)
    told = [
        [
            mask.serial,
            roots[mask.serial],
            mask.category,
            hashlib.sha256(mask.segmentation["counts"].encode()).hexdigest(),
            *([] if mask.status == Mask.Status.ACCEPTED and mask.track_id is None else [mask.status]),
            *([] if mask.track_id is None else [mask.track_id]),
        ]
        for mask in masks
    ]
    return {"image": image.pk, "sha256": image.sha256, "split": image.split, "masks": told}


def _roots(image: Image, masks: list[Mask]) -> dict[int, int]:
    """serial -> the serial of the first mask of the same object: corrections point back to it."""
    if all(mask.parent_id is None for mask in masks):
        return {mask.serial: mask.serial for mask in masks}
    corrected = Mask.objects.filter(image=image, parent__isnull=False)
    parents: dict[int, int] = dict(corrected.values_list("serial", "parent_id"))
    roots = {}
    for mask in masks:
        root = mask.serial
        while root in parents:
            root = parents[root]
        roots[mask.serial] = root
    return roots


def _stored(dataset: Dataset, digest: str, path: str, fields: dict[str, Any]) -> tuple[Version, bool]:
    for _ in range(5):  # two at once want the same number
        if existing := Version.objects.filter(dataset=dataset, digest=digest).first():
            return existing, False
        number = (Version.objects.filter(dataset=dataset).aggregate(last=Max("number"))["last"] or 0) + 1
        try:
            with transaction.atomic():
                row = Version.objects.create(dataset=dataset, number=number, digest=digest, path=path, **fields)
                return row, True
        except IntegrityError:
            if not Dataset.objects.filter(pk=dataset.pk).exists():
                raise Missing("dataset_gone", "The dataset was deleted meanwhile.") from None
    raise RuntimeError("no number for the version")


def version_of(*, dataset: Dataset, number: int) -> Version:
    """Raises Missing."""
    if (found := Version.objects.filter(dataset=dataset, number=number).first()) is None:
        raise Missing("version_missing", "There is no such version.")
    return found


def version_rows(version: Version) -> Iterator[Row]:
    """Its list, image by image."""
    with storage.found(version.path).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def present(dataset: Dataset) -> dict[str, Any]:
    """What is known of a dataset now, beside its images and masks: {"about", "datasheet"}."""
    about = {"dataset": dataset.name, "licence": dataset.licence, "source": dataset.source}
    return {"about": about | ports.quality_of(dataset.pk), "datasheet": datasheet(dataset=dataset)}


def version_present(version: Version) -> dict[str, Any]:
    """`present` as it was when the version was frozen; with `categories`, if they were kept at that time."""
    path = storage.found(str(PurePosixPath(version.path).with_suffix(".json")))
    return dict(json.loads(path.read_bytes())) if path.exists() else present(version.dataset)


def version_records(version: Version) -> Iterator[tuple[Image, list[Mask]]]:
    """Images with their masks as they were frozen; without those that were removed or refused since then."""
    for image, row in _images_of(version):
        then = {serial: (category, more) for serial, _, category, _, *more in row["masks"]}
        masks = list(Mask.objects.filter(image=image, serial__in=then).only(*exported.WRITTEN).order_by("serial"))
        for mask in masks:  # what it was then, whatever became of it
            mask.category, more = then[mask.serial]
            mask.status = more[0] if more else Mask.Status.ACCEPTED.value
            mask.track_id = more[1] if len(more) > 1 else None
        image.split = row["split"]
        yield image, masks


def version_names(version: Version) -> tuple[list[str], list[str]]:
    """(categories, licences), sorted: all names that the dataset had then, licences of what `version_records` gives.

    Of a version without such a list they are the names that it froze, also of images that have to stay away by now.
    """
    categories = version_present(version).get("categories")
    if categories is None:
        categories = sorted({category for row in version_rows(version) for _, _, category, *_ in row["masks"]})
    licences = {image.licence for image, _ in _images_of(version)}
    return categories, sorted(licences - {""})


def _images_of(version: Version) -> Iterator[tuple[Image, Row]]:
    """Its images that may still go out, with their rows."""
    rows = version_rows(version)
    mine = Image.objects.filter(dataset=version.dataset_id)
    if Image.Consent.REFUSED not in version.filters.get("consents", ()):
        mine = mine.exclude(consent=Image.Consent.REFUSED)
    while chunk := list(islice(rows, CHUNK)):
        images = mine.in_bulk([row["image"] for row in chunk])
        for row in chunk:
            image = images.get(row["image"])
            if image is not None and image.sha256 == row["sha256"]:
                yield image, row


@dataclass
class Difference:
    """What one version has that another has not. `changed` masks are other pixels or categories of the same object."""

    images: Counter[str] = field(default_factory=Counter)
    masks: Counter[str] = field(default_factory=Counter)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, image: int, masks: dict[str, int]) -> None:
        """One image that was added, removed, changed or kept."""
        self.images[what] += 1
        self.masks.update(masks)
        if what != "kept" and len(self.listed) < LISTED:
            told = {name: masks.get(name, 0) for name in ("added", "removed", "changed")}
            self.listed.append({"image": image, "what": what, **told})

    def as_json(self) -> dict[str, Any]:
        """Counts of images and masks that were added, removed, changed and kept, and the first images by name."""
        names = dict(Image.objects.filter(pk__in=[row["image"] for row in self.listed]).values_list("pk", "file_name"))
        kinds = ("added", "removed", "changed", "kept")
        return {
            "images": {kind: self.images[kind] for kind in kinds},
            "masks": {kind: self.masks[kind] for kind in kinds},
            "listed": [{**row, "file_name": names.get(row["image"], "")} for row in self.listed],
        }


def versions_compare(*, old: Version, new: Version) -> Difference:
    """What became of the old one on the way to the new one; both are read once, in memory that does not grow."""
    difference = Difference()
    before, after = version_rows(old), version_rows(new)
    was, now = next(before, None), next(after, None)
    while was is not None or now is not None:
        if now is None or (was is not None and was["image"] < now["image"]):
            assert was is not None
            difference.add("removed", was["image"], {"removed": len(was["masks"])})
            was = next(before, None)
        elif was is None or now["image"] < was["image"]:
            difference.add("added", now["image"], {"added": len(now["masks"])})
            now = next(after, None)
        else:
            masks = _compared(was, now)
            same = masks.keys() <= {"kept"} and was["split"] == now["split"]
            difference.add("kept" if same else "changed", was["image"], masks)
            was, now = next(before, None), next(after, None)
    return difference


def _compared(was: Row, now: Row) -> dict[str, int]:
    """Masks of one image, told apart by the object that they show; of objects without a partner by themselves."""
    old = {root: (category, digest) for _, root, category, digest, *_ in was["masks"]}
    new = {root: (category, digest) for _, root, category, digest, *_ in now["masks"]}
    told = Counter(
        ("kept" if old[root] == new[root] else "changed") if root in old and root in new else "removed" for root in old
    )
    told["added"] = len(new.keys() - old.keys())
    return {name: number for name, number in told.items() if number}
