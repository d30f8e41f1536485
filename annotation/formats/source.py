"""What readers take and give: files by the names a document calls them, and images with masks that were checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from annotation.errors import UserError
from annotation.formats.manifest import DESCRIPTION
from annotation.formats.manifest import NAME as MANIFEST
from modelzoo import rle
from modelzoo.rle_batch import examine_all

MAX_JSON_BYTES = 64 << 20  # of a document that is read at once; longer ones are for annotation.formats.json_stream
MAX_TEXT_BYTES = 16 << 20
MAX_LISTED = 200
PICTURES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".dcm", ".npy")
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
    categories; with `only`, other values are passed over. `crowds` are groups of objects, not one.
    """

    name: str
    path: Path
    split: bool = False
    rgb: bool = False  # values are red + 256 green + 256^2 blue, as in COCO panoptic
    names: dict[int, str] = field(default_factory=dict)
    only: frozenset[int] | None = None
    crowds: frozenset[int] = frozenset()


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
        self._by_last: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] | None = None

    @classmethod
    def of_folder(cls, folder: Path) -> FileIndex:
        """All files below a folder; links are passed over."""
        index = cls()
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                index.add(path.relative_to(folder).as_posix(), path)
        return index

    def add(self, name: str, path: Path) -> None:
        """Make a file known under the name that its archive gives it."""
        clean = _normal(name)
        self._by_name.setdefault(clean, path)
        self._by_last.setdefault(PurePosixPath(clean).name, []).append(path)

    def find(self, name: object) -> Path | None:
        """The file a document calls `name`: by its whole name, else by its last part if only one file has it."""
        if not isinstance(name, str) or not name:
            return None
        clean = _normal(name)
        if (path := self._by_name.get(clean)) is not None:
            return path
        same = self._by_last.get(PurePosixPath(clean).name, [])
        return same[0] if len(same) == 1 else None

    def exactly(self, name: str) -> Path | None:
        """The file of this whole name."""
        return self._by_name.get(_normal(name))

    def with_stem(self, stem: str) -> Path | None:
        """The picture of this name without its ending: by the whole name, else by the last part if only one has it."""
        if self._by_stem is None:
            self._by_stem = {}
            for name, path in self.pictures():
                whole_stem = name.rsplit(".", 1)[0]
                for key in {whole_stem, "*/" + PurePosixPath(whole_stem).name}:
                    self._by_stem.setdefault(key, []).append(path)
        clean = _normal(stem)
        for key in (clean, "*/" + PurePosixPath(clean).name):
            if len(found := self._by_stem.get(key, [])) == 1:
                return found[0]
        return None

    def other_with_stem(self, stem: str, than: Path) -> Path | None:
        """The one other picture with the last part of a name, where two share it."""
        self.with_stem(stem)  # makes the list
        assert self._by_stem is not None
        found = [path for path in self._by_stem.get("*/" + PurePosixPath(_normal(stem)).name, []) if path != than]
        return found[0] if len(found) == 1 else None

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


def _normal(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/").lstrip("/") or "."))


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
