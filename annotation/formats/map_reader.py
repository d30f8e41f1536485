"""Reads PNG maps: instance maps (each value an object), label maps (each value a category), one binary file per mask.

A map belongs to the picture of the same name in another folder (images/a.jpg and labels/a.png), with an ending to its
name (a_mask.png), or of the name of its folder (masks/a/1.png). Their pixels are read in the cage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from annotation.errors import UserError
from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.maps import NAMES
from annotation.formats.pictures import INDEX
from annotation.formats.source import FileIndex, LabelMap, Refusals, SourceImage, read_json, text, whole

LABELS, INSTANCES = "png_labels", "png_instances"
FOLDERS = {
    LABELS: ("labels", "labelmaps", "semantic", "segmentationclass", "annotations", "gtfine"),
    INSTANCES: ("instances", "masks", "mask", "binary", "segmentationobject", "instance"),
}
ENDINGS = {
    LABELS: ("_label", "_labels", "_labelids", "_seg"),
    INSTANCES: ("_mask", "_masks", "_instance", "_instances", "_instanceids"),
}
MAP_ENDINGS = (".png", ".tif", ".tiff", ".bmp")
MAX_LINE = 1 << 20


def read(kind: str, index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Pictures with their maps; what cannot be used is noted and the rest goes on."""
    maps: dict[Path, list[tuple[str, Path]]] = {}
    taken = set()
    for name, path in index.pictures():
        if not _is_map(name, kind):
            continue
        taken.add(name)
        picture = _picture_of(name, path, kind, index)
        if picture is None:
            refusals.add(name, "picture_missing", "There is no picture for this map.")
        else:
            maps.setdefault(picture, []).append((name, path))
    names = _label_names(index, refusals) if kind == LABELS else {}
    told = _told(index, refusals) if kind == INSTANCES else {}
    for name, path in index.pictures():
        if name in taken:
            continue
        source = SourceImage(name.rsplit("/", 1)[-1], path)
        for map_name, map_path in maps.get(path, []):
            categories = names or told.get(map_name, {})
            source.maps.append(LabelMap(map_name, map_path, split=kind == LABELS, names=categories))
        yield source


def _is_map(name: str, kind: str) -> bool:
    stem, ending = name.lower().rsplit(".", 1)
    folders = stem.split("/")[:-1]
    of_kind = any(folder in FOLDERS[kind] for folder in folders) or stem.endswith(ENDINGS[kind])
    return f".{ending}" in MAP_ENDINGS and of_kind and "images" not in folders[-1:]


def _picture_of(name: str, path: Path, kind: str, index: FileIndex) -> Path | None:
    stem = name.rsplit(".", 1)[0]
    last = stem.rsplit("/", 1)[-1]
    folder = stem.rsplit("/", 1)[0].rsplit("/", 1)[-1]
    stems = [f"images/{last}", last]
    if folder.lower() not in FOLDERS[kind]:  # a folder per picture
        stems.insert(0, folder)
    for ending in ENDINGS[kind]:
        if last.lower().endswith(ending):
            stems.insert(0, stem[: -len(ending)])
    for one in stems:
        # A map has the name of its picture: two files share it, and the one that is no map is meant.
        found = index.with_stem(one) or index.other_with_stem(one, path)
        if found is not None and found != path:
            return found
    return None


def _label_names(index: FileIndex, refusals: Refusals) -> dict[int, str]:
    """Value -> category from labels.json, {"1": "cat"}; empty if there is none."""
    for name, path in index.ending(NAMES):
        try:
            found = read_json(path, name)
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)
            continue
        if isinstance(found, dict):
            named = {int(key): text(value, 200) for key, value in found.items() if key.isdecimal() and len(key) < 6}
            return {key: "" if value == UNNAMED else value for key, value in named.items()}
    return {}


def _told(index: FileIndex, refusals: Refusals) -> dict[str, dict[int, str]]:
    """File -> value -> category, from masks.jsonl as our own exports have it."""
    found: dict[str, dict[int, str]] = {}
    for name, path in index.ending(INDEX):
        with path.open("rb") as lines:
            while line := lines.readline(MAX_LINE):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    refusals.add(name, "document_damaged", "A line of this file is no JSON; categories are missing.")
                    break
                value = whole(row.get("value"), 1, 1 << 24) if isinstance(row, dict) else None
                if value is not None and isinstance(row.get("file"), str):
                    category = text(row.get("category"), 200)
                    found.setdefault(row["file"], {})[value] = "" if category == UNNAMED else category
    return found


def recognises(kind: str, index: FileIndex) -> bool:
    """Whether there are maps by their names, and pictures beside them."""
    names = [name for name, _ in index.pictures()]
    maps = sum(_is_map(name, kind) for name in names)
    documents = any(name.rsplit("/", 1)[-1] != NAMES for name, _ in index.documents())
    return 0 < maps < len(names) and not documents


IMPORTS = (
    ImportFormat(
        name=INSTANCES,
        title="PNG instance maps",
        about="Pictures, and in masks/ or instances/ maps whose values are objects, or one file per mask.",
        read=partial(read, INSTANCES),
        recognises=partial(recognises, INSTANCES),
    ),
    ImportFormat(
        name=LABELS,
        title="PNG label maps",
        about="Pictures, and in labels/ maps whose values are categories: each connected part becomes a mask.",
        read=partial(read, LABELS),
        recognises=partial(recognises, LABELS),
    ),
)
