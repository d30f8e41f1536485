"""SA-1B: one JSON per image beside its picture. Exports, snapshots for training and imports all go through here.

What is written for masks that no model scored is one rule, in docs/mask-format.md and in `scores_of`.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from annotation.errors import UserError
from annotation.formats import croissant
from annotation.formats.base import Brief, ExportFormat, ImportFormat, Option, Records
from annotation.formats.checking import verify_masks
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import put_picture
from annotation.formats.source import (
    FileIndex,
    Refusals,
    SourceImage,
    measured_masks,
    numbers,
    read_json,
    share,
    text,
    whole,
)
from annotation.models import Image, Mask
from modelzoo import rle

FORMAT = "sa1b"
SHARDS = "shards"
SHARD = 1000  # images of one archive
ROW = "$.annotations[*]"
TABLES = (
    Table(
        "images",
        "records-image",
        (
            Column("image_id", "int64", "Number of the image.", path="$.image.image_id"),
            Column("file_name", "string", "Name of the picture.", path="$.image.file_name"),
            Column("width", "int32", "Columns of pixels.", path="$.image.width"),
            Column("height", "int32", "Rows of pixels.", path="$.image.height"),
        ),
        key="image_id",
    ),
    Table(
        "masks",
        "records-annotations",
        (
            Column("record", "string", "Name of the record it stands in: that of its picture.", property="filename"),
            Column("id", "int64", "Number of the mask.", path=f"{ROW}.id"),
            Column("counts", "string", "Compressed COCO run lengths.", path=f"{ROW}.segmentation.counts"),
            Column("size", "int32", "Height and width.", path=f"{ROW}.segmentation.size", repeated=True),
            Column("bbox", "int32", "x, y, width and height in pixels.", path=f"{ROW}.bbox", repeated=True),
            Column("area", "int64", "Pixels inside.", path=f"{ROW}.area"),
            Column("predicted_iou", "float64", "The model's own estimate.", path=f"{ROW}.predicted_iou"),
            Column("stability_score", "float64", "Agreement at other thresholds.", path=f"{ROW}.stability_score"),
        ),
        key="id",
    ),
)
_HEAD = re.compile(rb'"image"\s*:\s*\{')


def write_image(folder: Path, image: Image, masks: Sequence[Mask]) -> list[str]:
    """Write one image's record and put its display file beside it; the names of the two files, JSON first.

    `sa_<image id>.json` and `sa_<image id>.jpg` (or .png) appear directly in `folder`. The picture is a hard link to
    the stored display file where the disk allows it: do not write to it.
    """
    suffix = Path(image.display_path).suffix
    picture = f"sa_{image.pk}{suffix}"
    put_picture(image, folder / picture)
    document = {
        "image": {"image_id": image.pk, "width": image.width, "height": image.height, "file_name": picture},
        "annotations": [annotation_of(image, mask) for mask in masks],
    }
    name = f"sa_{image.pk}.json"
    (folder / name).write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    return [name, picture]


def annotation_of(image: Image, mask: Mask) -> dict[str, Any]:
    """One annotation with exactly the fields of SA-1B, in their order."""
    return {
        "id": mask.serial,
        "segmentation": {"size": [image.height, image.width], "counts": mask.segmentation["counts"]},
        "bbox": mask.bbox,
        "area": mask.area,
        **scores_of(image, mask),
    }


def scores_of(image: Image, mask: Mask) -> dict[str, Any]:
    """predicted_iou, stability_score, crop_box and point_coords, also where no model gave them.

    A person vouches for a mask drawn or changed by hand: both scores are 1.0. The crop box is the whole image. The
    point is the first one that was clicked inside, else a pixel inside the mask: the middle of its longest run.
    """
    by_model = mask.source in (Mask.Source.MODEL, Mask.Source.IMPORTED)
    predicted = mask.predicted_iou if by_model and mask.predicted_iou is not None else 1.0
    stability = mask.stability_score if by_model and mask.stability_score is not None else 1.0
    points = mask.point_coords or _clicked(mask) or [inside_point(mask.segmentation)]
    return {
        "predicted_iou": float(predicted),
        "stability_score": float(stability),
        "crop_box": mask.crop_box or [0, 0, image.width, image.height],
        "point_coords": points,
    }


def inside_point(segmentation: rle.RLE) -> list[float]:
    """(x, y) of the centre of a pixel that is surely inside: the middle of the longest column-major run."""
    lengths = rle.runs(segmentation)
    longest = int(np.argmax(lengths[1::2])) * 2 + 1
    position = int(lengths[:longest].sum()) + int(lengths[longest]) // 2
    x, y = divmod(position, segmentation["size"][0])
    return [x + 0.5, y + 0.5]


def _clicked(mask: Mask) -> list[list[float]]:
    for prompt in mask.prompts:
        if prompt.get("type") == "point" and prompt.get("label") == 1:
            return [[float(prompt["x"]), float(prompt["y"])]]
    return []


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it.

    Option `layout`: `files` lays everything into the folder, `shards` into sa_000000.tar and so on of SHARD images.
    """
    shards = brief.options.get("layout") == SHARDS
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest:
        tar: tarfile.TarFile | None = None
        for image, masks in records:
            names = write_image(folder, image, masks)
            if shards:
                if manifest.counts.images % SHARD == 0:
                    _close(tar, manifest)
                    tar = tarfile.open(folder / shard_name(manifest.counts.images // SHARD), "w")  # noqa: SIM115  closed when it is full
                assert tar is not None
                for name in names:
                    append(tar, folder / name, name)
                    (folder / name).unlink()
            else:
                for name in names:
                    manifest.add(name)
            manifest.counts.images += 1
            manifest.counts.masks += len(masks)
            brief.on_image()
        _close(tar, manifest)
        archives = -(-manifest.counts.images // SHARD) if shards else 0
        croissant.described(
            folder, manifest, brief, _resources(archives), (croissant.PICTURE_TABLE, *(() if shards else TABLES))
        )
    return manifest.counts


def shard_name(number: int) -> str:
    """The archive of this number, from 0."""
    return f"sa_{number:06d}.tar"


def _resources(archives: int) -> tuple[Resource, ...]:
    names = tuple(shard_name(number) for number in range(archives))
    tars = (Resource(name, (croissant.TAR,), name) for name in names)
    told = [
        Resource(key, types, includes=includes, inside=names)
        for key, types, includes in (
            ("records-image", (croissant.JSON,), ("sa_*.json",)),
            ("records-annotations", (croissant.JSON,), ("sa_*.json",)),
            (croissant.PICTURE_FILES, croissant.PICTURE_TYPES, ("sa_*.jpg", "sa_*.png")),
        )
    ]
    return (*tars, *told)


def _close(tar: tarfile.TarFile | None, manifest: ManifestWriter) -> None:
    if tar is not None:
        tar.close()
        manifest.add(Path(str(tar.name)).name)


def append(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """One file into an archive, without owner and date: the same bytes give the same archive."""
    info = tarfile.TarInfo(name)
    info.size = path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(info, file)
    tar.members.clear()  # type: ignore[attr-defined]  # only needed to look members up, and it grows


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again and compare with what was meant to be written. Raises VerifyError."""
    verify_files(folder)
    images = masks = 0
    for name, data in _documents(folder):
        document = json.loads(data)
        height, width = document["image"]["height"], document["image"]["width"]
        masks += verify_masks(document["annotations"], height, width, f"{name}, ")
        images += 1
    if (images, masks) != (counts.images, counts.masks):
        raise VerifyError(f"{images} images and {masks} masks read, {counts.images} and {counts.masks} written")


def _documents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every record, in the folder or in its shards."""
    for path in folder.glob("sa_*.json"):
        yield path.name, path.read_bytes()
    for path in folder.glob("sa_*.tar"):
        with tarfile.open(path, "r|") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is not None and member.name.endswith(".json"):
                    yield member.name, file.read()
                tar.members.clear()  # type: ignore[attr-defined]  # as above


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Images with their masks; what cannot be used is noted in `refusals` and the rest goes on."""
    for name, path in index.documents():
        try:
            source = _read_one(name, path, index, refusals)
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)
            continue
        if source is not None:
            yield source


def _read_one(name: str, path: Path, index: FileIndex, refusals: Refusals) -> SourceImage | None:
    document = read_json(path, name)
    image = document.get("image") if isinstance(document, dict) else None
    annotations = document.get("annotations") if isinstance(document, dict) else None
    if not isinstance(image, dict) or not isinstance(annotations, list):
        raise UserError("document_unknown", "This is not an SA-1B record.")
    picture = index.find(image.get("file_name"), name)
    if picture is None:
        raise UserError("picture_missing", "The picture that this record names is not there.")
    width, height = whole(image.get("width"), 1, 10**6), whole(image.get("height"), 1, 10**6)
    if width is None or height is None:
        raise UserError("document_damaged", "The record does not say how large its picture is.")
    source = SourceImage(text(image.get("file_name"), 255) or name, picture, width, height)
    told = [annotation.get("segmentation") if isinstance(annotation, dict) else None for annotation in annotations]
    for number, (annotation, found) in enumerate(zip(annotations, measured_masks(told, height, width), strict=True)):
        item = f"{name}, annotation {number}"
        if not isinstance(annotation, dict):
            refusals.add(item, "annotation_malformed", "An annotation must be an object.")
        elif isinstance(found, rle.RLEError):
            refusals.add(item, found.code, str(found))
        else:
            source.masks.append({"segmentation": found, **_scores(annotation)})
    return source


def _scores(annotation: dict[str, Any]) -> dict[str, Any]:
    points = annotation.get("point_coords")
    pairs = [numbers(pair, 2) for pair in points] if isinstance(points, list) and len(points) <= 100 else []
    return {
        "predicted_iou": share(annotation.get("predicted_iou")),
        "stability_score": share(annotation.get("stability_score")),
        "crop_box": numbers(annotation.get("crop_box"), 4),
        "point_coords": [pair for pair in pairs if pair is not None] or None,
    }


def recognises(index: FileIndex) -> bool:
    """Whether one of the first JSON files begins with one image."""
    return any(_HEAD.search(index.head(name)) for name, _ in index.documents()[:5])


EXPORT = ExportFormat(
    name=FORMAT,
    title="SA-1B",
    about="Pictures with one JSON file each, as in Meta's Segment Anything dataset.",
    loses="There is no room for categories, crowds and where a mask comes from.",
    options=(
        Option(
            "layout",
            "Layout",
            "files",
            (("files", "files"), (SHARDS, f"tar archives of {SHARD:,} images".replace(",", " "))),
        ),
    ),
    write=write,
    verify=verify,
)
IMPORT = ImportFormat(
    name=FORMAT,
    title="SA-1B",
    about="Pictures with one JSON file each.",
    read=read,
    recognises=recognises,
)
