"""COCO instances: annotations.json and images/. Written in pieces, one record per line.

Masks are compressed RLE, or polygons where pycocotools draws exactly the same mask from them: holes are joined to the
ring around them by cuts without width. Each annotation also has a field `anymask` with where the mask comes from;
readers of COCO pass over it. Reading stands in annotation.formats.coco_reader.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Option, Records
from annotation.formats.checking import verify_masks
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.outlines import polygons_of
from annotation.formats.pictures import file_name_of, provenance_of, put_picture
from annotation.models import Image, Mask, Video

FORMAT = "coco"
DOCUMENT = "annotations.json"
POLYGONS = "polygons"


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it."""
    category_ids = brief.category_ids()
    licence_ids = numbered(brief.licences)
    polygons = brief.options.get("masks") == POLYGONS
    (folder / "images").mkdir()
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest:
        counts = manifest.counts
        with document_in(folder / DOCUMENT, brief.about, category_ids, licence_ids) as document:
            for image, masks in records:
                name = file_name_of(image)
                put_picture(image, folder / "images" / name)
                document.add_image(image, name, licence_ids.get(image.licence, 0))
                for mask in masks:
                    number = category_ids[mask.category or UNNAMED]
                    document.annotations.add(annotation_of(image, mask, number, polygons=polygons))
                    counts.masks += 1
                manifest.add(f"images/{name}")
                counts.images += 1
                brief.on_image()
        manifest.add(DOCUMENT)
        croissant.described(folder, manifest, brief, *_description(polygons=polygons))
        counts.categories = list(category_ids)
    return counts


def document_resources(document: str) -> tuple[Resource, ...]:
    """A document of COCO's shape for three tables, and its pictures."""
    tables = ("categories", "images", "annotations")
    return (*(Resource(f"{document}-{name}", (croissant.JSON,), document) for name in tables), croissant.pictures_of())


def document_tables(document: str) -> tuple[Table, ...]:
    """Categories and images of a document of COCO's shape, and the pictures."""
    categories = (
        Column("id", "int64", "Number of the category.", path="$.categories[*].id"),
        Column("name", "string", "What it is called.", path="$.categories[*].name"),
    )
    images = (
        Column("id", "int64", "Number of the image.", path="$.images[*].id"),
        Column("file_name", "string", "Name of the picture in images/.", path="$.images[*].file_name"),
        Column("width", "int32", "Columns of pixels.", path="$.images[*].width"),
        Column("height", "int32", "Rows of pixels.", path="$.images[*].height"),
    )
    return (
        Table("categories", f"{document}-categories", categories, key="id"),
        Table("images", f"{document}-images", images, key="id"),
        croissant.PICTURE_TABLE,
    )


def _description(*, polygons: bool) -> tuple[tuple[Resource, ...], tuple[Table, ...]]:
    row = "$.annotations[*]"
    # Polygons stand beside the run lengths of crowds, and no column has two types: they are read with pycocotools.
    drawn = (
        Column("counts", "string", "Compressed COCO run lengths.", path=f"{row}.segmentation.counts"),
        Column("size", "int32", "Height and width.", path=f"{row}.segmentation.size", repeated=True),
    )
    masks = (
        Column("id", "int64", "Number of the mask.", path=f"{row}.id"),
        Column("image_id", "int64", "Number of its image.", references="images/id", path=f"{row}.image_id"),
        Column("category_id", "int64", "What it shows.", references="categories/id", path=f"{row}.category_id"),
        *(() if polygons else drawn),
        Column("bbox", "int32", "x, y, width and height in pixels.", path=f"{row}.bbox", repeated=True),
        Column("area", "int64", "Pixels inside.", path=f"{row}.area"),
        Column("iscrowd", "int32", "1 where it covers a crowd rather than one object.", path=f"{row}.iscrowd"),
    )
    table = Table("masks", f"{DOCUMENT}-annotations", masks, key="id")
    return document_resources(DOCUMENT), (*document_tables(DOCUMENT), table)


def numbered(names: Iterable[str]) -> dict[str, int]:
    """Name -> number from 1, in order of name."""
    return {name: number for number, name in enumerate(sorted(set(names)), 1)}


