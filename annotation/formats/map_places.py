"""Which files are maps by their names, and which picture each belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from annotation.formats.names import Names, folder_of, last_folder

LABELS, INSTANCES = "png_labels", "png_instances"
VOC = frozenset(("segmentationclass", "segmentationobject"))
FOLDERS = {
    LABELS: ("labels", "labelmaps", "semantic", "segmentationclass", "annotations", "gtfine"),
    INSTANCES: ("instances", "masks", "mask", "binary", "segmentationobject", "instance"),
}
ENDINGS = {
    LABELS: ("_label", "_labels", "_labelids", "_seg"),
    INSTANCES: ("_mask", "_masks", "_instance", "_instances", "_instanceids"),
}
MAP_ENDINGS = (".png", ".tif", ".tiff", ".bmp")
OF_PICTURES = ("images", "jpegimages")  # nothing in these is a map
PICTURE_FOLDERS = ("images", "JPEGImages", "image", "img", "imgs", "photos", "pictures")


def is_map(name: str, kind: str) -> bool:
    """Whether a file is a map of this kind by its name."""
    stem, ending = name.lower().rsplit(".", 1)
    folders = stem.split("/")[:-1]
    of_kind = any(folder in FOLDERS[kind] for folder in folders) or stem.endswith(ENDINGS[kind])
    return f".{ending}" in MAP_ENDINGS and of_kind and last_folder(stem) not in OF_PICTURES


def is_of_voc(name: str) -> bool:
    """Whether a map lies where Pascal VOC has them."""
    return not VOC.isdisjoint(name.lower().split("/")[:-1])


def placed(maps: Sequence[str], pictures: Sequence[tuple[str, Path]], kind: str) -> dict[str, Path]:
    """Map -> its picture. `pictures` are (name, path) of files that are no maps.

    Told places come first: the same folder, or the same path with `images` instead of `masks`. What remains may have a
    picture anywhere, if only one has that name, no map has it by its place, and no namesake from elsewhere claims it.
    """
    stems = Names((name.rpartition(".")[0], path) for name, path in pictures)
    found = {name: path for name in maps if (path := _by_place(name, kind, stems)) is not None}
    taken = set(found.values())
    claims: dict[Path, dict[str, list[str]]] = {}
    for name in maps:
        if name in found:
            continue
        path, claim = _by_name(name, kind, stems)
        if path is not None and path not in taken:
            claims.setdefault(path, {}).setdefault(claim, []).append(name)
    for path, namesakes in claims.items():
        if len(namesakes) == 1:
            found |= {name: path for names in namesakes.values() for name in names}
    return found


def _by_place(name: str, kind: str, stems: Names) -> Path | None:
    folder = folder_of(name)
    own = [one for stem in _stems(name, kind) for one in (stem, *_mirrored(stem, kind))]
    for place in own + ([folder, *_mirrored(folder, kind)] if _is_of_one_picture(name, kind) else []):
        if (path := stems.exactly(place)) is not None:
            return path
    return None


def _by_name(name: str, kind: str, stems: Names) -> tuple[Path | None, str]:
    """(the only picture of this name, what the map claims: its place but for the folders that all maps have).

    A map in a folder called like a picture is one of its masks (masks/7/1.png), and its own number says nothing.
    """
    folder = last_folder(name)
    stems_of_map = list(_stems(name, kind))
    for stem in stems_of_map:
        below = _below(stem, kind)
        if "/" in below and (same := stems.ending(below)):
            return _only(same), _claim(stem)
    if _is_of_one_picture(name, kind) and (same := stems.ending(folder)):
        return _only(same), _claim(folder_of(name))
    for stem in stems_of_map:
        if same := stems.ending(stem.rpartition("/")[2]):
            return _only(same), _claim(stem)
    return None, ""


def _only(same: list[tuple[str, Path]]) -> Path | None:
    return same[0][1] if len(same) == 1 else None


def _stems(name: str, kind: str) -> Iterator[str]:
    """What the picture of a map may be called, without its ending: a for a_mask."""
    stem = name.rpartition(".")[0]
    for ending in ENDINGS[kind]:
        if stem.lower().endswith(ending):
            yield stem[: -len(ending)]
    yield stem


def _is_of_one_picture(name: str, kind: str) -> bool:
    return last_folder(name).lower() not in ("", *FOLDERS[kind])


def _mirrored(stem: str, kind: str) -> Iterator[str]:
    """The same place among the pictures: `images`, or nothing, for the folder that says what a map is."""
    before, after = _around(stem, kind)
    for between in (*([one] for one in PICTURE_FOLDERS), []):
        yield "/".join([*before, *between, *after])


def _below(stem: str, kind: str) -> str:
    return "/".join(_around(stem, kind)[1])


def _around(stem: str, kind: str) -> tuple[list[str], list[str]]:
    """What stands before and after the last folder that says what a map is; all stands after it if there is none."""
    parts = stem.split("/")
    at = max((at for at, part in enumerate(parts[:-1]) if part.lower() in FOLDERS[kind]), default=None)
    return ([], parts) if at is None else (parts[:at], parts[at + 1 :])


def _claim(place: str) -> str:
    known = {folder for folders in FOLDERS.values() for folder in folders}
    return "/".join(part for part in place.split("/") if part.lower() not in known)
