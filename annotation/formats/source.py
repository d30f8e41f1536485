"""What readers take and give: files by the names a document calls them, and images with masks that were checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from annotation.errors import UserError
from annotation.formats.manifest import DESCRIPTION
from annotation.formats.manifest import NAME as MANIFEST
from annotation.formats.names import Names, folder_of, normal
from modelzoo import rle
from modelzoo.rle_batch import examine_all

MAX_JSON_BYTES = 64 << 20  # of a document that is read at once; longer ones are for annotation.formats.json_stream
MAX_TEXT_BYTES = 16 << 20
MAX_LISTED = 200
MAX_NAME = 4096  # characters of a name in a document
PICTURES = frozenset((".jpg", ".jpeg", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")).union(
    (".avif", ".heic", ".heif", ".dcm", ".npy")
)


@dataclass
class Refusals:
    """What could not be taken, one line each; all are counted, the first 200 are listed."""

    count: int = 0
    listed: list[dict[str, str]] = field(default_factory=list)

    def add(self, item: str, code: str, message: str) -> None:
        """Note one refused item."""
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append({"item": item[:200], "code": code, "message": message})


@dataclass(frozen=True)
class LabelMap:
    """A PNG whose pixel values say which mask each pixel belongs to; 0 belongs to none.

    `split` makes one mask of each connected part, for maps that know kinds but no objects. `names` maps values to
    categories; with `only`, other values are passed over. `crowds` are groups of objects, not one. `void` means
    nothing where other values stand beside it.
    """

    name: str
    path: Path
    split: bool = False
    rgb: bool = False  # values are red + 256 green + 256^2 blue, as in COCO panoptic
    names: dict[int, str] = field(default_factory=dict)
    only: frozenset[int] | None = None
    crowds: frozenset[int] = frozenset()
    void: int | None = None


@dataclass
class SourceImage:
    """One picture to import: where its bytes are, and its masks as legal RLE of the declared size.

    `shapes` gives further masks from the (height, width) of the upright picture, for documents that do not name it or
    count in shares of it; `maps` are decoded in the cage. `boxes` are no masks but questions to the model:
    {bbox: [x, y, w, h], category, score}, inside the picture.
    """

    name: str
    path: Path
    width: int = 0  # as declared; 0 if nothing is declared
    height: int = 0
    licence: str = ""
    credit: str = ""
    masks: list[dict[str, Any]] = field(default_factory=list)
    shapes: Callable[[int, int], Iterable[dict[str, Any]]] | None = None
    maps: list[LabelMap] = field(default_factory=list)
    boxes: list[dict[str, Any]] = field(default_factory=list)


class FileIndex:
    """Files on disk by name. Names in documents are only ever looked up here, never opened."""

    def __init__(self) -> None:
        self._by_name: dict[str, Path] = {}

    @classmethod
    def of_folder(cls, folder: Path) -> FileIndex:
        """All files below a folder; links are passed over."""
        index = cls()
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                index.add(path.relative_to(folder).as_posix(), path)
        return index

    def add(self, name: str, path: Path) -> None:
        """Make a file known under the name that its archive gives it; all are added before any is looked up."""
        self._by_name.setdefault(normal(name), path)

    def find(self, told: object, document: str) -> Path | None:
        """The file that a document of this name calls `told`: in its folder, of this whole name, or at an alike place.

        A name without folder may then be anywhere, but if the document is one of several: with pictures beside it, or
        others of its name elsewhere (`train/_annotations.json`, `valid/_annotations.json`), its own are meant.
        """
        return self._meant(self._names, told, document)

    def with_stem(self, told: object, document: str) -> Path | None:
        """The picture that a document of this name calls `told`, without the ending of the picture; as `find` does."""
        return self._meant(self._stems, told, document)

    @cached_property
    def _names(self) -> Names:
        return Names(self._by_name.items())

    @cached_property
    def _stems(self) -> Names:
        return Names((name.rpartition(".")[0], path) for name, path in self.pictures())

    @cached_property
    def _folders_with_pictures(self) -> frozenset[str]:
        return frozenset(folder_of(name) for name, _ in self.pictures())

    def _meant(self, names: Names, told: object, document: str) -> Path | None:
        if not isinstance(told, str) or not 0 < len(told) <= MAX_NAME:
            return None
        folder = folder_of(document)
        clean, beside = normal(told), normal(f"{folder}/{told}")
        found = names.exactly(beside) or names.exactly(clean)
        if found is not None or "/" in clean or not self._one_of_several(document):
            return found or names.alike(clean)
        return names.shorter(beside) or names.below(folder, clean)

    def _one_of_several(self, document: str) -> bool:
        folder, _, last = document.rpartition("/")
        return bool(folder) and (folder in self._folders_with_pictures or len(self._names.ending(last)) > 1)

    def exactly(self, name: str) -> Path | None:
        """The file of this whole name."""
        return self._by_name.get(normal(name))

    def items(self) -> Iterator[tuple[str, Path]]:
        """(name, path) in order of name."""
        yield from sorted(self._by_name.items())

    def ending(self, suffix: str) -> list[tuple[str, Path]]:
        """Those whose name ends so, whatever the case."""
        return [(name, path) for name, path in self.items() if name.lower().endswith(suffix)]

    def documents(self) -> list[tuple[str, Path]]:
        """JSON files but those that only tell of others (our manifests, Croissant), in order of name."""
        about = (MANIFEST, DESCRIPTION)
        return [(name, path) for name, path in self.ending(".json") if name.rsplit("/", 1)[-1] not in about]

    def pictures(self) -> Iterator[tuple[str, Path]]:
        """Those that by their name are pictures, in order of name."""
        return ((name, path) for name, path in self.items() if PurePosixPath(name).suffix.lower() in PICTURES)

    def head(self, name: str, size: int = 1 << 16) -> bytes:
        """The first bytes of a file that `items` named."""
        with self._by_name[name].open("rb") as file:
            return file.read(size)


def read_json(path: Path, name: str) -> Any:
    """A JSON document from outside. Raises UserError if it is too large, too deep or none."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise UserError("document_too_large", f"{name} is larger than {MAX_JSON_BYTES >> 20} MiB.")
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=lambda _: math.nan)
    except (ValueError, RecursionError, MemoryError):
        raise UserError("document_damaged", f"{name} is not a JSON document.") from None


