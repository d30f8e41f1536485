"""YOLO-seg: images/SPLIT/, labels/SPLIT/ and data.yaml, as Ultralytics reads them.

A line of a label file is one object: the number of its category and the corners of its outline as shares of width and
height. The format knows one ring per object: parts and holes are joined to it by cuts without width. What the format
has no room for stands in masks.jsonl.
"""

from __future__ import annotations

import json
from pathlib import Path

from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Records
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.outlines import joined, parts_of
from annotation.formats.pictures import INDEX, IndexWriter, file_name_of, index_rows, put_picture, stem_of
from annotation.formats.source import checked_mask
from annotation.models import Image, Mask
from modelzoo import rle

FORMAT = "yolo"
SPLITS = {Image.Split.TRAIN.value: "train", Image.Split.VALIDATION.value: "val", Image.Split.HELD_OUT.value: "test"}
RESOURCES = (
    Resource(INDEX, (croissant.JSON_LINES,), INDEX),
    croissant.pictures_of("images/*/*.jpg", "images/*/*.png"),
    Resource("labels", ("text/plain",), includes=("labels/*/*.txt",)),
)
PLACES = (
    Column("label", "string", "The file of labels it stands in."),
    Column("line", "int32", "Its line there, from 0; none where no ring holds it."),
)
TABLES = (croissant.PICTURE_TABLE, Table("masks", INDEX, (*croissant.INDEX_COLUMNS, *PLACES)))


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it. Categories are numbered from 0."""
    numbers = brief.category_ids(first=0)
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest, IndexWriter(folder) as index:
        for split in SPLITS.values():
            (folder / "images" / split).mkdir(parents=True)
            (folder / "labels" / split).mkdir(parents=True)
        for image, masks in records:
            split = SPLITS[image.split]
            picture, label = f"images/{split}/{file_name_of(image)}", f"labels/{split}/{stem_of(image)}.txt"
            put_picture(image, folder / picture)
            with (folder / label).open("w", encoding="ascii") as lines:
                line = 0
                for mask in masks:
                    written = line_of(image, mask, numbers[mask.category or UNNAMED])
                    lines.write(written)
                    index.add(image, mask, label=label, line=line if written else None)
                    line += bool(written)
            manifest.add(picture)
            manifest.add(label)
            manifest.counts.images += 1
            manifest.counts.masks += line
            manifest.counts.left_out += len(masks) - line
            brief.on_image()
        index.close()
        manifest.add(INDEX)
        (folder / "data.yaml").write_text(_yaml(numbers), encoding="utf-8")
        manifest.add("data.yaml")
        croissant.described(folder, manifest, brief, RESOURCES, TABLES)
        manifest.counts.categories = list(numbers)
    return manifest.counts


def line_of(image: Image, mask: Mask, number: int) -> str:
    """One line of a label file; empty if no ring of it draws this mask again (one with 200 000 corners, say).

    Six decimals: a hundredth of a pixel in a picture of 10 000.
    """
    rings = [ring for part in parts_of(mask.segmentation, mask.bbox) for ring in (part.outer, *part.holes)]
    points = joined(rings).tolist()
    shares = [f"{x / image.width:.6f} {y / image.height:.6f}" for x, y in points]
    try:
        drawn = drawn_from(" ".join(shares).split(), image.height, image.width)
    except rle.RLEError:
        return ""
    return f"{number} {' '.join(shares)}\n" if drawn["counts"] == mask.segmentation["counts"] else ""


def drawn_from(shares: list[str], height: int, width: int) -> rle.RLE:
    """The mask of a ring of shares x y x y ... Raises RLEError."""
    size = (width, height)
    try:
        ring = [float(share) * size[place % 2] for place, share in enumerate(shares)]
    except ValueError:
        raise rle.RLEError("polygon_invalid", "The coordinates of an outline must be numbers.") from None
    return checked_mask([ring], height, width)


def _yaml(numbers: dict[str, int]) -> str:
    """data.yaml; a JSON string is a YAML string.

    Without `path`, Ultralytics looks beside this file; with `path: .` where it was started (check_det_dataset).
    """
    places = "".join(f"{split}: images/{split}\n" for split in SPLITS.values())
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for name, number in numbers.items())
    return f"{places}names:{(names and chr(10) + names) or ' {}' + chr(10)}"


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again: every line draws the mask that masks.jsonl tells of. Raises VerifyError."""
    verify_files(folder)
    masks = 0
    lines: list[str] = []
    open_label = ""
    for row in index_rows(folder):
        if row["label"] != open_label:
            open_label = row["label"]
            lines = (folder / open_label).read_text(encoding="ascii").splitlines()
        if row["line"] is None:
            continue
        try:
            drawn = drawn_from(lines[row["line"]].split()[1:], row["height"], row["width"])
        except rle.RLEError as problem:
            raise VerifyError(f"{open_label}, line {row['line']}: {problem}") from None
        if rle.measure(drawn) != (row["area"], row["bbox"]):
            raise VerifyError(f"{open_label}, line {row['line']}: area or box differ")
        masks += 1
    images = sum(1 for _ in (folder / "labels").rglob("*.txt"))
    if (images, masks) != (counts.images, counts.masks):
        raise VerifyError(f"{images} images and {masks} masks read, {counts.images} and {counts.masks} written")


EXPORT = ExportFormat(
    name=FORMAT,
    title="YOLO-seg",
    about="Pictures by split, one text file of outlines each, and data.yaml for Ultralytics.",
    loses="One ring per object: parts and holes are joined by cuts without width. Crowds become ordinary objects.",
    write=write,
    verify=verify,
)
