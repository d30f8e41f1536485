"""Pictures and records beside masks, as several formats write them: names, provenance, maps painted from masks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from annotation import storage
from annotation.errors import UserError
from annotation.formats.base import UNNAMED
from annotation.formats.painting import painted_values
from annotation.models import Image, Mask

INDEX = "masks.jsonl"


def stem_of(image: Image) -> str:
    """Name of an image's files: unique by its number, recognisable by what the uploader called it."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(image.file_name).stem).strip("._-")[:80]
    return f"{image.pk:08d}{'_' + stem if stem else ''}"


def file_name_of(image: Image) -> str:
    """`stem_of` with the ending of the display file."""
    return stem_of(image) + Path(image.display_path).suffix


def put_picture(image: Image, target: Path) -> None:
    """The display file under another name: a hard link where the disk allows it. Do not write to it."""
    storage.link_or_copy(storage.found(image.display_path, image.created_at), target)


def pixels_of(image: Image) -> NDArray[np.uint8]:
    """The display file as uint8 (H, W, 3), RGB. It was made by our own decoder."""
    Picture.MAX_IMAGE_PIXELS = None  # checked when the picture came in
    with Picture.open(storage.found(image.display_path, image.created_at)) as picture:
        return np.asarray(picture.convert("RGB"))


def provenance_of(mask: Mask) -> dict[str, Any]:
    """Where a mask comes from, for formats with room for it: id, stage, source, status, model, scores, prompts."""
    return {
        "id": str(mask.uuid),
        "stage": mask.stage,
        "source": mask.source,
        "status": mask.status,
        "model": mask.model,
        "predicted_iou": mask.predicted_iou,
        "stability_score": mask.stability_score,
        "prompts": len(mask.prompts),
        "seconds": mask.seconds,
        "edits": mask.edits,
    }


class IndexWriter:
    """masks.jsonl: one line per mask, for formats whose own files have no room for what is known of it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / INDEX
        self._file: IO[str] | None = None

    def __enter__(self) -> IndexWriter:
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def add(self, image: Image, mask: Mask, **more: Any) -> None:
        """One mask; `more` says where in the format it is."""
        assert self._file is not None
        row = {
            "image": file_name_of(image),
            "width": image.width,
            "height": image.height,
            "category": mask.category or UNNAMED,
            "bbox": mask.bbox,
            "area": mask.area,
            "crowd": mask.crowd,
            **more,
            "anymask": provenance_of(mask),
        }
        self._file.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """The file is whole; closing twice is closing once."""
        if self._file is not None:
            self._file.close()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def index_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of masks.jsonl."""
    with (folder / INDEX).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def painted(image: Image, masks: Sequence[Mask], values: Sequence[int], dtype: type) -> NDArray[Any]:
    """One map (H, W) of an image: each mask's pixels get its value, everything else 0.

    Larger masks are painted first, so that of two that overlap the smaller one is seen (equal ones: the later).
    Raises UserError `too_many_masks` for a value that does not fit `dtype`.
    """
    if values and max(values) > np.iinfo(dtype).max:
        most = np.iinfo(dtype).max
        raise UserError("too_many_masks", f"{image.file_name} needs numbers above {most}, which this map cannot hold.")
    segmentations, boxes = [mask.segmentation for mask in masks], [mask.bbox for mask in masks]
    return painted_values((image.height, image.width), segmentations, boxes, values, dtype)


def save_png(array: NDArray[Any], path: Path) -> None:
    """uint8 (H, W), (H, W, 3) or (H, W, 4), or uint16 (H, W), as PNG; the same array gives the same bytes."""
    Picture.fromarray(array).save(path, "PNG", compress_level=4)


def load_png(path: Path) -> NDArray[Any]:
    """What `save_png` wrote, for reading it again."""
    Picture.MAX_IMAGE_PIXELS = None
    with Picture.open(path) as picture:
        return np.asarray(picture)
