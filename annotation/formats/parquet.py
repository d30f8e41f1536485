"""Parquet: two tables beside the pictures, one row per image and one per mask, with a description in Croissant.

    images/                     the pictures
    images/metadata.parquet     one row per image; where Hugging Face `datasets` looks for what is known of pictures
    masks.parquet               one row per mask, in order of image: compressed COCO RLE, box, area, provenance
    croissant.json              annotation.formats.croissant

Rows are written in groups of a bounded size, so memory does not grow with a dataset. No dates: the same state gives
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Records
from annotation.formats.checking import verify_masks
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import file_name_of, provenance_of, put_picture
from annotation.models import Image, Mask

FORMAT = "parquet"
PICTURES = "images"
IMAGES = f"{PICTURES}/metadata.parquet"
MASKS = "masks.parquet"
GROUP_ROWS = 5000  # of one row group, and fewer where rows are large
GROUP_BYTES = 8 << 20  # of the run lengths of one group

IMAGE_COLUMNS = (
    Column("image_id", "int64", "Number of the image."),
    Column("file_name", "string", f"Name of the picture in {PICTURES}/."),
    Column("original_name", "string", "What the picture was called when it came in."),
    Column("width", "int32", "Columns of pixels."),
    Column("height", "int32", "Rows of pixels."),
    Column("split", "string", "train, validation or held_out: fixed by the digest."),
    Column("sha256", "string", "SHA-256 of the file as it came in."),
    Column("licence", "string", "Licence of the image; empty where it is not stated."),
    Column("source", "string", "Where the image comes from."),
    Column("credit", "string", "Who took it."),
    Column("consent", "string", "Whether people shown agree: given, not_needed, refused, or empty for not known."),
    Column("masks", "int32", "How many rows of masks.parquet belong to it."),
)
MASK_COLUMNS = (
    Column("mask_id", "int64", "Number of the mask."),
    Column("image_id", "int64", "Number of its image.", references="images/image_id"),
    Column("file_name", "string", f"Name of its picture in {PICTURES}/."),
    Column("split", "string", "Split of its image."),
    Column("category", "string", f"What it shows; {UNNAMED} for masks without a category."),
    Column("height", "int32", "Rows of the mask: the first number of an RLE's size."),
    Column("width", "int32", "Columns of the mask: the second number of an RLE's size."),
    Column("counts", "string", "Compressed COCO run lengths."),
    Column("bbox_x", "int32", "Column of its first pixel."),
    Column("bbox_y", "int32", "Row of its first pixel."),
    Column("bbox_width", "int32", "Columns of its box."),
    Column("bbox_height", "int32", "Rows of its box."),
    Column("area", "int64", "Pixels inside."),
    Column("crowd", "bool", "Whether it covers a crowd rather than one object."),
    Column("uuid", "string", "The mask's own id, the same in every export."),
    Column("stage", "string", "Stage in which it was made: assisted, semi_automatic or fully_automatic."),
    Column("made_by", "string", "model, model_edited, hand or imported."),
    Column("status", "string", "accepted, or proposed by a model and not looked at."),
    Column("model", "string", "Digest of the model that proposed it; empty where none did."),
    Column("predicted_iou", "float64", "The model's own estimate, if there is one."),
    Column("stability_score", "float64", "Agreement of the mask with itself at other thresholds, if measured."),
    Column("prompts", "int32", "How many clicks and boxes it took."),
    Column("seconds", "float64", "Active time of the person."),
    Column("edits", "int32", "Strokes of brush and eraser."),
)
RESOURCES = (*(Resource(name, (croissant.PARQUET,), name) for name in (IMAGES, MASKS)), croissant.pictures_of())
TABLES = (
    Table("images", IMAGES, IMAGE_COLUMNS, key="image_id", pictures=croissant.PICTURE_FILES),
    Table("masks", MASKS, MASK_COLUMNS, key="mask_id"),
)


class Rows:
    """A Parquet file that is written row by row; use as a context manager."""

    def __init__(self, path: Path, columns: tuple[Column, ...]) -> None:
        import pyarrow as pa  # only those who write or check such a file load it
        import pyarrow.parquet as pq

        types = {"bool": pa.bool_, "int32": pa.int32, "int64": pa.int64, "float64": pa.float64, "string": pa.string}
        self._schema = pa.schema([pa.field(column.name, types[column.kind]()) for column in columns])
        self._batch_of = pa.RecordBatch.from_pylist
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def __enter__(self) -> Rows:
        return self

    def add(self, row: dict[str, Any], size: int = 0) -> None:
        """One more row; `size` is about how many bytes of text it holds."""
        self._rows.append(row)
        self._bytes += size
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(self._batch_of(self._rows, schema=self._schema), row_group_size=GROUP_ROWS)
            self._rows, self._bytes = [], 0

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is None:
            self._flush()
        self._writer.close()


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it."""
    (folder / PICTURES).mkdir()
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest:
        counts = manifest.counts
        with Rows(folder / IMAGES, IMAGE_COLUMNS) as images, Rows(folder / MASKS, MASK_COLUMNS) as rows:
            for image, masks in records:
                name = file_name_of(image)
                put_picture(image, folder / PICTURES / name)
                images.add(image_row(image, name, len(masks)))
                for mask in masks:
                    rows.add(mask_row(image, name, mask), len(mask.segmentation["counts"]))
                manifest.add(f"{PICTURES}/{name}")
                counts.images += 1
                counts.masks += len(masks)
                brief.on_image()
        for name in (IMAGES, MASKS):
            manifest.add(name)
        croissant.described(folder, manifest, brief, RESOURCES, TABLES)
        counts.categories = list(brief.category_ids())
    return counts


