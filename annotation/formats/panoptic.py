"""COCO panoptic: one PNG per image in which every pixel names its segment, and panoptic.json.

A segment's id is written into its pixels as red + 256 green + 256^2 blue. Segments do not overlap: where masks do,
the smaller one is seen; a mask that is covered entirely is left out and counted so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Records
from annotation.formats.coco import document_in, document_resources, document_tables, numbered
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import (
    file_name_of,
    load_png,
    painted,
    provenance_of,
    put_picture,
    save_png,
    stem_of,
)
from annotation.models import Mask

FORMAT = "coco_panoptic"
DOCUMENT = "panoptic.json"
ROW = "$.annotations[*]"
RESOURCES = (*document_resources(DOCUMENT), Resource("map-files", ("image/png",), includes=("panoptic/*.png",)))
TABLES = (
    *document_tables(DOCUMENT),
    Table(
        "maps",
        f"{DOCUMENT}-annotations",
        (
            Column("image_id", "int64", "Number of the image.", references="images/id", path=f"{ROW}.image_id"),
            Column("file_name", "string", "Name of the map in panoptic/.", path=f"{ROW}.file_name"),
        ),
        key="image_id",
    ),
    croissant.table_of_files("map-pictures", "map-files", "The map: red + 256 green + 256^2 blue is the segment's id."),
)


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it. Segments are numbered from 1 per image."""
    category_ids, licence_ids = brief.category_ids(), numbered(brief.licences)
    for name in ("images", "panoptic"):
        (folder / name).mkdir()
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest:
        counts = manifest.counts
        with document_in(folder / DOCUMENT, brief.about, category_ids, licence_ids, isthing=1) as document:
            for image, masks in records:
                name, picture = f"{stem_of(image)}.png", file_name_of(image)
                put_picture(image, folder / "images" / picture)
                ids = painted(image, masks, range(1, len(masks) + 1), np.uint32)
                save_png(_to_rgb(ids), folder / "panoptic" / name)
                segments = _segments(ids, masks, category_ids)
                document.add_image(image, picture, licence_ids.get(image.licence, 0))
                document.annotations.add({"image_id": image.pk, "file_name": name, "segments_info": segments})
                manifest.add(f"images/{picture}")
                manifest.add(f"panoptic/{name}")
                counts.images += 1
                counts.masks += len(segments)
                counts.left_out += len(masks) - len(segments)
                brief.on_image()
        manifest.add(DOCUMENT)
        croissant.described(folder, manifest, brief, RESOURCES, TABLES)
        counts.categories = list(category_ids)
    return counts


def _segments(ids: NDArray[Any], masks: Sequence[Mask], category_ids: dict[str, int]) -> list[dict[str, Any]]:
    """segments_info of one image; area and box are those of the pixels that are seen."""
    seen = np.bincount(ids.reshape(-1), minlength=len(masks) + 1)
    segments = []
    for number, mask in enumerate(masks, 1):
        if not seen[number]:
            continue
        x, y, w, h = mask.bbox
        inside = ids[y : y + h, x : x + w] == number
        columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
        left, top = int(columns[0]), int(rows[0])
        segments.append(
            {
                "id": number,
                "category_id": category_ids[mask.category or UNNAMED],
                "area": int(seen[number]),
                "bbox": [x + left, y + top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
                "iscrowd": int(mask.crowd),
                "anymask": provenance_of(mask),
            }
        )
    return segments


def _to_rgb(ids: NDArray[Any]) -> NDArray[np.uint8]:
    """uint32 (H, W) to uint8 (H, W, 3): id = R + 256 G + 256^2 B."""
    return np.stack([(ids >> shift) & 255 for shift in (0, 8, 16)], axis=-1).astype(np.uint8)


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again: every segment has the pixels that panoptic.json says. Raises VerifyError."""
    verify_files(folder)
    images = segments = 0
    with (folder / DOCUMENT).open(encoding="utf-8") as document:
        for line in document:
            if not line.startswith('{"image_id"'):
                continue
            row = json.loads(line.rstrip().rstrip(","))
            pixels = load_png(folder / "panoptic" / row["file_name"]).astype(np.uint32)
            seen = np.bincount((pixels @ np.array([1, 256, 65536], np.uint32)).reshape(-1))
            told = {segment["id"]: segment["area"] for segment in row["segments_info"]}
            if {int(one): int(seen[one]) for one in np.flatnonzero(seen) if one} != told:
                raise VerifyError(f"{row['file_name']}: its segments are not those of {DOCUMENT}")
            images += 1
            segments += len(told)
    if (images, segments) != (counts.images, counts.masks):
        raise VerifyError(f"{images} images and {segments} segments read")


EXPORT = ExportFormat(
    name=FORMAT,
    title="COCO panoptic",
    about="Pictures, and one PNG each in which every pixel names its segment.",
    loses="Masks cannot overlap: where they do, the smaller one is seen.",
    write=write,
    verify=verify,
)
