"""COCO instances: annotations.json and images/. Written in pieces, one record per line; masks are compressed RLE.

Each annotation also has a field `anymask` with the mask's own id, stage and source; readers of COCO pass over it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from annotation import storage
from annotation.errors import UserError
from annotation.formats.manifest import NAME, Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.source import FileIndex, Refusals, SourceImage, checked_mask, read_json, text, whole
from annotation.models import Image, Mask
from modelzoo import rle

FORMAT = "coco"
DOCUMENT = "annotations.json"
UNNAMED = "object"  # category of masks that have none


def file_name_of(image: Image) -> str:
    """Name in images/: unique by the image's number, recognisable by what the uploader called it."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(image.file_name).stem).strip("._-")[:80]
    return f"{image.pk:08d}{'_' + stem if stem else ''}{Path(image.display_path).suffix}"


def write(
    folder: Path,
    records: Iterable[tuple[Image, Sequence[Mask]]],
    *,
    about: dict[str, Any],
    categories: Sequence[str],
    licences: Sequence[str],
    on_image: Callable[[], None] = lambda: None,
) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it.

    `categories` and `licences` are all names that occur among the masks and the images. `on_image` is called after each
    image.
    """
    category_ids = _numbered(name or UNNAMED for name in categories)
    licence_ids = _numbered(licences)
    (folder / "images").mkdir()
    lines = folder / "annotations.part"
    with ManifestWriter(folder, file_format=FORMAT, about=about) as manifest:
        counts = manifest.counts
        with (folder / DOCUMENT).open("w", encoding="utf-8") as document, lines.open("w+", encoding="utf-8") as part:
            _head(document, about, category_ids, licence_ids)
            for image, masks in records:
                name = file_name_of(image)
                storage.link_or_copy(storage.full(image.display_path), folder / "images" / name)
                row = image_of(image, name, licence_ids.get(image.licence, 0))
                _line(document, row, first=counts.images == 0)
                for mask in masks:
                    annotation = annotation_of(image, mask, category_ids[mask.category or UNNAMED])
                    _line(part, annotation, first=counts.masks == 0)
                    counts.masks += 1
                manifest.add(f"images/{name}")
                counts.images += 1
                on_image()
            document.write('\n],\n"annotations": [')
            part.seek(0)
            shutil.copyfileobj(part, document)
            document.write("\n]\n}\n")
        lines.unlink()
        manifest.add(DOCUMENT)
        counts.categories = list(category_ids)
    return counts


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(names)), 1)}


def _head(document: IO[str], about: dict[str, Any], categories: dict[str, int], licences: dict[str, int]) -> None:
    head = {
        "info": {"description": about.get("dataset", "")},
        "licenses": [{"id": number, "name": name, "url": ""} for name, number in licences.items()],
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in categories.items()],
    }
    document.write(json.dumps(head, ensure_ascii=False).removesuffix("}") + ',\n"images": [')


def image_of(image: Image, name: str, licence_id: int) -> dict[str, Any]:
    """One COCO image; `original_name` and `credit` are additions that readers of COCO pass over."""
    return {
        "id": image.pk,
        "width": image.width,
        "height": image.height,
        "file_name": name,
        "license": licence_id,
        "original_name": image.file_name,
        "credit": image.credit,
    }


def annotation_of(image: Image, mask: Mask, category_id: int) -> dict[str, Any]:
    """One COCO annotation. `iscrowd` is kept from an import, else 0; RLE is legal with both."""
    return {
        "id": mask.serial,
        "image_id": image.pk,
        "category_id": category_id,
        "segmentation": {"size": [image.height, image.width], "counts": mask.segmentation["counts"]},
        "area": mask.area,
        "bbox": mask.bbox,
        "iscrowd": int(mask.crowd),
        "anymask": {"id": str(mask.uuid), "stage": mask.stage, "source": mask.source, "model": mask.model},
    }


def _line(file: IO[str], row: dict[str, Any], *, first: bool) -> None:
    file.write(("\n" if first else ",\n") + json.dumps(row, separators=(",", ":"), ensure_ascii=False))


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again, line by line, and compare with what was meant to be written. Raises VerifyError."""
    verify_files(folder)
    sizes: dict[int, list[int]] = {}
    masks = 0
    with (folder / DOCUMENT).open(encoding="utf-8") as document:
        for line in document:
            if not line.startswith('{"id"'):
                continue
            row = json.loads(line.rstrip().rstrip(","))
            if "file_name" in row:
                sizes[row["id"]] = [row["height"], row["width"]]
                continue
            try:
                segmentation = rle.validate(row["segmentation"], *sizes[row["image_id"]])
            except (rle.RLEError, KeyError) as problem:
                raise VerifyError(f"mask {row['id']}: {problem}") from None
            if rle.area(segmentation) != row["area"] or rle.bbox(segmentation) != row["bbox"]:
                raise VerifyError(f"mask {row['id']}: area or box differ")
            masks += 1
    if (len(sizes), masks) != (counts.images, counts.masks):
        raise VerifyError(f"{len(sizes)} images and {masks} masks read, {counts.images} and {counts.masks} written")


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Images with their masks from every COCO document; what cannot be used is noted and the rest goes on."""
    for name, path in index.ending(".json"):
        if name.rsplit("/", 1)[-1] == NAME:
            continue
        try:
            document = read_json(path, name)
            if not isinstance(document, dict) or not isinstance(document.get("images"), list):
                raise UserError("document_unknown", "This is not a COCO document.")
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)
            continue
        yield from _read_document(name, document, index, refusals)


def _read_document(name: str, document: dict[str, Any], index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    categories = _names(document.get("categories"))
    licences = _names(document.get("licenses"))
    found = document.get("annotations")
    by_image: dict[int | str, list[tuple[int, dict[str, Any]]]] = {}
    for number, annotation in enumerate(found if isinstance(found, list) else []):
        key = annotation.get("image_id") if isinstance(annotation, dict) else None
        if type(key) in (int, str):
            by_image.setdefault(key, []).append((number, annotation))  # type: ignore[arg-type]
        else:
            refusals.add(f"{name}, annotation {number}", "annotation_malformed", "The annotation names no image.")
    for number, row in enumerate(document["images"]):
        item = f"{name}, image {number}"
        if not isinstance(row, dict) or type(row.get("id")) not in (int, str):
            refusals.add(item, "image_malformed", "The image has no id.")
            continue
        mine = by_image.pop(_key(row["id"]), [])  # a second image of the same id gets nothing
        picture = index.find(row.get("file_name"))
        width, height = whole(row.get("width"), 1, 10**6), whole(row.get("height"), 1, 10**6)
        if picture is None or width is None or height is None:
            why = "The picture is not there." if picture is None else "The size of the image is missing."
            refusals.add(f"{item} ({text(row.get('file_name'), 100)})", "picture_missing", why)
            continue
        shown = text(row.get("original_name"), 255) or text(row.get("file_name"), 255) or picture.name
        source = SourceImage(shown, picture, width, height, credit=text(row.get("credit"), 500))
        source.licence = licences.get(_key(row.get("license")), "")
        source.masks = list(_masks(name, mine, height, width, categories, refusals))
        yield source
    for rest in by_image.values():
        for number, _annotation in rest:
            refusals.add(f"{name}, annotation {number}", "image_unknown", "The annotation names an unknown image.")


def _masks(
    name: str,
    annotations: list[tuple[int, dict[str, Any]]],
    height: int,
    width: int,
    categories: dict[int | str, str],
    refusals: Refusals,
) -> Iterator[dict[str, Any]]:
    for number, annotation in annotations:
        try:
            segmentation = checked_mask(annotation.get("segmentation"), height, width)
        except rle.RLEError as problem:
            refusals.add(f"{name}, annotation {number}", problem.code, str(problem))
            continue
        category = categories.get(_key(annotation.get("category_id")), "")
        yield {
            "segmentation": segmentation,
            "category": "" if category == UNNAMED else category,
            "crowd": annotation.get("iscrowd") in (1, True),
        }


def _key(value: object) -> int | str:
    return value if type(value) in (int, str) else ""  # type: ignore[return-value]


def _names(rows: object) -> dict[int | str, str]:
    """id -> name of a list of categories or licences; rows that are none are passed over."""
    if not isinstance(rows, list):
        return {}
    good = [row for row in rows if isinstance(row, dict) and type(row.get("id")) in (int, str)]
    return {row["id"]: text(row.get("name"), 200) for row in good}