def read_text(path: Path, name: str) -> str:
    """A text file from outside. Raises UserError if it is too large or not UTF-8."""
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UserError("document_too_large", f"{name} is larger than {MAX_TEXT_BYTES >> 20} MiB.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("document_damaged", f"{name} is not a text file.") from None


def checked_mask(segmentation: object, height: int, width: int) -> rle.RLE:
    """Polygons, compressed or uncompressed RLE as a legal RLE with at least one pixel. Raises RLEError."""
    return measured_mask(segmentation, height, width).segmentation


def measured_mask(segmentation: object, height: int, width: int) -> rle.Measured:
    """`checked_mask` with its area and box: as `segmentation` of a record it is not checked again. Raises RLEError."""
    (found,) = measured_masks([segmentation], height, width)
    if isinstance(found, rle.RLEError):
        raise found
    return found


def measured_masks(segmentations: Sequence[object], height: int, width: int) -> list[rle.Measured | rle.RLEError]:
    """`measured_mask` for many masks of one image, several times faster: each, or the error it is refused with."""
    drawn = [_drawn(one, height, width) if isinstance(one, list) else one for one in segmentations]
    found = examine_all(drawn, height, width)
    for place, (one, result) in enumerate(zip(drawn, found, strict=True)):
        if isinstance(one, rle.RLEError):
            found[place] = one
        elif isinstance(result, rle.Measured) and result.area == 0:
            found[place] = rle.RLEError("mask_empty", "The mask has no pixels.")
    return found


def _drawn(polygons: list[Any], height: int, width: int) -> rle.RLE | rle.RLEError:
    try:
        return rle.from_polygons(polygons, height, width)
    except rle.RLEError as problem:
        return problem


def whole(value: object, low: int, high: int) -> int | None:
    """A whole number in a range, or None for anything else."""
    return value if type(value) is int and low <= value <= high else None


def text(value: object, limit: int) -> str:
    """Printable text of at most `limit` characters; empty for anything that is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value if c.isprintable()).encode("utf-8", "replace").decode()[:limit].strip()


def share(value: object) -> float | None:
    """A finite number of 0 to 1, or None; models write slightly more than 1 at times, which is 1."""
    if type(value) not in (int, float):
        return None
    number = float(value) if abs(value) < 2 else math.nan  # type: ignore[arg-type]  # int or float, by the line above
    return min(max(number, 0.0), 1.0) if math.isfinite(number) else None


def numbers(value: object, count: int) -> list[float] | None:
    """`count` finite numbers of an ordinary size, or None."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if any(type(item) not in (int, float) or not -1e9 < item < 1e9 for item in value):
        return None
    return [item if type(item) is int else float(item) for item in value]