def image_row(image: Image, name: str, masks: int) -> dict[str, Any]:
    """One row of the table of images."""
    row = {"image_id": image.pk, "file_name": name, "original_name": image.file_name, "masks": masks}
    same = ("width", "height", "split", "sha256", "licence", "source", "credit", "consent")
    return row | {field: getattr(image, field) for field in same}


def mask_row(image: Image, name: str, mask: Mask) -> dict[str, Any]:
    """One row of the table of masks."""
    origin = provenance_of(mask)
    x, y, width, height = mask.bbox
    row = {"mask_id": mask.serial, "image_id": image.pk, "file_name": name, "split": image.split}
    row |= {"height": image.height, "width": image.width, "counts": mask.segmentation["counts"]}
    row |= {"bbox_x": x, "bbox_y": y, "bbox_width": width, "bbox_height": height}
    row |= {"category": mask.category or UNNAMED, "area": mask.area, "crowd": mask.crowd}
    return row | origin | {"uuid": origin["id"], "made_by": origin["source"]}


def verify(folder: Path, counts: Counts) -> None:
    """Read both tables again, group by group, and check every mask. Raises VerifyError."""
    verify_files(folder)
    left = {row["image_id"]: row["masks"] for row in rows_of(folder / IMAGES)}
    if len(left) != counts.images:
        raise VerifyError(f"{len(left)} images read, {counts.images} written")
    masks = 0
    whose = itemgetter("image_id", "height", "width")
    for (image, height, width), rows in groupby(rows_of(folder / MASKS), key=whose):
        if image not in left:
            raise VerifyError(f"masks of image {image}, which is not listed")
        number = verify_masks((_told(row) for row in rows), height, width)
        left[image] -= number
        masks += number
    if masks != counts.masks or any(left.values()):
        raise VerifyError(f"{masks} masks read, {counts.masks} written")


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table of masks as `verify_masks` reads it."""
    segmentation = {"size": [row["height"], row["width"]], "counts": row["counts"]}
    box = [row[f"bbox_{side}"] for side in ("x", "y", "width", "height")]
    return {"id": row["mask_id"], "segmentation": segmentation, "area": row["area"], "bbox": box}


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a table, a few at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=1000):
            yield from batch.to_pylist()


EXPORT = ExportFormat(
    name=FORMAT,
    title="Parquet and Croissant",
    about="Pictures, one table of images and one of masks (RLE), described in Croissant: for Hugging Face datasets, "
    "DuckDB, pandas and search engines.",
    write=write,
    verify=verify,
)