class Lines:
    """A JSON list that is written item by item, each on a line of its own."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self._first = True

    def add(self, row: dict[str, Any]) -> None:
        """One more item."""
        self.file.write(("\n" if self._first else ",\n") + json.dumps(row, separators=(",", ":"), ensure_ascii=False))
        self._first = False


@dataclass(frozen=True)
class Document:
    """A COCO document under way: its two long lists, and a short one."""

    images: Lines
    annotations: Lines
    videos: dict[int, dict[str, Any]]  # those that have frames among the images

    def add_image(self, image: Image, name: str, licence_id: int) -> None:
        """One more image, and its video if it is the first frame of one."""
        if image.video_id is not None and image.video_id not in self.videos:
            video = Video.objects.get(pk=image.video_id)
            told = {"name": video.file_name, "id": video.pk, "width": video.width, "height": video.height}
            self.videos[video.pk] = told | {"frame_rate": video.sampling_rate}
        self.images.add(image_of(image, name, licence_id))


@contextmanager
def document_in(
    path: Path, about: dict[str, Any], categories: dict[str, int], licences: dict[str, int], **more: Any
) -> Iterator[Document]:
    """A document that is whole at the end; `more` goes into every category.

    Annotations wait in a file beside it until all images are told: memory does not grow with either list.
    """
    waiting = path.with_suffix(".part")
    with path.open("w", encoding="utf-8") as document, waiting.open("w+", encoding="utf-8") as part:
        document.write(_head(about, licences))
        videos: dict[int, dict[str, Any]] = {}
        yield Document(Lines(document), Lines(part), videos)
        document.write('\n],\n"annotations": [')
        part.seek(0)
        shutil.copyfileobj(part, document)
        # Names first: a line that begins with an id is an image or an annotation.
        tail = {"categories": _categories(categories, more)} | ({"videos": list(videos.values())} if videos else {})
        lines = [f',\n"{name}": {json.dumps(rows, ensure_ascii=False)}' for name, rows in tail.items()]
        document.write(f"\n]{''.join(lines)}\n}}\n")
    waiting.unlink()


def _categories(numbers: dict[str, int], more: dict[str, Any]) -> list[dict[str, Any]]:
    """All names that came up, at the end: one may be new since the writing began."""
    return [{"id": number, "name": name, "supercategory": "", **more} for name, number in numbers.items()]


def _head(about: dict[str, Any], licences: dict[str, int]) -> str:
    """The beginning of a document, up to the opened list of images."""
    head = {
        "info": {"description": about.get("dataset", "")},
        "licenses": [{"id": number, "name": name, "url": ""} for name, number in licences.items()],
    }
    return json.dumps(head, ensure_ascii=False).removesuffix("}") + ',\n"images": ['


def image_of(image: Image, name: str, licence_id: int) -> dict[str, Any]:
    """One COCO image; `original_name` and `credit` are additions that readers of COCO pass over.

    A frame has `video_id` and its number `frame_id`, as in YouTube-VIS and TAO.
    """
    frame = {} if image.video_id is None else {"video_id": image.video_id, "frame_id": image.frame_number}
    return {
        "id": image.pk,
        "width": image.width,
        "height": image.height,
        "file_name": name,
        "license": licence_id,
        "original_name": image.file_name,
        "credit": image.credit,
        **frame,
    }


def annotation_of(image: Image, mask: Mask, category_id: int, *, polygons: bool = False) -> dict[str, Any]:
    """One COCO annotation. `iscrowd` is kept from an import, else 0; RLE is legal with both, polygons only with 0.

    The masks of one thing on the frames of a video share a `track_id`.
    """
    rings = polygons_of(mask.segmentation, mask.bbox) if polygons and not mask.crowd else None
    return {
        "id": mask.serial,
        "image_id": image.pk,
        "category_id": category_id,
        "segmentation": rings or {"size": [image.height, image.width], "counts": mask.segmentation["counts"]},
        "area": mask.area,
        "bbox": mask.bbox,
        "iscrowd": int(mask.crowd),
        **({} if mask.track_id is None else {"video_id": image.video_id, "track_id": mask.track_id}),
        "anymask": provenance_of(mask),
    }


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again, line by line, and compare with what was meant to be written. Raises VerifyError."""
    verify_files(folder)
    sizes: dict[int, tuple[int, int]] = {}
    masks = 0
    for image, rows in groupby(_annotations(folder, sizes), key=lambda row: row["image_id"]):
        if image not in sizes:
            raise VerifyError(f"annotations of image {image}, which is not listed")
        masks += verify_masks(rows, *sizes[image])
    if (len(sizes), masks) != (counts.images, counts.masks):
        raise VerifyError(f"{len(sizes)} images and {masks} masks read, {counts.images} and {counts.masks} written")


def _annotations(folder: Path, sizes: dict[int, tuple[int, int]]) -> Iterator[dict[str, Any]]:
    """Annotations of a document that was written here; `sizes` (height, width) of the images are filled in before."""
    with (folder / DOCUMENT).open(encoding="utf-8") as document:
        for line in document:
            if not line.startswith('{"id"'):
                continue
            row = json.loads(line.rstrip().rstrip(","))
            if "file_name" in row:
                sizes[row["id"]] = (row["height"], row["width"])
            else:
                yield row


EXPORT = ExportFormat(
    name=FORMAT,
    title="COCO",
    about="Pictures and one JSON file of instances: what most training code reads.",
    loses="",
    options=(
        Option(
            "masks",
            "Masks as",
            "rle",
            (("rle", "run lengths (RLE)"), (POLYGONS, "polygons")),
            about="Polygons keep holes by a cut without width. Crowds, and masks that pycocotools would not draw "
            "exactly the same from a polygon, stay run lengths.",
        ),
    ),
    write=write,
    verify=verify,
)
